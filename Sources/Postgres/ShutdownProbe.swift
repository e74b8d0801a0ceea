internal import Reactor

/// Notices that the server waits for its sessions to end.
///
/// A server that is asked for a "smart" shutdown tells its sessions nothing, serves them as before, and ends with the
/// last of them; only newcomers are turned away. A session that is kept open for ever would keep it from ending, and
/// everybody else from the server that is started next. So somebody comes anew now and then.
@ReactorActor
final class ShutdownProbe {
    private let configuration: PostgresConfiguration
    private let isNeeded: () -> Bool
    private let onShutdown: () -> Void
    private var timer: Timer?
    private var attempt: ConnectAttempt?

    /// - Parameters:
    ///   - isNeeded: Whether there is a session that could be in the way.
    ///   - onShutdown: Called each time when a newcomer was turned away because the server shuts down.
    init(
        _ configuration: PostgresConfiguration,
        isNeeded: @escaping @ReactorActor () -> Bool,
        onShutdown: @escaping @ReactorActor () -> Void
    ) {
        self.configuration = configuration
        self.isNeeded = isNeeded
        self.onShutdown = onShutdown
        timer = Timer { [unowned self] in look() }
        timer?.scheduleRepeating(every: configuration.shutdownProbeInterval)
    }

    func close() {
        timer = nil
        attempt = nil
    }

    private func look() {
        guard attempt == nil, isNeeded() else { return }
        attempt = ConnectAttempt(configuration) { [weak self] in self?.looked($0) }
    }

    private func looked(_ result: Result<Libpq, PostgresConnectError>) {
        attempt = nil
        if case .failure(let failure) = result, failure.tellsOfShutdown, isNeeded() { onShutdown() }
    }
}

extension PostgresConnectError {
    /// Whether a server that has sessions is shutting down; one that starts or recovers has none.
    var tellsOfShutdown: Bool { sqlState == .cannotConnectNow }
}
