public import HTTPWire
public import Reactor
public import Tracing

/// What names a request on every hop, in every log line and in a task's envelope.
public struct RequestIdentity: Hashable, Sendable {
    /// The client's own id if it brought one, otherwise a new one.
    public let requestID: RequestID
    /// W3C Trace Context: the client's trace with a span id of ours, or a new trace.
    public let trace: TraceContext
    /// The span of the caller, if it sent its trace.
    public let parentSpanID: UInt64?
    /// What the caller's `tracestate` says, to be passed on.
    public let traceState: String?

    /// Makes an identity from its parts.
    public init(requestID: RequestID, trace: TraceContext, parentSpanID: UInt64? = nil, traceState: String? = nil) {
        self.requestID = requestID
        self.trace = trace
        self.parentSpanID = parentSpanID
        self.traceState = traceState
    }
}

/// Gives requests their identity.
@ReactorActor
public struct RequestIdentifier {
    private let sampler: TraceSampler?
    private var random = RandomBits()

    /// Makes a source with a random state of its own.
    ///
    /// - Parameter sampler: Which of the traces that begin here are recorded; nil for none.
    public init(sampler: TraceSampler? = nil) { self.sampler = sampler }

    /// Takes over what the request brought, as far as it is well-formed, and makes the rest.
    public mutating func identify(_ fields: HTTPFields) -> RequestIdentity {
        let requestID = fields.valueBytes("x-request-id").flatMap { RequestID($0) } ?? makeRequestID()
        // Of two traces, nobody knows which is the caller's (W3C Trace Context §3.2).
        guard let parent = fields.onlyValueBytes("traceparent").flatMap({ TraceContext(parsing: $0.span) }) else {
            return RequestIdentity(requestID: requestID, trace: .root(sampledBy: sampler, using: &random))
        }
        return RequestIdentity(
            requestID: requestID,
            trace: parent.child(using: &random),
            parentSpanID: parent.spanID,
            traceState: TraceState.joining(fields.values("tracestate"))
        )
    }

    /// A request id that nobody else has.
    public mutating func makeRequestID() -> RequestID { RequestID(high: random.next(), low: random.next()) }
}
