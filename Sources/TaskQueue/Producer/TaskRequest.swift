internal import Basics
public import JSONWire
public import Reactor
public import Tracing

/// What a submitter asks for.
public struct TaskRequest: Sendable {
    /// The name of the handler.
    public var name: String
    /// What the handler gets, as JSON.
    var encodedArguments: String
    /// When nobody wants the result any more; nil for a task that is never too late.
    public var deadline: Instant?
    /// The id of the request that causes the task, for logs.
    public var requestID: String?
    /// The W3C trace context of the request that causes the task.
    public var traceparent: String?
    /// The W3C trace state that goes with it.
    public var tracestate: String?
    /// The span of the request that causes the task, if its trace is recorded.
    public var span: TraceSpan?

    /// Asks for a task.
    public init(
        name: String,
        arguments: JSONValue,
        deadline: Instant? = nil,
        requestID: String? = nil,
        traceparent: String? = nil
    ) {
        self.init(
            name: name,
            encodedArguments: arguments.description,
            deadline: deadline,
            requestID: requestID,
            traceparent: traceparent
        )
    }

    /// Asks for a task whose arguments are encoded already: one complete JSON value without white space around it.
    public init(
        name: String,
        encodedArguments: String,
        deadline: Instant? = nil,
        requestID: String? = nil,
        traceparent: String? = nil
    ) {
        self.name = name
        self.encodedArguments = encodedArguments
        self.deadline = deadline
        self.requestID = requestID
        self.traceparent = traceparent
    }

    /// The envelope of this task.
    ///
    /// - Parameter unixTime: What the wall clock shows.
    @ReactorActor
    func envelope(
        id: TaskID,
        at unixTime: Duration,
        replyKey: String? = nil,
        isTracked: Bool = false
    ) -> TaskEnvelope {
        var envelope = TaskEnvelope(
            id: id,
            name: name,
            encodedArguments: encodedArguments,
            createdAtMilliseconds: unixTime.wholeMilliseconds
        )
        envelope.timeLimitMilliseconds = deadline.map { max(.zero, $0 - Reactor.now).wholeMilliseconds }
        envelope.replyKey = replyKey
        envelope.requestID = requestID
        envelope.traceparent = traceparent
        envelope.tracestate = tracestate
        envelope.isTracked = isTracked
        return envelope
    }
}
