public import HTTPServer
public import HTTPWire
package import Metrics
public import Reactor
public import Tracing

/// What was answered to one request, for the access log and for measurements.
@ReactorActor
public struct AnsweredRequest {
    /// The request, its identity and its route.
    public let context: RequestContext
    /// The answer's status.
    public let status: HTTPStatus
    /// Bytes of the answer's body; 0 for one that is streamed.
    public let bodyBytes: Int
    /// From the complete head to the answer being handed to the server.
    public let duration: Duration
}

/// Takes the requests whose path is none of the service's own: a proxy, for example.
@ReactorActor
public protocol PathFallback: AnyObject, Sendable {
    /// What the token of a caller must allow, where tokens are asked for; nil for what anybody may ask.
    var needs: Scope? { get }
    /// What requests meet before they are answered; nil for nothing.
    var limit: (any PathLimit)? { get set }

    /// Answers a request, now or later, exactly once.
    ///
    /// - Parameter isOwn: Whether a path, in any of its spellings, is one of the service's own.
    func handle(_ context: RequestContext, isOwn: (String) -> Bool)

    /// Whether it passes requests of this path on, with their bodies, so that no limit on what is kept concerns them.
    func passesOn(_ head: RequestHead) -> Bool
}

/// Serves routes: the one place where requests get an identity, a deadline and a handler, and errors their shape.
@ReactorActor
public final class WebService: HTTPHandler {
    /// The header in which a hop tells the next one how many milliseconds are left.
    nonisolated public static let timeoutField = FieldName("X-Request-Timeout-Ms")
    /// The header that names a request.
    nonisolated public static let requestIDField = FieldName("X-Request-Id")
    /// The W3C header that places a request in a trace.
    nonisolated public static let traceField = FieldName("traceparent")
    /// The W3C header in which other tracing systems have something carried along.
    nonisolated public static let traceStateField = FieldName("tracestate")

    /// Requests being handled now.
    public private(set) var requestsInFlight = 0
    /// Called once for each request, when its answer is handed over.
    public var onAnswered: @ReactorActor (AnsweredRequest) -> Void = { _ in }
    /// Says why a request is not let in, whatever it asks for; nil lets every request in.
    public var door: (@ReactorActor (RequestHead) -> APIError?)?
    /// How often each error was answered; with zero those that its routes may answer with.
    private(set) var errors: [ErrorCode: Int]

    private let routes: RouteTable
    private let fallback: (any PathFallback)?
    private let access: (any RequestGuard)?
    /// What is done with answers for browsers; nil for nothing.
    let policy: AnswerPolicy?
    private let requestTimeout: Duration
    private let takesDeadlineFromCaller: Bool
    private let tracer: Tracer?
    private var identifier: RequestIdentifier

    /// - Parameters:
    ///   - fallback: Takes what no route's path matches; nil answers 404.
    ///   - access: Decides who may ask for what; nil for everybody.
    ///   - policy: What is done with answers for browsers; nil for nothing.
    ///   - requestTimeout: Longest time for one request.
    ///   - takesDeadlineFromCaller: Whether `X-Request-Timeout-Ms` may shorten it: on hops inside, which the public
    ///     cannot reach.
    ///   - tracer: Takes a span of each request whose trace is recorded; nil for none at all.
    public init(
        routes: [Route],
        fallback: (any PathFallback)? = nil,
        access: (any RequestGuard)? = nil,
        policy: AnswerPolicy? = nil,
        requestTimeout: Duration,
        takesDeadlineFromCaller: Bool,
        tracer: Tracer? = nil
    ) {
        self.routes = RouteTable(routes)
        // Of the limits only the words of the errors depend.
        let possible =
            routes.flatMap(\.documentation.errors) + Self.errorsOfAnyRequest(limits: HTTPLimits())
            + Self.errorsWithoutRoute
        errors = possible.reduce(into: [:]) { $0[$1.code] = 0 }
        self.fallback = fallback
        self.access = access
        self.policy = policy
        self.requestTimeout = requestTimeout
        self.takesDeadlineFromCaller = takesDeadlineFromCaller
        self.tracer = tracer
        identifier = RequestIdentifier(sampler: tracer?.sampler)
    }

    /// Every path that the service answers to; there are no more of them however many paths are asked for.
    public var paths: [PathTemplate] { routes.paths }

    // MARK: HTTPHandler

    /// Answers a request, now or later.
    public func handle(_ request: HTTPRequest, _ exchange: HTTPExchange) {
        let match = routes.find(request.head.method, path: request.head.pathBytes.span)
        let start = Reactor.now
        let identity = identifier.identify(request.head.fields)
        let (route, resource) = (match.route, match.resource)
        let context = RequestContext(
            exchange,
            identity: identity,
            start: start,
            deadline: start + timeout(of: request.head),
            route: route,
            parameters: match.parameters,
            resource: resource,
            span: tracer.flatMap {
                route?.isTraced ?? true ? $0.start(identity, exchange, resource.map { paths[$0] }) : nil
            },
            service: self
        )
        requestsInFlight += 1
        if let refusal = door?(request.head) { return context.fail(refusal) }
        if let answer = preflight(request.head, match) { return context.respond(answer) }
        guard let access, let scope = scope(for: match, request.head) else { return serve(match, context) }
        access.admit(context, for: scope) { [self] caller in
            context.caller = caller
            serve(match, context)
        }
    }

