internal import Reactor

/// Stops attempts while a destination is dead, finds out when it lives again, and lets them grow from there.
///
/// - SeeAlso: ``RelayMachine/Limits`` for the figures.
struct DestinationBreaker {
    enum State: Equatable {
        case closed
        /// Nothing is sent; from the instant on one message is.
        case open(until: Instant)
        /// The outcome of one message decides.
        case probing
    }

    private(set) var state = State.closed
    /// How many may be in flight now. Doubles with each round of successes, so that a destination that has just come
    /// back is not met by everything at once.
    private(set) var window: Int
    private let limits: RelayMachine.Limits
    private var failuresInARow = 0
    private var opening: Duration

    init(_ limits: RelayMachine.Limits) {
        self.limits = limits
        window = limits.inFlightMax
        opening = limits.openingFirst
    }

    /// How many more may be begun while `busy` are.
    func room(busy: Int, now: Instant) -> Int {
        switch state {
        case .closed: max(0, window - busy)
        case .open(let until): now >= until && busy == 0 ? 1 : 0
        case .probing: 0
        }
    }

    /// An attempt begins.
    mutating func began(now: Instant) {
        if case .open = state { state = .probing }
    }

    /// The destination answered.
    mutating func succeeded() {
        failuresInARow = 0
        switch state {
        case .closed: window = min(limits.inFlightMax, window + 1)
        case .open, .probing:
            state = .closed
            opening = limits.openingFirst
            window = min(limits.inFlightMax, limits.windowAfterOutage)
        }
    }

    /// The destination did not answer, or said that it cannot.
    mutating func failed(now: Instant, using random: inout some RandomNumberGenerator) {
        failuresInARow += 1
        switch state {
        case .closed where failuresInARow >= limits.failuresMax: open(now, &random)
        case .probing: open(now, &random)
        case .closed, .open: break
        }
    }

    /// An attempt was not made after all: the next one finds out.
    mutating func abandoned(now: Instant) {
        if case .probing = state { state = .open(until: now) }
    }

    private mutating func open(_ now: Instant, _ random: inout some RandomNumberGenerator) {
        // Half of it is certain, so that a dead destination is never asked again at once.
        state = .open(until: now + opening * Double.random(in: 0.5...1, using: &random))
        opening = min(opening * 2, limits.openingCap)
    }

    /// When a message may be tried again; nil if it may now, or somebody is finding out.
    var opensAt: Instant? {
        if case .open(let until) = state { until } else { nil }
    }
}
