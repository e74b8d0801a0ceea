internal import HTTPBodies
public import HTTPWire
public import Reactor

/// What a server calls for each request.
@ReactorActor
public protocol HTTPHandler: AnyObject {
    /// Takes a request; its answer is given to `exchange`, now or later.
    ///
    /// Called when the head is complete; the body may still be on its way, see ``HTTPRequest/body``. Requests of one
    /// connection are handed over as they come, several at a time if all their methods are safe, and answered in order.
    func handle(_ request: HTTPRequest, _ exchange: HTTPExchange)

    /// Whether the body of a request may be longer than the server's limit, because the handler passes it on and keeps
    /// no more than a part of it.
    func streamsBody(of head: RequestHead) -> Bool

    /// Whether the answer waits for nothing, so that it is given also while no more requests are taken: whether a
    /// service is alive, and how it is, is asked most when it has too much to do.
    func answersAtOnce(_ head: RequestHead) -> Bool

    /// The response that tells a client of a request that never reached ``handle(_:_:)`` or got no answer from it.
    ///
    /// - Parameter fields: Those of the request; nil where its head did not come in full or is none.
    func response(to refusal: HTTPRefusal, fields: HTTPFields?) -> HTTPResponse
}

extension HTTPHandler {
    /// No body is.
    public func streamsBody(of head: RequestHead) -> Bool { false }

    /// None does.
    public func answersAtOnce(_ head: RequestHead) -> Bool { false }
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

    /// What whoever reads the body of the request learns.
    var bodyError: HTTPBodyError {
        if case .malformed(let error) = self { .malformed(error) } else { .timedOut }
    }
}

/// What has a field to add to the answer of a request, however the answer comes about.
@ReactorActor
public protocol HTTPAnswerFields: AnyObject {
    /// Appends field lines with `HeadWriter.appendField`.
    func appendFields(to head: inout [UInt8])
}
