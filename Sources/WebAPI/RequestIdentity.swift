public import HTTPWire
public import Reactor
public import Tracing

/// What names a request on every hop, in every log line and in a task's envelope.
public struct RequestIdentity: Hashable, Sendable {
    /// `X-Request-Id`: the client's own if it is 1–128 visible ASCII characters, otherwise 32 hexadecimal digits.
    public let requestID: String
    /// W3C Trace Context: the client's trace with a span id of ours, or a new trace.
    public let trace: TraceContext
    /// The span of the caller, if it sent its trace.
    public let parentSpanID: UInt64?
    /// What the caller's `tracestate` says, to be passed on.
    public let traceState: String?

    /// Makes an identity from its parts.
    public init(requestID: String, trace: TraceContext, parentSpanID: UInt64? = nil, traceState: String? = nil) {
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
        let requestID = fields["x-request-id"].flatMap { Self.isAcceptable($0) ? $0 : nil } ?? makeRequestID()
        guard let parent = fields["traceparent"].flatMap({ TraceContext(parsing: $0) }) else {
            return RequestIdentity(requestID: requestID, trace: .root(sampledBy: sampler, using: &random))
        }
        return RequestIdentity(
            requestID: requestID,
            trace: parent.child(using: &random),
            parentSpanID: parent.spanID,
            traceState: TraceState.joining(fields.values("tracestate"))
        )
    }

    private static func isAcceptable(_ id: String) -> Bool {
        (1...128).contains(id.utf8.count) && id.utf8.allSatisfy { (0x21...0x7e).contains($0) }
    }

    /// A request id that nobody else has.
    public mutating func makeRequestID() -> String {
        var digits: [UInt8] = []
        digits.reserveCapacity(32)
        Hexadecimal.append(random.next(), digits: 16, to: &digits)
        Hexadecimal.append(random.next(), digits: 16, to: &digits)
        return String(decoding: digits, as: UTF8.self)
    }
}
