internal import Reactor

/// Keeps requests away from an upstream that does not answer, and finds out when it does again.
///
///     closed ──failures in a row──▶ open ──time is up, next request──▶ half-open ──it succeeds──▶ closed
///                                    ▲                                    │
///                                    └────────── it fails, longer ────────┘
///
/// No request waits for a dead upstream while the circuit is open, and in the half-open state only one does: the
/// probe, which is a real request. A success closes the circuit in any state: an answer proves that the upstream lives.
struct CircuitBreaker {
    /// What becomes of a request.
    enum Admission: Equatable {
        case admit
        /// It goes out, and its outcome decides for all; to be reported with `wasProbe: true`.
        case probe
        /// It fails at once; another one may be let through after this time.
        case refuse(retryAfter: Duration)
    }

    private enum State {
        case closed(failuresInARow: Int)
        case open(until: Instant)
        case halfOpen
    }

    private let configuration: CircuitBreakerConfiguration
    private var state = State.closed(failuresInARow: 0)
    /// How long the circuit opens next time, before jitter.
    private var nextOpening: Duration

    init(_ configuration: CircuitBreakerConfiguration) {
        self.configuration = configuration
        nextOpening = configuration.firstOpening
    }

    /// Whether requests are let through without a question.
    var isClosed: Bool {
        if case .closed = state { true } else { false }
    }

    /// Whether a success changes nothing: what nearly every request finds.
    var isUntroubled: Bool {
        if case .closed(failuresInARow: 0) = state { true } else { false }
    }

    /// The state for metrics and for `/ready`.
    func circuit(now: Instant) -> CircuitState {
        switch state {
        case .closed: .closed
        case .open(let until): now < until ? .open : .halfOpen
        case .halfOpen: .halfOpen
        }
    }

    mutating func requestArrived(now: Instant) -> Admission {
        switch state {
        case .closed:
            return .admit
        case .open(let until) where now < until:
            return .refuse(retryAfter: until - now)
        case .open:
            state = .halfOpen
            return .probe
        case .halfOpen:
            return .refuse(retryAfter: configuration.firstOpening)
        }
    }

    /// A response came, whatever it says.
    mutating func requestSucceeded() {
        state = .closed(failuresInARow: 0)
        nextOpening = configuration.firstOpening
    }

    /// No response came in time.
    mutating func requestFailed(wasProbe: Bool, now: Instant, using generator: inout some RandomNumberGenerator) {
        switch state {
        case .closed(let failures) where failures + 1 < configuration.failures:
            state = .closed(failuresInARow: failures + 1)
        case .closed:
            open(now, &generator)
        case .halfOpen where wasProbe:
            open(now, &generator)
        case .halfOpen, .open:
            break  // It was sent before the circuit opened, so it tells nothing new.
        }
    }

    /// No connection could be made for as long as a request may wait for one: many failures in one.
    mutating func upstreamBecameUnreachable(now: Instant, using generator: inout some RandomNumberGenerator) {
        if case .open = state { return }
        open(now, &generator)
    }

    /// The probe ended without telling anything: its client went away. The next request is the probe.
    mutating func probeAbandoned(now: Instant) {
        guard case .halfOpen = state else { return }
        state = .open(until: now)
    }

    private mutating func open(_ now: Instant, _ generator: inout some RandomNumberGenerator) {
        // Half of it is certain: full jitter could draw nothing, and the dead upstream would be asked again at once.
        state = .open(until: now + nextOpening * Double.random(in: 0.5...1, using: &generator))
        nextOpening = min(nextOpening * 2, configuration.longestOpening)
    }
}
