public import HTTPServer
public import HTTPWire
public import Reactor
public import Tracing

/// A request on its way through a route's handler.
@ReactorActor
public struct RequestContext {
    /// The request as it came.
    public let request: HTTPRequest
    /// Its request id and trace.
    public let identity: RequestIdentity
    /// When an answer is of no use any more; no hop waits past it.
    public let deadline: ContinuousClock.Instant
    /// What stood in the path where the route's template has parameters.
    public let parameters: PathParameters
    /// Its span, if its trace is recorded.
    public let span: TraceSpan?

    /// The head of the request.
    public var head: RequestHead { request.head }

    /// The whole milliseconds that are left until the deadline, at least 0.
    public var remainingMilliseconds: Int {
        max(0, Int((deadline - Reactor.now) / .milliseconds(1)))
    }
}

/// Answers a request; on the loop, `async`, and with an error of the one shape.
public typealias RouteHandler = @ReactorActor (RequestContext) async throws(APIError) -> HTTPResponse
