public import JSONWire
public import Reactor
public import Tracing

/// One run of a task, as its handler sees it and finishes it.
@ReactorActor
public final class TaskContext {
    private enum State {
        case running
        /// It took too long and was ended as such, but its handler has not finished it.
        case overdue
        /// It has an end, or nobody wants one.
        case finished
    }

    let task: HeldTask
    /// The span of this run, if the trace is recorded; ended by the queue.
    public let span: TraceSpan?
    /// When the run takes too long, by the loop's clock. What comes later is dropped.
    public let limit: Instant
    private let startedAt = Reactor.now
    private var state = State.running
    private let onFinished: (TaskContext, _ result: TaskResult?, _ runTime: Duration) -> Void
    /// What is cancelled when it takes too long.
    var work: Task<Void, Never>?

    /// - Parameter onFinished: Called once, when the handler has finished; without a result when that was too late.
    init(
        _ task: HeldTask,
        span: TraceSpan? = nil,
        limit: Instant,
        onFinished: @escaping (TaskContext, TaskResult?, Duration) -> Void
    ) {
        self.task = task
        self.span = span
        self.limit = limit
        self.onFinished = onFinished
    }

    /// Says what came of it; exactly once. A success is one complete JSON value, encoded.
    public func finish(_ result: TaskResult) {
        let wasOverdue = state == .overdue
        guard state != .finished else { return }
        state = .finished
        onFinished(self, wasOverdue ? nil : result, Reactor.now - startedAt)
    }

    /// It has taken too long; false when that is known, or is not so.
    func expire(_ now: Instant) -> Bool {
        guard state == .running, limit <= now else { return false }
        state = .overdue
        work?.cancel()
        return true
    }

    /// Nobody wants to know any more.
    func abandon() {
        if state == .running { span?.endAbandoned() }
        state = .finished
        work?.cancel()
    }

    /// Which run of the task this is, counted from 1; crashed runs are counted.
    public var attempt: Int { task.attempt }
    /// When nobody wants the result any more, by the loop's clock; nil for a task that is never too late.
    public var deadline: Instant? { task.deadline }
    /// The task's name for its whole life; a handler that must act once uses it to recognize a repetition.
    public var id: TaskID { task.envelope.id }
    /// The name under which the handler is registered.
    public var name: String { task.envelope.name }
    /// What the submitter passed; parsed each time it is asked for.
    public var arguments: JSONValue { task.envelope.arguments }
    /// What the submitter passed, as JSON.
    public var encodedArguments: String { task.envelope.encodedArguments }
    /// When it was submitted, as time since 1970-01-01T00:00:00Z, by the submitter's clock.
    var createdAt: Duration { .milliseconds(task.envelope.createdAtMilliseconds) }
    /// The id of the request that caused it, for logs.
    public var requestID: String? { task.envelope.requestID }
    /// The W3C trace context of the request that caused it.
    public var traceparent: String? { task.envelope.traceparent }
}

/// What a handler makes of a task.
public typealias TaskResult = Result<[UInt8], TaskFailure>

/// Runs tasks of one name.
///
/// A task may run more than once: after a crash, after a lost connection, after a retryable failure. So what a handler
/// does must come to the same when it is done twice.
@ReactorActor
public protocol TaskHandler {
    /// Starts tasks that were waiting at the same time, so that one statement can serve several of them.
    ///
    /// Each is finished by itself, now or later, with ``TaskContext/finish(_:)``: none waits for another.
    func start(_ batch: [TaskContext])
}

/// A handler that is a function of one task. It is cancelled when it takes too long.
struct SingleTaskHandler: TaskHandler {
    let body: @ReactorActor (TaskContext) async -> TaskResult

    func start(_ batch: [TaskContext]) {
        for context in batch {
            context.work = Reactor.spawn { [body] in context.finish(await body(context)) }
        }
    }
}
