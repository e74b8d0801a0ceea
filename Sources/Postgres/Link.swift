internal import Reactor

/// A place for one connection, which it makes, and makes anew whenever it is lost, for as long as it is not closed.
///
///     connecting ──▶ open ──lost──▶ connecting
///         │  ▲
///      failed │ delay over
///         ▼  │
///        delayed                  any ──close──▶ closed
@ReactorActor
final class Link {
    private enum State {
        case closed
        case connecting(ConnectAttempt)
        case delayed(Timer)
        case open(Connection)
    }

    /// Called with each new connection, before anything is sent on it.
    var onOpen: (Connection) -> Void = { _ in }
    /// Called when the connection is lost, with the statements that have no answer.
    var onLoss: (Connection.Loss, [PendingQuery]) -> Void = { _, _ in }
    /// Called when an attempt to connect failed; the next one is scheduled already.
    var onFailure: (PostgresConnectError) -> Void = { _ in }

    private let configuration: PostgresConfiguration
    private var state = State.closed
    private var backoff: Backoff
    /// For as long as the server itself turns us away.
    private var refusalBackoff: Backoff
    /// Attempts that failed since the connection was open.
    private var failures = 0

    init(_ configuration: PostgresConfiguration) {
        self.configuration = configuration
        let first = configuration.reconnectDelayFirst
        backoff = Backoff(first: first, cap: configuration.reconnectDelayCap)
        refusalBackoff = Backoff(first: first, cap: max(configuration.reconnectDelayCap, configuration.refusalDelayCap))
    }

    /// The connection while it is open.
    var connection: Connection? {
        if case .open(let connection) = state { connection } else { nil }
    }

    /// Whether it is connecting, and has no reason yet to think that it will fail.
    var isHopeful: Bool {
        if case .connecting = state { failures == 0 } else { false }
    }

    /// Begins to connect.
    func open() {
        state = .connecting(ConnectAttempt(configuration) { [weak self] in self?.attempted($0) })
    }

    /// Gives up everything. Callers of unanswered statements are told through ``onLoss``.
    func close() {
        let connection = self.connection
        state = .closed
        connection?.close()
    }

    private func attempted(_ result: Result<Libpq, PostgresConnectError>) {
        // An attempt that was given up may still end while it waits for a name server.
        guard case .connecting = state else { return }
        switch result {
        case .success(let libpq):
            let connection = Connection(libpq, silenceMax: configuration.silenceMax)
            connection.onLoss = { [unowned self, unowned connection] loss, unanswered in
                lost(connection, loss, unanswered)
            }
            state = .open(connection)
            failures = 0
            onOpen(connection)
        case .failure(let failure):
            failures += 1
            if failure.isLasting {
                retry(after: refusalBackoff.next())
            } else {
                refusalBackoff.reset()
                retry(after: backoff.next())
            }
            onFailure(failure)
        }
    }

    private func lost(_ connection: Connection, _ loss: Connection.Loss, _ unanswered: [PendingQuery]) {
        if case .open = state {
            // At once, for it worked a moment ago; but one that never answered could be lost again and again.
            if connection.hasAnswered {
                backoff.reset()
                refusalBackoff.reset()
                open()
            } else {
                failures += 1
                retry(after: backoff.next())
            }
        }
        onLoss(loss, unanswered)
    }

    private func retry(after delay: Duration) {
        let timer = Timer { [unowned self] in open() }
        timer.schedule(after: delay)
        state = .delayed(timer)
    }
}
