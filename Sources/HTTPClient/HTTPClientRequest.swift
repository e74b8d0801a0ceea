public import HTTPBodies
public import HTTPWire
internal import Reactor

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
    /// What follows behind ``bytes``, of a request that is opened: read when the upstream has taken what came before,
    /// and dropped once it has answered in full. Such a request is not sent again once a byte of it was sent. A body
    /// without a declared length is sent in chunks.
    public var body: HTTPBody?
    /// Whether ``bytes`` expect `100 Continue`: ``body`` waits for it, but no longer than a second.
    public var expectsContinue = false
    /// Whether other interim responses (1xx) are told of, too.
    public var wantsInterim = false
    /// Whether ``bytes`` ask for another protocol. If the upstream agrees with a 101, the body of its response is what
    /// it says in that protocol, until the connection ends; see ``HTTPClientExchange/tunnel(_:silence:)``.
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

/// A response, complete or begun.
public struct HTTPClientResponse: Sendable {
    /// Status line and fields.
    public let head: ResponseHead
    /// The body without its framing, if all of it is there; else it is ``rest``.
    public let body: [UInt8]
    /// The body of a response that was opened and did not come in one piece, or has no length and so perhaps trailers:
    /// all of it, from its first byte. nil if ``body`` is that.
    public let rest: HTTPBody?

    init(_ head: ResponseHead, body: [UInt8] = [], rest: HTTPBody? = nil) {
        self.head = head
        self.body = body
        self.rest = rest
    }

    /// The body, for who reads it piece by piece however it comes.
    @ReactorActor public var pulled: HTTPBody { rest ?? HTTPBody(body) }

    /// The status.
    public var status: HTTPStatus { head.status }
    /// The fields, as they came.
    public var fields: HTTPFields { head.fields }
}
