internal import Reactor

/// One attempt to connect; dropping it gives the attempt up.
///
///     resolve ──addresses──▶ poll ──connected──▶ done        any ──timeout or failure──▶ done
@ReactorActor
final class ConnectAttempt {
    private let configuration: PostgresConfiguration
    private var completion: ((Result<Libpq, PostgresConnectError>) -> Void)?
    private var libpq: Libpq?
    private var watcher: IOWatcher?
    private var timer: Timer?

    /// Starts.
    ///
    /// - Parameter then: Called once, never before this returns, unless the attempt is dropped first.
    init(
        _ configuration: PostgresConfiguration,
        then completion: @escaping @ReactorActor (Result<Libpq, PostgresConnectError>) -> Void
    ) {
        self.configuration = configuration
        self.completion = completion
        // libpq ignores its own connect_timeout unless it may block.
        let timer = Timer { [unowned self] in finish(.failure(.timedOut)) }
        timer.schedule(after: configuration.connectTimeout)
        self.timer = timer
        Reactor.spawn { [weak self] in
            await Reactor.yield()
            await self?.start()
        }
    }

    private func start() async {
        var addresses: [String] = []
        if !configuration.isLocal {
            do {
                let endpoint = Endpoint.tcp(host: configuration.host, port: configuration.port)
                let found = try await Resolver.resolve(endpoint, within: configuration.connectTimeout)
                addresses = found.compactMap(\.numericHost)
            } catch {
                return finish(.failure(.resolution(error)))
            }
        }
        guard completion != nil else { return }
        guard let libpq = Libpq(keywords: configuration.keywords(addresses: addresses)) else {
            return finish(.failure(.refused("out of memory")))
        }
        self.libpq = libpq
        // libpq's manual: the first time, behave as if it had asked to wait for writing.
        wait(for: .write)
    }

    private func wait(for readiness: Readiness) {
        guard let libpq, let descriptor = libpq.descriptor else {
            return finish(.failure(.refused(libpq?.failureText ?? "")))
        }
        // A new watcher for each step, because the step may have closed the socket and opened another.
        watcher = IOWatcher(descriptor: descriptor, for: readiness) { [unowned self] _ in step() }
    }

    private func step() {
        guard let libpq else { return }
        // Stops watching before libpq closes the descriptor.
        watcher = nil
        switch libpq.connectStep() {
        case .wait(let readiness): wait(for: readiness)
        case .connected: finish(.success(libpq))
        case .failed: finish(.failure(.refused(libpq.failureText)))
        }
    }

    private func finish(_ result: Result<Libpq, PostgresConnectError>) {
        guard let completion else { return }
        self.completion = nil
        watcher = nil
        timer?.cancel()
        libpq = nil
        completion(result)
    }
}
