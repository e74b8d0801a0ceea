/// Waiting times for retries: exponential, with full jitter.
///
/// The n-th delay is uniform in `0...min(cap, first · 2ⁿ)`, which spreads clients that failed together.
///
/// - SeeAlso: "Exponential Backoff And Jitter", AWS Architecture Blog.
public struct Backoff: Sendable {
    private let first: Duration
    private let cap: Duration
    private var ceiling: Duration

    /// - Parameters:
    ///   - first: The longest first delay; positive.
    ///   - cap: The longest delay of all; not shorter than `first`.
    public init(first: Duration, cap: Duration) {
        precondition(first > .zero)
        precondition(cap >= first)
        self.first = first
        self.cap = cap
        ceiling = first
    }

    /// The next delay.
    public mutating func next() -> Duration {
        var generator = SystemRandomNumberGenerator()
        return next(using: &generator)
    }

    /// The next delay, drawn from `generator`.
    public mutating func next(using generator: inout some RandomNumberGenerator) -> Duration {
        let fraction = Double.random(in: 0...1, using: &generator)
        let delay = ceiling * fraction
        ceiling = min(cap, ceiling * 2)
        return delay
    }

    /// Starts again at the first delay; to be called after a success.
    public mutating func reset() { ceiling = first }
}
