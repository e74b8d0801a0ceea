/// Why a connection could not be made.
public protocol LinkFailure: Error {
    /// Whether the server itself turns us away for a reason that time alone does not heal, such as a wrong password.
    var isLasting: Bool { get }
}

/// A place for one connection, which it makes, and makes anew whenever it is lost, for as long as it is not closed.
///
///     idle ──open──▶ connecting ──▶ open ──lost──▶ connecting, or delayed
///                       │  ▲
///                    failed │ delay over
///                       ▼  │
///                      delayed               any ──close──▶ closed
@ReactorActor
public final class Link<Connection: AnyObject, Failure: LinkFailure> {
    /// Begins an attempt. What it returns is kept until the attempt has ended; dropping it gives the attempt up.
    public typealias Attempt =
        @ReactorActor (_ then: @escaping @ReactorActor (Result<Connection, Failure>) -> Void) -> AnyObject

    private enum State {
        case idle
        case connecting(AnyObject?)
        case delayed
        case open(Connection)
        case closed
    }

    /// Called with each new connection, before anything is sent on it.
    public var onOpen: (Connection) -> Void = { _ in }
    /// Called when an attempt to connect failed; the next one is scheduled already.
    public var onFailure: (Failure) -> Void = { _ in }
    private let attempt: Attempt
    private var state = State.idle
    private var backoff: Backoff
    /// For as long as the server itself turns us away.
    private var refusalBackoff: Backoff
    private lazy var timer = Timer { [unowned self] in connect() }

    /// Failures since a connection was good.
    public private(set) var failures = 0
    /// How many attempts were begun. Whatever began under another number is stale.
    public private(set) var generation = 0

    /// - Parameters:
    ///   - first: The longest first delay before another attempt, unless `cap` is shorter.
    ///   - cap: The longest delay of all, and `refusalCap` the same when the server turns us away.
    public init(first: Duration, cap: Duration, refusalCap: Duration, attempt: @escaping Attempt) {
        let first = min(first, cap)
        backoff = Backoff(first: first, cap: cap)
        refusalBackoff = Backoff(first: first, cap: max(cap, refusalCap))
        self.attempt = attempt
    }

    /// The connection while it is open.
    public var connection: Connection? {
        if case .open(let connection) = state { connection } else { nil }
    }

    /// Whether it is connecting, and has no reason yet to think that it will fail.
    public var isHopeful: Bool {
        if case .connecting = state { failures == 0 } else { false }
    }

    /// Begins to connect; the second call does nothing.
    public func open() {
        if case .idle = state { connect() }
    }

    /// Makes no more connections.
    ///
    /// - Returns: The one that was open, which is the caller's to close.
    public func close() -> Connection? {
        let last = connection
        state = .closed
        timer.cancel()
        return last
    }

    /// The connection is lost.
    ///
    /// - Parameter wasGood: Whether it was of use: then the next attempt is made at once. One that never was could be
    ///   lost again and again.
    public func lost(wasGood: Bool) {
        guard case .open = state else { return }
        if wasGood {
            failures = 0
            backoff.reset()
            refusalBackoff.reset()
            connect()
        } else {
            retry(after: backoff.next())
        }
    }

    private func connect() {
        generation += 1
        let number = generation
        state = .connecting(nil)
        let attempt = attempt { [weak self] result in self?.ended(number, result) }
        if number == generation, case .connecting = state { state = .connecting(attempt) }
    }

    private func ended(_ number: Int, _ result: Result<Connection, Failure>) {
        // An attempt that was given up may still end while it waits for a name server.
        guard number == generation, case .connecting = state else { return }
        switch result {
        case .success(let connection):
            state = .open(connection)
            onOpen(connection)
        case .failure(let failure):
            if !failure.isLasting { refusalBackoff.reset() }
            retry(after: failure.isLasting ? refusalBackoff.next() : backoff.next())
            onFailure(failure)
        }
    }

    private func retry(after delay: Duration) {
        failures += 1
        state = .delayed
        timer.schedule(after: delay)
    }
}
