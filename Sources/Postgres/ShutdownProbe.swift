internal import Reactor

/// Notices that the server waits for its sessions to end.
///
/// A server that is asked for a "smart" shutdown tells its sessions nothing, serves them as before, and ends with the
/// last of them; only newcomers are turned away. A session that is kept open for ever would keep it from ending, and
/// everybody else from the server that is started next. So somebody comes anew now and then: one for all that this
/// process has on the server, so that it can come often.
@ReactorActor
final class ShutdownProbe {
    private let newcomer: Newcomer
    private let isNeeded: () -> Bool
    private let onShutdown: () -> Void

    /// - Parameters:
    ///   - isNeeded: Whether there is a session that could be in the way.
    ///   - onShutdown: Called each time when a newcomer was turned away because the server shuts down.
    init(
        _ configuration: PostgresConfiguration,
        isNeeded: @escaping @ReactorActor () -> Bool,
        onShutdown: @escaping @ReactorActor () -> Void
    ) {
        self.isNeeded = isNeeded
        self.onShutdown = onShutdown
        newcomer = Newcomer.to(configuration)
        newcomer.add(self)
    }

    func close() { newcomer.remove(self) }

    fileprivate var isInTheWay: Bool { isNeeded() }
    fileprivate func serverShutsDown() { if isNeeded() { onShutdown() } }
}

/// Comes to a server anew at intervals, for everybody in this process who has sessions there.
@ReactorActor
final class Newcomer {
    /// What makes it another server, or another welcome.
    private struct Destination: Hashable {
        let host: String
        let port: UInt16
        let address: String?
        let user: String
        let database: String
        let options: [String: String]
    }

    private static var all: [Destination: Newcomer] = [:]

    private let destination: Destination
    private let configuration: PostgresConfiguration
    /// Not kept alive by this: a pool that nobody has any more takes its probe with it.
    private struct Member { weak var probe: ShutdownProbe? }
    private var members: [Member] = []
    private var timer: Timer?
    private var attempt: ConnectAttempt?

    static func to(_ configuration: PostgresConfiguration) -> Newcomer {
        let destination = destination(of: configuration)
        if let newcomer = all[destination] { return newcomer }
        let newcomer = Newcomer(destination, configuration)
        all[destination] = newcomer
        return newcomer
    }

    /// For how many somebody comes to a server; 0 if nobody does.
    static func memberCount(_ configuration: PostgresConfiguration) -> Int {
        all[destination(of: configuration)]?.members.count ?? 0
    }

    private static func destination(of configuration: PostgresConfiguration) -> Destination {
        Destination(
            host: configuration.host,
            port: configuration.port,
            address: configuration.address,
            user: configuration.user,
            database: configuration.database,
            options: configuration.libpqOptions
        )
    }

    private init(_ destination: Destination, _ configuration: PostgresConfiguration) {
        self.destination = destination
        self.configuration = configuration
        timer = Timer { [unowned self] in come() }
        timer?.scheduleRepeating(every: configuration.shutdownProbeInterval)
    }

    func add(_ probe: ShutdownProbe) { members.append(Member(probe: probe)) }

    func remove(_ probe: ShutdownProbe) {
        members.removeAll { $0.probe === probe }
        endIfAlone()
    }

    private func endIfAlone() {
        guard members.allSatisfy({ $0.probe == nil }), Self.all[destination] === self else { return }
        timer = nil
        attempt = nil
        Self.all[destination] = nil
    }

    private func come() {
        members.removeAll { $0.probe == nil }
        endIfAlone()
        guard attempt == nil, members.contains(where: { $0.probe?.isInTheWay == true }) else { return }
        attempt = ConnectAttempt(configuration) { [weak self] in self?.came($0) }
    }

    private func came(_ result: Result<Libpq, PostgresConnectError>) {
        attempt = nil
        guard case .failure(let failure) = result, failure.tellsOfShutdown else { return }
        // Each may remove itself.
        for member in members { member.probe?.serverShutsDown() }
    }
}

extension PostgresConnectError {
    /// Whether a server that has sessions is shutting down; one that starts or recovers has none.
    var tellsOfShutdown: Bool { sqlState == .cannotConnectNow }
}
