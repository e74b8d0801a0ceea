internal import Redis

/// What is known of a tracked task.
public struct TaskStatus: Sendable, Equatable {
    /// How far a task is.
    public enum State: Sendable, Equatable {
        /// It waits for a worker, for the first time or before a retry.
        case queued
        /// A worker has it.
        case running
        /// It has a result: one complete JSON value, encoded.
        case succeeded([UInt8])
        /// It failed for good.
        case failed(TaskFailure)
        /// Its deadline passed before a worker met it.
        case expired
    }

    /// As its submitter was told it; the same in each retry.
    public let id: TaskID
    /// The name of its handler.
    public let name: String
    /// When it was submitted, as time since 1970-01-01T00:00:00Z.
    public let createdAt: Duration
    /// How far it is.
    public let state: State

    /// Reads the fields of a task's key; nil when they are not such.
    init?(id: TaskID, fields: [String: RedisReply]) {
        guard let status = fields["status"]?.text, let name = fields["name"]?.text,
            let createdAt = fields["created_at"]?.integer
        else { return nil }
        self.id = id
        self.name = name
        self.createdAt = .milliseconds(createdAt)
        let outcome = fields["outcome"]?.bytes.flatMap { TaskOutcome(encoded: $0.span) }
        switch (status, outcome) {
        case ("queued", _): state = .queued
        case ("running", _): state = .running
        case (_, .success(let result)?): state = .succeeded(result)
        case (_, .failure(let failure)?): state = .failed(failure)
        case (_, .expired?): state = .expired
        case (_, nil): return nil
        }
    }
}
