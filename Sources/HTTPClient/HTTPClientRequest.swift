public import HTTPWire

/// A request, ready for the wire.
///
/// It holds its bytes and not its parts: whoever passes a request on appends head and body to one buffer, which is
/// written by one system call and kept, without a copy, until the response has begun, in case it must be sent again.
public struct HTTPClientRequest: Sendable {
    /// The method that ``bytes`` say; an answer to HEAD has no body.
    public var method: HTTPMethod
    /// Head and body, as ``HeadWriter`` writes them.
    public var bytes: [UInt8]
    /// Whether sending it twice has the effect of sending it once. Such a request is sent once more when its connection
    /// ends before any byte of the response.
    public var isIdempotent: Bool
    /// Whether ``bytes`` ask for another protocol. If the upstream agrees with a 101, the body of its response is what
    /// it says in that protocol, until the connection ends, and what is written to the exchange is what it is told.
    public var asksForUpgrade = false
    /// Whether it is sent though the circuit is open, because its sender has nobody else to ask.
    public var insists = false

    /// Takes bytes that were written by the caller, who vouches for their framing.
    ///
    /// - Parameter isIdempotent: As the method says if nil; true for a POST with an idempotency key.
    public init(_ method: HTTPMethod, bytes: [UInt8], isIdempotent: Bool? = nil) {
        precondition(!bytes.isEmpty, "a request has at least its first line")
        self.method = method
        self.bytes = bytes
        self.isIdempotent = isIdempotent ?? method.isIdempotent
    }

    /// Writes a request.
    ///
    /// - Parameters:
    ///   - target: In origin form, `/path?query`.
    ///   - authority: `host` or `host:port`.
    ///   - body: nil for none. An empty one is said to be empty, as POST wants it.
    public init(
        _ method: HTTPMethod,
        target: String,
        authority: String,
        fields: HTTPFields = HTTPFields(),
        body: [UInt8]? = nil,
        isIdempotent: Bool? = nil
    ) {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(256 + (body?.count ?? 0))
        HeadWriter.appendRequest(
            method,
            target: target,
            authority: authority,
            fields: fields,
            framing: body.map { .length($0.count) } ?? .none,
            to: &bytes
        )
        if let body { bytes += body }
        self.init(method, bytes: bytes, isIdempotent: isIdempotent)
    }
}

/// A response, complete.
public struct HTTPClientResponse: Sendable {
    /// Status line and fields.
    public let head: ResponseHead
    /// The body without its framing.
    public let body: [UInt8]

    /// The status.
    public var status: HTTPStatus { head.status }
    /// The fields, as they came.
    public var fields: HTTPFields { head.fields }
}
