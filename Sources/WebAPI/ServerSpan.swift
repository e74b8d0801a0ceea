internal import HTTPServer
internal import HTTPWire
internal import Reactor
internal import Tracing

/// What is said of a request, as OpenTelemetry's "Semantic Conventions for HTTP Spans" 1.27 have it.
extension Tracer {
    /// Methods that may be part of a span's name; whatever else a client makes up is "HTTP".
    private static let methods: Set<HTTPMethod> = [.get, .head, .post, .put, .delete, .patch, .options, .trace]

    /// Starts the span of a request that has come.
    ///
    /// - Parameter route: Nil for a path that is not there, which must not be part of the span's name.
    func start(_ identity: RequestIdentity, _ exchange: HTTPExchange, _ route: PathTemplate?) -> TraceSpan? {
        guard identity.trace.isSampled else { return nil }
        let head = exchange.request.head
        let method = Self.methods.contains(head.method) ? head.method.rawValue : "HTTP"
        let span = start(
            route.map { "\(method) \($0)" } ?? method,
            .server,
            at: identity.trace,
            parent: identity.parentSpanID,
            traceState: identity.traceState
        )
        guard let span else { return nil }
        span.set("http.request.method", .text(method == "HTTP" ? "_OTHER" : method))
        if let route { span.set("http.route", .text(route.description)) }
        span.set("url.scheme", "http")
        span.set("url.path", .text(head.path))
        if let query = head.query { span.set("url.query", .text(query)) }
        switch head.authority.flatMap({ try? Endpoint(parsing: $0) }) {
        case .tcp(let host, let port)?:
            span.set("server.address", .text(host))
            span.set("server.port", .integer(Int(port)))
        case .unix?, nil: if let host = head.authority { span.set("server.address", .text(host)) }
        }
        if let host = exchange.peerHost { span.set("client.address", .text(host)) }
        span.set("tickloop.request_id", .text(identity.requestID.description))
        return span
    }
}

extension TraceSpan {
    /// Ends the span of a request. What is the client's fault is no fault of the span.
    func end(answering status: HTTPStatus) {
        set("http.response.status_code", .integer(Int(status.rawValue)))
        if status.rawValue >= 500 { fail(String(status.code)) }
        end()
    }
}
