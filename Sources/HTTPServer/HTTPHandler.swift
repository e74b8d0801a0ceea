public import HTTPWire
public import Reactor

/// What a server calls for each request.
@ReactorActor
public protocol HTTPHandler: AnyObject {
    /// Takes a request; its answer is given to `exchange`, now or later.
    ///
    /// Called when the head is complete; the body may still be on its way, see ``HTTPRequestBody``. Requests of one
    /// connection are handed over as they come, several at a time if all their methods are safe, and answered in order.
    func handle(_ request: HTTPRequest, _ exchange: HTTPExchange)

    /// Whether the body of a request may be longer than the server's limit, because the handler passes it on and keeps
    /// no more than a part of it.
    func streamsBody(of head: RequestHead) -> Bool

    /// The response that tells a client of a request that never reached ``handle(_:_:)`` or got no answer from it.
    func response(to refusal: HTTPRefusal) -> HTTPResponse
}

extension HTTPHandler {
    /// No body is.
    public func streamsBody(of head: RequestHead) -> Bool { false }
}

/// Why the server itself answers a request.
public enum HTTPRefusal: Error, Hashable, Sendable {
    /// What was sent is not a request, or one past the limits.
    case malformed(HTTPParseError)
    /// The head did not arrive in time.
    case headTimedOut
    /// The body stopped arriving.
    case bodyTimedOut
    /// Too many connections or requests. Nothing was done; the response should carry `Retry-After`.
    case overloaded
    /// The handler gave no answer in time; what it did is unknown.
    case unanswered

    /// The status that fits.
    public var status: HTTPStatus {
        switch self {
        case .malformed(let error): error.status
        case .headTimedOut, .bodyTimedOut: .requestTimeout
        case .overloaded: .serviceUnavailable
        case .unanswered: .internalServerError
        }
    }
}

/// What a server has done since it was made, for metrics.
public struct HTTPServerCounters: Hashable, Sendable {
    /// Connections open now.
    public internal(set) var openConnections = 0
    /// Requests being answered now, without those whose answer is open-ended.
    public internal(set) var openRequests = 0
    /// Open-ended answers under way now.
    public internal(set) var openStreams = 0
    /// Connections accepted.
    public internal(set) var connections = 0
    /// Requests handed to the handler.
    public internal(set) var requests = 0
    /// Requests refused because they are not HTTP/1.1, or can be understood in two ways.
    public internal(set) var malformed = 0
    /// Requests refused because a part of them is larger than the limits allow.
    public internal(set) var tooLarge = 0
    /// Requests refused because they arrived too slowly.
    public internal(set) var tooSlow = 0
    /// Requests and connections refused with 503.
    public internal(set) var overloads = 0
    /// Requests to which the handler gave no answer in time.
    public internal(set) var unanswered = 0
    /// Requests whose client left before the answer.
    public internal(set) var abandonedRequests = 0
    /// Connections without a request that were closed for newcomers.
    public internal(set) var displacedConnections = 0
    /// Connections whose TLS handshake failed, or gave way to others.
    public internal(set) var failedHandshakes = 0
    /// Connections that were cut because all together held more than they may.
    public internal(set) var shedConnections = 0
    /// Times that accepting paused because descriptors ran out.
    public internal(set) var descriptorShortages = 0

    init() {}
}

/// What has a field to add to the answer of a request, however the answer comes about.
@ReactorActor
public protocol HTTPAnswerFields: AnyObject {
    /// Appends field lines with `HeadWriter.appendField`.
    func appendFields(to head: inout [UInt8])
}
