/// Why a submission has no outcome.
public enum TaskQueueError: Error, Equatable, Sendable {
    /// The queue, or this process, has as much to do as it is allowed to; the task was not accepted.
    case overloaded
    /// Redis cannot be reached; with `true` the task may have been accepted and may run.
    case unavailable(mayHaveRun: Bool)
    /// No result came before the deadline. The task may have run, or may still; once the deadline has passed, workers
    /// that meet it drop it.
    case deadlineExceeded
    /// The task is longer than an envelope may be; it was not accepted.
    case tooLarge

    /// Whether the task may run, or have run, although there is no outcome.
    var mayHaveRun: Bool {
        switch self {
        case .overloaded, .tooLarge: false
        case .unavailable(let mayHaveRun): mayHaveRun
        case .deadlineExceeded: true
        }
    }
}

extension TaskQueueError: CustomStringConvertible {
    /// Safe for a log line and for a metric label: bounded, and free of payload.
    public var description: String {
        switch self {
        case .overloaded: "queue is full"
        case .unavailable: "queue is unavailable"
        case .deadlineExceeded: "no result before the deadline"
        case .tooLarge: "task is too large"
        }
    }
}
