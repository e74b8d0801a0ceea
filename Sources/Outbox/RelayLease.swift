internal import Reactor

/// The lease under which a relay works: one *generation* after the other, each under a name of its own. Pure.
///
/// Its time is counted from before it was asked for, and a part of it is kept in reserve, so that it ends here earlier
/// than in the database. One that has ended is never renewed.
struct RelayLease {
    private enum State {
        case none
        case entering(since: Instant)
        case held(until: Instant, askedAt: Instant?)
    }

    private let limits: RelayMachine.Limits
    private var state = State.none
    private var nextEnter = Instant.origin
    private var nextRenewal = Instant.distantFuture
    private var backoff: Backoff

    /// The one that is held, or was last begun.
    private(set) var generation = 0
    /// How often one ended before it was renewed, or had to be given up.
    private(set) var lostCount = 0

    init(_ limits: RelayMachine.Limits) {
        self.limits = limits
        backoff = Backoff(first: limits.databaseBackoffFirst, cap: limits.databaseBackoffCap)
    }

    var isHeld: Bool { if case .held = state { true } else { false } }

    /// Until when the lease of a generation is held; nil when it is not.
    func end(of generation: Int) -> Instant? {
        guard generation == self.generation, case .held(let until, _) = state else { return nil }
        return until
    }

    /// It has begun, or not. Returns whether it is held from now on.
    mutating func entered(
        _ generation: Int,
        succeeded: Bool,
        now: Instant,
        using random: inout some RandomNumberGenerator
    ) -> Bool {
        guard generation == self.generation, case .entering(let since) = state else { return false }
        if succeeded {
            backoff.reset()
            hold(since: since)
        } else {
            state = .none
            nextEnter = now + backoff.next(using: &random)
        }
        return succeeded
    }

    mutating func renewed(_ generation: Int, _ renewal: RelayMachine.Renewal, now: Instant) {
        guard generation == self.generation, case .held(let until, let askedAt?) = state else { return }
        switch renewal {
        case .held: hold(since: askedAt)
        case .unknown:
            state = .held(until: until, askedAt: nil)
            nextRenewal = now + limits.lease / 20
        case .ended: lose(now)
        }
    }

    private mutating func hold(since start: Instant) {
        state = .held(until: start + limits.lease - limits.leaseReserve, askedAt: nil)
        nextRenewal = start + limits.lease / 3
    }

    /// Gives a generation up, if it is held.
    mutating func giveUp(_ generation: Int, _ now: Instant) {
        if generation == self.generation, isHeld { lose(now) }
    }

    private mutating func lose(_ now: Instant) {
        lostCount += 1
        state = .none
        nextEnter = now
        nextRenewal = .distantFuture
    }

    /// What is to be done for it now.
    mutating func next(_ now: Instant, isDraining: Bool) -> RelayMachine.Action? {
        if case .held(let until, _) = state, now >= until { lose(now) }
        switch state {
        case .none where !isDraining && now >= nextEnter:
            generation += 1
            state = .entering(since: now)
            return .enter(generation)
        case .held(let until, nil) where now >= nextRenewal:
            state = .held(until: until, askedAt: now)
            return .renew(generation)
        case .none, .entering, .held: return nil
        }
    }

    /// Ends it. Returns what is to be done for that.
    mutating func leave() -> RelayMachine.Action? {
        defer { state = .none }
        return isHeld ? .leave(generation) : nil
    }

    /// When ``next(_:isDraining:)`` has something to do.
    func nextDeadline(isDraining: Bool) -> Instant {
        switch state {
        case .none: isDraining ? .distantFuture : nextEnter
        case .entering: .distantFuture
        case .held(let until, let askedAt): askedAt == nil ? min(until, nextRenewal) : until
        }
    }
}
