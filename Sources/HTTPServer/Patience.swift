internal import Reactor

/// What a connection waits for, since when, and until when. Pure: it asks no clock.
struct Patience {
    /// What is waited for, and so which timeout applies.
    enum Wait {
        /// The first byte of a request.
        case request
        /// The rest of a head.
        case head
        /// More of a body.
        case body
        /// The handler.
        case answer
        /// The handler, for a client that has finished sending and may be gone.
        case lastAnswer
        /// Nothing: whoever passes another protocol on judges its silence.
        case tunnel
        /// The client, which must read what was sent.
        case write
        /// The client's close.
        case linger
    }

    private let configuration: HTTPServerConfiguration
    private(set) var wait = Wait.request
    private(set) var since: Instant
    /// Whether not even the first byte of a request has come.
    private var isFresh = true
    /// Whether no more connections are taken, so that idle ones have less time.
    private(set) var isDraining: Bool
    /// How fast the body comes that is received.
    private var bodyPace = Pace()
    /// How fast output goes that the socket had no room for.
    private var outputPace = Pace()

    init(_ configuration: HTTPServerConfiguration, isDraining: Bool = false, now: Instant) {
        self.configuration = configuration
        self.isDraining = isDraining
        since = now
    }

    // MARK: What happens

    /// Waits for `wait` from now on, unless it is waited for already.
    ///
    /// - Returns: Whether its end may come before ``alarm(now:)`` as it was.
    @discardableResult
    mutating func turn(to wait: Wait, now: Instant) -> Bool {
        guard wait != self.wait else { return false }
        moved(0, now: now)
        self.wait = wait
        isFresh = false
        return wait == .linger || wait == .lastAnswer
    }

    /// Gives what is waited for its whole time again.
    mutating func startAnew(now: Instant) { since = now }

    /// A body begins to come.
    mutating func bodyBegan() { bodyPace = Pace() }

    /// A piece of the body came.
    mutating func received(_ bytes: Int, now: Instant) {
        if wait == .body { moved(bytes, now: now) }
    }

    /// The client took some of the output.
    ///
    /// - Parameter isAll: Whether it has taken all of it.
    mutating func sent(_ bytes: Int, isAll: Bool, now: Instant) {
        switch wait {
        // A long stream is an answer that goes on.
        case .write, .answer, .lastAnswer, .tunnel: if bytes > 0 { moved(bytes, now: now) }
        case .request, .head, .body, .linger: break
        }
        if isAll { outputPace = Pace() }
    }

    /// The server takes no more connections: who is idle has less time from now on.
    mutating func drainBegan(now: Instant) {
        isDraining = true
        if wait == .request { since = now }
    }

    private mutating func moved(_ bytes: Int, now: Instant) {
        switch wait {
        case .body: bodyPace.moved(bytes, after: now - since)
        case .write: outputPace.moved(bytes, after: now - since)
        case .request, .head, .answer, .lastAnswer, .tunnel, .linger: break
        }
        since = now
    }

    // MARK: Until when

    /// When what is waited for is late.
    var deadline: Instant {
        let slowest = configuration.slowestBytesPerSecond
        return switch wait {
        case .request where isDraining: since + configuration.drainIdleTimeout
        case .request: since + (isFresh ? configuration.headTimeout : configuration.keepAliveTimeout)
        case .head: since + configuration.headTimeout
        case .body: since + bodyPace.patience(configuration.bodyTimeout, slowest)
        case .answer: since + configuration.answerTimeout
        case .lastAnswer: since + configuration.halfClosedTimeout
        case .tunnel: .distantFuture
        case .write: since + outputPace.patience(configuration.writeTimeout, slowest)
        case .linger: since + configuration.lingerTimeout
        }
    }

    /// When to look at the deadline, which then may be another: a deadline that is set later is at least the shortest
    /// timeout away from then, so that a timer armed no further ahead than that never misses one. No request touches
    /// the timer.
    func alarm(now: Instant) -> Instant {
        let shortest = configuration.shortestTimeout
        return min(deadline, now + (isDraining ? min(shortest, configuration.drainIdleTimeout) : shortest))
    }

    /// Whether bytes of the client are waited for, which may have come in time and be unread because the loop was late.
    var isForInput: Bool {
        switch wait {
        case .request, .head, .body: true
        case .answer, .lastAnswer, .tunnel, .write, .linger: false
        }
    }
}
