internal import JSONWire
internal import Redis

/// How a task ended.
public enum TaskOutcome: Sendable, Equatable {
    /// The handler's result: one complete JSON value, encoded.
    case success([UInt8])
    /// The handler, or the queue on its behalf, said why there is none.
    case failure(TaskFailure)
    /// Its deadline had passed when a worker met it; the handler did not run.
    case expired
}

/// Why a task has no result.
public struct TaskFailure: Error, Sendable, Equatable {
    /// What kind of failure it is, for those who do not know the handler's codes.
    public enum Kind: String, Sendable, CaseIterable {
        /// Something that the task needs is away: later, or elsewhere, it may succeed.
        case unavailable
        /// Something that the task needs has too much to do: later it may succeed.
        case overloaded
        /// It took too long.
        case timedOut = "timed_out"
        /// It cannot be done; the fault is ours.
        case internalError = "internal"
    }

    /// What kind of failure it is.
    public var kind: Kind
    /// A constant from the handler's own list, or one of ``TaskFailure/Code``; for programs.
    public var code: String
    /// One sentence for a person. It may reach clients: nothing internal belongs into it.
    public var message: String
    /// Whether running the task again may help.
    var isRetryable: Bool

    /// Describes a failure.
    public init(_ kind: Kind = .internalError, code: String, message: String, isRetryable: Bool) {
        self.kind = kind
        self.code = code
        self.message = message
        self.isRetryable = isRetryable
    }

    /// Whether the surroundings of the task caused it, and not the task: then it costs no attempt.
    public var isOfSurroundings: Bool {
        switch kind {
        case .unavailable, .overloaded: isRetryable
        case .timedOut, .internalError: false
        }
    }

    // MARK: The queue's own

    /// The worker has no handler of that name; another one, of a newer version, may.
    static let unknownTask = TaskFailure(
        code: "UNKNOWN_TASK",
        message: "No handler is registered for this task.",
        isRetryable: true
    )

    /// The handler did not answer within its time.
    static let timedOut = TaskFailure(
        .timedOut,
        code: "TASK_TIMED_OUT",
        message: "The task took too long.",
        isRetryable: true
    )

    /// Every worker that ran the task was lost with it.
    static let workerLost = TaskFailure(
        .unavailable,
        code: "WORKER_LOST",
        message: "Every worker that ran the task was lost.",
        isRetryable: false
    )

    /// The entry in the stream is not an envelope.
    static let malformedEnvelope = TaskFailure(
        code: "MALFORMED_ENVELOPE",
        message: "The task cannot be read.",
        isRetryable: false
    )
}

// MARK: - The form in messages to submitters and in task states

extension TaskOutcome {
    /// One letter that says what follows, then JSON; so that a result passes through without being parsed.
    enum Tag {
        static let success = UInt8(ascii: "+")
        static let failure = UInt8(ascii: "-")
        static let expired = UInt8(ascii: "!")
    }

    /// The outcome in the form in which it travels.
    var encoded: [UInt8] {
        switch self {
        case .success(let result): return [Tag.success] + result
        case .failure(let failure): return [Tag.failure] + failure.encoded
        case .expired: return [Tag.expired]
        }
    }

    /// Reads the form in which an outcome travels; nil when it is damaged.
    init?(encoded: Span<UInt8>) {
        guard !encoded.isEmpty else { return nil }
        let rest = encoded.extracting(1...)
        switch encoded[0] {
        case Tag.success: self = .success([UInt8](copying: rest))
        case Tag.failure:
            guard let failure = TaskFailure(encoded: rest) else { return nil }
            self = .failure(failure)
        case Tag.expired: self = .expired
        default: return nil
        }
    }
}

extension TaskFailure {
    /// The failure as a JSON object.
    var encoded: [UInt8] {
        var writer = JSONWriter(capacity: 64 + code.utf8.count + message.utf8.count)
        writer.object { writer in
            writer.member("kind", kind.rawValue)
            writer.member("code", code)
            writer.member("message", message)
            writer.member("retryable", isRetryable)
        }
        return writer.take()
    }

    init?(encoded: Span<UInt8>) {
        guard let value = try? JSONValue(parsing: encoded, limits: JSONLimits(bytes: 64 * 1024)),
            let code = value["code"]?.string, let message = value["message"]?.string,
            let isRetryable = value["retryable"]?.bool
        else { return nil }
        // Workers of an older version do not say it.
        let kind = value["kind"]?.string.flatMap { Kind(rawValue: $0) }
        self.init(kind ?? .internalError, code: code, message: message, isRetryable: isRetryable)
    }
}
