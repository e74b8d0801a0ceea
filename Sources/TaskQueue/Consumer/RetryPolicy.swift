/// When a task that failed is run again: exponential back-off with full jitter.
public struct RetryPolicy: Sendable, Equatable {
    /// Longest wait before the second attempt.
    public var firstDelay: Duration
    /// Longest wait of all.
    public var delayCap: Duration
    /// How often a task is run at most, crashes of workers included; at least 1.
    public var attemptLimit: Int

    init(
        firstDelay: Duration = .milliseconds(100),
        delayCap: Duration = .seconds(60),
        attemptLimit: Int = 3
    ) {
        precondition(firstDelay > .zero && delayCap >= firstDelay && attemptLimit >= 1)
        self.firstDelay = firstDelay
        self.delayCap = delayCap
        self.attemptLimit = attemptLimit
    }

    /// Longest wait for surroundings that are away: so long a task may still wait after they are back.
    static let surroundingsDelayCap = Duration.seconds(5)

    /// The wait of a task that cannot be run because of its surroundings: about as long as it has waited already, so
    /// that the waits double, at least the half of ``firstDelay`` and at most ``surroundingsDelayCap``.
    func delay(atAge age: Duration, using generator: inout some RandomNumberGenerator) -> Duration {
        let ceiling = min(max(age, firstDelay), delayCap, Self.surroundingsDelayCap)
        return ceiling * Double.random(in: 0.5...1, using: &generator)
    }

    /// The wait after attempt number `attempt` has failed: uniform in `0...min(cap, first · 2^(attempt-1))`.
    func delay(afterAttempt attempt: Int, using generator: inout some RandomNumberGenerator) -> Duration {
        precondition(attempt >= 1)
        var ceiling = firstDelay
        for _ in 1..<attempt where ceiling < delayCap { ceiling *= 2 }
        return min(ceiling, delayCap) * Double.random(in: 0...1, using: &generator)
    }
}