    /// What a request needs. What is not there, and which methods are, is no secret; a browser asks for the latter
    /// without a token.
    private func scope(for match: RouteTable.Match, _ head: RequestHead) -> Scope? {
        switch match {
        case .route(let served, _): served.needs
        case .nothing: fallback.flatMap { $0.passesOn(head) ? $0.needs : nil }
        case .otherMethod, .service: nil
        }
    }

    /// The answer to a browser that asks what a page of another origin may do: it has no token to show, and nothing is
    /// done for it.
    private func preflight(_ head: RequestHead, _ match: RouteTable.Match) -> HTTPResponse? {
        guard head.method == .options, let crossOrigin = policy?.crossOrigin else { return nil }
        switch match {
        case .otherMethod(let resource): return crossOrigin.preflight(head, methods: resource.allowed)
        case .nothing where fallback != nil: return crossOrigin.preflight(head, methods: nil)
        case .route, .service, .nothing: return nil
        }
    }

    private func serve(_ match: RouteTable.Match, _ context: RequestContext) {
        switch match {
        case .route(let served, _):
            if let limitBytes = served.bodyLimitBytes {
                context.collectBody(limitBytes: limitBytes) { [self] in run(served.handler, context) }
            } else {
                run(served.handler, context)
            }
        case .otherMethod(let resource):
            context.respond(response(toMethod: context.head.method, allowed: resource.allowed))
        case .service:
            context.respond(response(toMethod: .options, allowed: routes.methods))
        case .nothing:
            guard let fallback else { return context.fail(.notFound) }
            context.waitsElsewhere()
            fallback.handle(context) { [routes] in routes.hasPath($0) }
        }
    }

    /// Whether the fallback passes on what the request carries.
    public func streamsBody(of head: RequestHead) -> Bool {
        guard let fallback, !routes.hasPath(head.path) else { return false }
        return fallback.passesOn(head)
    }

    /// Whether it is one of the routes that are answered always.
    public func answersAtOnce(_ head: RequestHead) -> Bool {
        routes.find(head.method, path: head.pathBytes.span).route?.isAnsweredAlways ?? false
    }

    private func run(_ handler: RouteHandler, _ context: RequestContext) {
        switch handler {
        case .direct(let answer):
            do {
                try answer(context)
            } catch {
                context.fail(error)
            }
        case .async(let answer):
            Reactor.spawn {
                do throws(APIError) {
                    context.respond(try await answer(context))
                } catch {
                    context.fail(error)
                }
            }
        }
    }

    /// The answer to what never became a request, such as bytes that are not HTTP.
    public func response(to refusal: HTTPRefusal, fields: HTTPFields?) -> HTTPResponse {
        var response = response(APIError(refusal))
        let id = fields.map { identifier.identify($0).requestID } ?? identifier.makeRequestID()
        response.fields.append(Self.requestIDField.text, id.description)
        return response
    }

    /// A request gets its answer.
    func answered(_ context: RequestContext, _ response: borrowing HTTPResponse) {
        requestsInFlight -= 1
        let bodyBytes = if case .bytes(let bytes) = response.body { bytes.count } else { 0 }
        onAnswered(
            AnsweredRequest(
                context: context,
                status: response.status,
                bodyBytes: bodyBytes,
                duration: Reactor.now - context.start
            )
        )
        context.span?.end(answering: response.status)
    }

    /// An error in the one shape.
    func response(_ error: APIError) -> HTTPResponse {
        errors[error.code, default: 0] += 1
        return HTTPResponse(error)
    }

    private func response(toMethod method: HTTPMethod, allowed: [HTTPMethod]) -> HTTPResponse {
        var response =
            method == .options
            ? HTTPResponse(.noContent)
            : response(Self.methodNotAllowed(method))
        response.fields.append("Allow", allowed.map(\.rawValue).joined(separator: ", "))
        return response
    }

    private func timeout(of head: RequestHead) -> Duration {
        guard takesDeadlineFromCaller, let text = head.fields[Self.timeoutField.text],
            let milliseconds = Int(text), milliseconds >= 0
        else { return requestTimeout }
        return min(requestTimeout, .milliseconds(milliseconds))
    }
}

extension HTTPResponse {
    /// An error in the one shape.
    public init(_ error: APIError) {
        self.init(json: error.body, status: error.code.status)
        if let seconds = error.retryAfterSeconds { fields.append("Retry-After", String(seconds)) }
    }

    /// A JSON document.
    public init(json body: [UInt8], status: HTTPStatus = .ok) {
        self.init(status, fields: Self.jsonFields, body: .bytes(body))
    }

    private static let jsonFields: HTTPFields = ["Content-Type": "application/json"]
}

extension WebService: Measured {
    private static let errorAnswers = Metric.counter(
        "tickloop_http_errors_total",
        "Error answers made by this process, by their code.",
        labels: "code"
    )

    package func collect(into page: inout MetricsPage) {
        // Also those that may happen and did not: the rate of a series that begins with its first error hides it.
        for code in ErrorCode.allCases {
            if let count = errors[code] { page.add(Self.errorAnswers, count, [code.rawValue]) }
        }
    }
}
