internal import Reactor
internal import Tracing

/// A task that a worker holds: it was delivered, and its end has not been written to Redis.
struct HeldTask: Sendable {
    let entry: StreamEntryID
    /// How often the entry was delivered to a worker, this time included.
    let deliveries: Int
    let envelope: TaskEnvelope

    /// Which run of the task this is. The envelope counts the runs that ended in a failure, the stream those that ended
    /// with their worker.
    var attempt: Int { envelope.attempt + max(0, deliveries - 1) }

    /// What its handler gets to see.
    ///
    /// - Parameter span: Of this run.
    func context(_ span: TraceSpan?) -> TaskContext { TaskContext(envelope, attempt: attempt, span: span) }

    /// What becomes of the task after its handler has returned `result`.
    ///
    /// A retryable failure is retried only while nobody waits: a waiting caller is better off with a quick "try again",
    /// because retrying at one layer only keeps attempts from multiplying.
    func disposition(
        for result: TaskResult,
        retry: RetryPolicy,
        using generator: inout some RandomNumberGenerator
    ) -> FinishScript.Disposition {
        switch result {
        case .success(let value):
            return .ended(envelope, .success(value))
        case .failure(let failure) where envelope.replyKey != nil && !envelope.isTracked:
            return .ended(envelope, .failure(failure))
        case .failure(let failure) where failure.isRetryable && attempt < retry.attemptLimit:
            var next = envelope
            next.attempt = attempt + 1
            return .retry(next, after: retry.delay(afterAttempt: attempt, using: &generator))
        case .failure(let failure):
            return .dead(envelope, failure, attempts: attempt)
        }
    }
}
