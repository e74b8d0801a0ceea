internal import Basics
internal import Reactor
internal import RedisStreams

/// A task that a worker holds: it was delivered, and its end has not been written to Redis.
struct HeldTask: Sendable {
    let entry: StreamPosition
    /// How often the entry was delivered to a worker, this time included.
    let deliveries: Int
    let envelope: TaskEnvelope
    /// When it was submitted, by the loop's clock.
    let submittedAt: Instant

    /// Which run of the task this is. The envelope counts the runs that ended in a failure, the stream those that ended
    /// with their worker.
    var attempt: Int { envelope.attempt + max(0, deliveries - 1) }

    /// Whether it was lost with its worker so often that it is not run again: if it kills them, no handler of ours ever
    /// gets to count that.
    func isSpent(limit: Int) -> Bool { deliveries > 1 && attempt > limit }

    /// When nobody wants the result any more, by the loop's clock.
    var deadline: Instant? { envelope.timeLimitMilliseconds.map { submittedAt + .milliseconds($0) } }

    /// What becomes of the task after its handler has returned `result`.
    ///
    /// A retryable failure is retried only while nobody waits: a waiting caller is better off with a quick "try again",
    /// because retrying at one layer only keeps attempts from multiplying.
    ///
    /// What the surroundings caused costs no attempt. Such a task waits until its own limit of time, or for as long as
    /// its state would be kept.
    func disposition(
        for result: TaskResult,
        retry: RetryPolicy,
        now: Instant,
        using generator: inout some RandomNumberGenerator
    ) -> FinishScript.Disposition {
        switch result {
        case .success(let value):
            return .ended(envelope, .success(value))
        case .failure(let failure) where envelope.replyKey != nil && !envelope.isTracked:
            return .ended(envelope, .failure(failure))
        case .failure(let failure) where failure.isOfSurroundings:
            let age = now - submittedAt
            let delay = retry.delay(atAge: age, using: &generator)
            let limit = deadline ?? submittedAt + TaskQueueConfiguration.unfinishedTimeToLive
            guard now + delay < limit else { return .dead(envelope, failure, attempts: attempt) }
            return .retry(next(attempt: attempt, age: age + delay), after: delay)
        case .failure(let failure) where failure.isRetryable && attempt < retry.attemptLimit:
            let delay = retry.delay(afterAttempt: attempt, using: &generator)
            return .retry(next(attempt: attempt + 1, age: now - submittedAt + delay), after: delay)
        case .failure(let failure):
            return .dead(envelope, failure, attempts: attempt)
        }
    }

    private func next(attempt: Int, age: Duration) -> TaskEnvelope {
        var next = envelope
        next.attempt = attempt
        next.ageMilliseconds = max(0, age.wholeMilliseconds)
        return next
    }
}
