import Reactor

/// How long to wait before a program that ended is started again.
///
/// Exponential with full jitter, so that programs that died of one cause do not come back in step. A run that lasted
/// counts as a recovery and starts the back-off anew.
struct RestartPolicy: Sendable {
    /// A run of at least this length was a success.
    let stableAfter: Duration
    private var backoff: Backoff

    /// Creates a policy with no failure behind it.
    ///
    /// - Parameters:
    ///   - first: The longest first wait.
    ///   - cap: The longest wait of all.
    ///   - stableAfter: A run of at least this length was a success.
    init(
        first: Duration = .milliseconds(100),
        cap: Duration = .seconds(5),
        stableAfter: Duration = .seconds(10)
    ) {
        backoff = Backoff(first: first, cap: cap)
        self.stableAfter = stableAfter
    }

    /// Records that the program ended, and returns how long to wait before the next start.
    ///
    /// - Parameters:
    ///   - ranFor: From start to end of the run.
    ///   - generator: Where the jitter comes from.
    mutating func programEnded(
        ranFor: Duration,
        using generator: inout some RandomNumberGenerator
    ) -> Duration {
        if ranFor >= stableAfter { backoff.reset() }
        return backoff.next(using: &generator)
    }
}
