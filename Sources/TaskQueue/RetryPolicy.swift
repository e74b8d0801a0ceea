/// When a task that failed is run again: exponential back-off with full jitter.
public struct RetryPolicy: Sendable, Equatable {
    /// Longest wait before the second attempt.
    public var firstDelay: Duration
    /// Longest wait of all.
    public var delayCap: Duration
    /// How often a task is run at most, crashes of workers included; at least 1.
    public var attemptLimit: Int

    /// Describes a policy.
    public init(
        firstDelay: Duration = .milliseconds(200),
        delayCap: Duration = .seconds(60),
        attemptLimit: Int = 5
    ) {
        precondition(firstDelay > .zero && delayCap >= firstDelay && attemptLimit >= 1)
        self.firstDelay = firstDelay
        self.delayCap = delayCap
        self.attemptLimit = attemptLimit
    }

    /// The wait after attempt number `attempt` has failed: uniform in `0...min(cap, first · 2^(attempt-1))`.
    func delay(afterAttempt attempt: Int, using generator: inout some RandomNumberGenerator) -> Duration {
        precondition(attempt >= 1)
        var ceiling = firstDelay
        for _ in 1..<attempt where ceiling < delayCap { ceiling *= 2 }
        return min(ceiling, delayCap) * Double.random(in: 0...1, using: &generator)
    }
}
