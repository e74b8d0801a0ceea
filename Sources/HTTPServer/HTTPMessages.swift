public import HTTPBodies
public import HTTPWire
public import Reactor

/// A request, as its handler sees it.
@ReactorActor
public struct HTTPRequest {
    /// Request line and fields.
    public let head: RequestHead
    /// The body, which may still be arriving.
    public let body: HTTPBody
}

/// A response, as a handler gives it.
///
/// The server adds `Date`, `Content-Length` or `Transfer-Encoding`, and `Connection`, and leaves the body out where the
/// method or the status forbids one.
public struct HTTPResponse: Sendable {
    /// The status.
    public var status: HTTPStatus
    /// The fields, without those that the server adds.
    public var fields: HTTPFields
    /// The body.
    public var body: Body

    /// What follows the fields.
    public enum Body: Sendable {
        /// Nothing.
        case empty
        /// These bytes.
        case bytes([UInt8])
        /// No bytes, though the fields speak of some: passed on from a server that was asked with HEAD.
        /// - Parameter length: What `Content-Length` says; nil leaves it out.
        case omitted(length: Int?)
        /// What the function writes; it runs as a task of its own, unless the request was a HEAD.
        ///
        /// When it throws, or has not written `length` bytes at its end, the connection is cut, so that the client
        /// cannot take the part for the whole.
        /// - Parameter length: How many bytes that will be; nil sends chunks.
        case stream(length: Int?, @ReactorActor (HTTPResponseWriter) async throws -> Void)
        /// What the function writes, for as long as the client wants it: events, for example.
        ///
        /// Otherwise as `stream`. It does not count as a request in flight, and has to end when the server drains, see
        /// ``HTTPResponseWriter/whenDraining(_:)``.
        case openEnded(@ReactorActor (HTTPResponseWriter) async throws -> Void)
    }

    /// Takes the parts.
    public init(_ status: HTTPStatus, fields: HTTPFields = HTTPFields(), body: Body = .empty) {
        self.status = status
        self.fields = fields
        self.body = body
    }
}
