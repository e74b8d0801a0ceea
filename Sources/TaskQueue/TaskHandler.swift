public import JSONWire
public import Reactor
public import Tracing

/// A task as its handler sees it.
public struct TaskContext: Sendable {
    private let envelope: TaskEnvelope
    /// Which run of the task this is, counted from 1; crashed runs are counted.
    public let attempt: Int
    /// The span of this run, if the trace is recorded; ended by the queue.
    public let span: TraceSpan?

    /// When nobody wants the result any more, by the loop's clock; nil for a task that is never too late.
    public let deadline: Instant?

    init(_ envelope: TaskEnvelope, attempt: Int, deadline: Instant?, span: TraceSpan? = nil) {
        self.envelope = envelope
        self.deadline = deadline
        self.attempt = attempt
        self.span = span
    }

    /// The task's name for its whole life; a handler that must act once uses it to recognize a repetition.
    public var id: TaskID { envelope.id }
    /// The name under which the handler is registered.
    public var name: String { envelope.name }
    /// What the submitter passed; parsed each time it is asked for.
    public var arguments: JSONValue { envelope.arguments }
    /// What the submitter passed, as JSON.
    public var encodedArguments: String { envelope.encodedArguments }
    /// When it was submitted, as time since 1970-01-01T00:00:00Z, by the submitter's clock.
    public var createdAt: Duration { .milliseconds(envelope.createdAtMilliseconds) }
    /// The id of the request that caused it, for logs.
    public var requestID: String? { envelope.requestID }
    /// The W3C trace context of the request that caused it.
    public var traceparent: String? { envelope.traceparent }
}

/// What a handler makes of a task.
public typealias TaskResult = Result<[UInt8], TaskFailure>

/// Runs tasks of one name.
///
/// A task may run more than once: after a crash, after a lost connection, after a retryable failure. So what a handler
/// does must come to the same when it is done twice.
@ReactorActor
public protocol TaskHandler {
    /// Runs tasks that were waiting at the same time, so that one statement can serve them all.
    ///
    /// The Swift task is cancelled when every task of the batch is too late or has taken too long; results that are
    /// returned after that are dropped.
    ///
    /// - Returns: One result for each task, in the same order. A success is one complete JSON value, encoded.
    func run(_ batch: [TaskContext]) async -> [TaskResult]
}

/// A handler that is a function of one task; it is registered with batches of one.
struct SingleTaskHandler: TaskHandler {
    let body: @ReactorActor (TaskContext) async -> TaskResult

    func run(_ batch: [TaskContext]) async -> [TaskResult] {
        var results: [TaskResult] = []
        for context in batch { results.append(await body(context)) }
        return results
    }
}
