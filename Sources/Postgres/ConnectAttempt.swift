internal import Reactor

/// One attempt to connect; dropping it gives the attempt up.
///
///     resolve ──addresses──▶ poll ──connected──▶ set up ──answered──▶ done        any ──timeout or failure──▶ done
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
        if let address = configuration.address {
            addresses = [address]
        } else if !configuration.isLocal {
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
            return finish(.failure(.refused(nil, "out of memory")))
        }
        self.libpq = libpq
        // libpq's manual: the first time, behave as if it had asked to wait for writing.
        wait(for: .write) { $0.step() }
    }

    private func wait(for readiness: Readiness, then next: @escaping @ReactorActor (ConnectAttempt) -> Void) {
        guard let libpq, let descriptor = libpq.descriptor else {
            return finish(.failure(libpq?.connectError ?? .refused(nil, "")))
        }
        // A new watcher for each step, because the step may have closed the socket and opened another.
        watcher = IOWatcher(descriptor: descriptor, for: readiness) { [unowned self] _ in
            // Stops watching before libpq closes the descriptor.
            watcher = nil
            next(self)
        }
    }

    private func step() {
        guard let libpq else { return }
        switch libpq.connectStep() {
        case .wait(let readiness): wait(for: readiness) { $0.step() }
        case .connected: setUp(libpq)
        case .failed: finish(.failure(libpq.connectError))
        }
    }

    private func setUp(_ libpq: Libpq) {
        guard libpq.send(configuration.sessionScript(serverProcess: libpq.serverProcess)) else {
            return finish(.failure(libpq.connectError))
        }
        flush()
    }

    private func flush() {
        switch libpq?.flush() {
        case .done: wait(for: .read) { $0.readAnswer() }
        case .pending: wait(for: [.read, .write]) { $0.flush() }
        case .failed, nil: finish(.failure(libpq?.connectError ?? .refused(nil, "")))
        }
    }

    private func readAnswer() {
        guard let libpq, libpq.consumeInput() else { return finish(.failure(libpq?.connectError ?? .refused(nil, ""))) }
        while !libpq.isBusy {
            switch libpq.nextReply() {
            case .success(let result):
                libpq.isBehindPooler = result.bool(0, 0) == false
            case .failure(let error):
                return finish(.failure(.refused(error.sqlState, error.debugDescription)))
            case .end:
                return finish(.success(libpq))
            case .synchronized, .aborted, .copyIn, .unusable:
                return finish(.failure(libpq.connectError))
            }
        }
        wait(for: .read) { $0.readAnswer() }
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
