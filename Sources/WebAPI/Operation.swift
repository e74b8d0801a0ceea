public import HTTPServer
public import HTTPWire
internal import Reactor

/// What can be asked at a method and a path, declared once for every role that serves it: what callers may know, and
/// how a request becomes a valid question. (OpenAPI's word for it; an endpoint is an address here.)
///
/// ```swift
/// let averages = Operation(.get, "/prices/average", needs: .pricesRead, documentation) { request throws(APIError) in
///     try AverageRequest(request, rangeDaysMax: 3660)
/// }
/// averages.relayed(by: api)                                            // the gateway: validates, then relays
/// averages.answered { question, context throws(APIError) in … }        // the internal API: validates, then answers
/// ```
public struct Operation<Question: Sendable>: Sendable {
    /// Makes a question of a request, or says everything that is wrong with it.
    public typealias Reader = @Sendable (RequestContent) throws(APIError) -> Question

    let method: HTTPMethod
    let path: PathTemplate
    let needs: Scope?
    let documentation: RouteDocumentation
    let read: Reader

    /// Declares an operation.
    ///
    /// - Parameters:
    ///   - scope: What the token of a caller must allow, where tokens are asked for; nil for what anybody may ask.
    ///   - documentation: What holds wherever it is served. The header fields among its parameters are passed on by a
    ///     relay, and those of its answers are passed back.
    ///   - faulty: Requests whose refusals are shown as examples, besides those of the faults that are made everywhere.
    public init(
        _ method: HTTPMethod,
        _ path: PathTemplate,
        needs scope: Scope? = .admin,
        _ documentation: RouteDocumentation,
        faulty: [RequestContent?] = [],
        read: @escaping Reader
    ) {
        self.method = method
        self.path = path
        needs = scope
        self.read = read
        var refusals = faulty.compactMap { request in
            request?.refusal { request throws(APIError) in _ = try read(request) }
        }
        for request in documentation.usualFaults(at: path) {
            let refusal = request.refusal { request throws(APIError) in _ = try read(request) }
            guard let refusal, !(documentation.errors + refusals).contains(where: { $0.code == refusal.code }) else {
                continue
            }
            refusals.append(refusal)
        }
        self.documentation = documentation.adding(errors: refusals)
    }

    /// What tells its routes from others: `GET /orders/{id}`.
    public var name: String { "\(method.rawValue) \(path)" }

    /// A route that answers valid questions itself.
    ///
    /// - Parameter adding: What callers may know of this role's answers besides.
    public func answered(
        adding: RouteAdditions = RouteAdditions(),
        _ answer: @escaping @ReactorActor @Sendable (Question, RequestContext) async throws(APIError) -> HTTPResponse
    ) -> Route {
        Route(method, path, needs: needs, documentation.adding(adding)) { [read] context async throws(APIError) in
            let question = try read(context.content)
            try await context.admitted()
            return try await answer(question, context)
        }
    }

    /// The same through callbacks, for a route on which every microsecond counts: the answer is given to the context.
    public func answeredDirectly(
        adding: RouteAdditions = RouteAdditions(),
        _ answer: @escaping @ReactorActor @Sendable (Question, RequestContext) throws(APIError) -> Void
    ) -> Route {
        .direct(method, path, needs: needs, documentation.adding(adding)) { [read] context throws(APIError) in
            let question = try read(context.content)
            context.admit {
                do throws(APIError) {
                    try answer(question, context)
                } catch {
                    context.fail(error)
                }
            }
        }
    }

    /// A route that passes valid questions on to the next hop, and its answers back.
    ///
    /// - Parameters:
    ///   - relay: The next hop.
    ///   - cache: Gives answers of 200 again; nil for none. Its key is the query as it came.
    ///   - failing: What the client is told when the next hop did not do as it was asked; nil for what
    ///     ``RelayFailure/error`` says.
    @ReactorActor
    public func relayed(
        by relay: Relay,
        cache: RelayCache? = nil,
        failing: (@Sendable (RelayFailure) -> RelayedAnswer)? = nil
    ) -> Route {
        let relayed = RelayedRoute(method, path, documentation, relay: relay, cache: cache, failing: failing)
        let documentation = failing == nil ? documentation.adding(errors: Relay.errors) : documentation
        return .direct(method, path, needs: needs, documentation) { [read] context throws(APIError) in
            if let kept = cache?.answer(to: context) {
                // Without a limit there is nothing to wait for, and no closure to allocate.
                guard context.isLimited else { return context.respond(kept.response, tag: kept.tag) }
                return context.admit { context.respond(kept.response, tag: kept.tag) }
            }
            _ = try read(context.content)
            guard context.isLimited else { return relayed.relay(context) }
            context.admit { relayed.relay(context) }
        }
    }
}

/// What one role's route has besides what the operation declares.
public struct RouteAdditions: Sendable {
    let parameters: [RouteParameter]
    let answers: [RouteAnswer]
    let answerFields: [AnswerField]
    let errors: [APIError]

    /// Joins the parts.
    ///
    /// - Parameter answerFields: What every answer carries besides.
    public init(
        parameters: [RouteParameter] = [],
        answers: [RouteAnswer] = [],
        answerFields: [AnswerField] = [],
        errors: [APIError] = []
    ) {
        self.parameters = parameters
        self.answers = answers
        self.answerFields = answerFields
        self.errors = errors
    }
}

extension RouteDocumentation {
    fileprivate func adding(errors: [APIError]) -> RouteDocumentation { adding(RouteAdditions(errors: errors)) }

    func adding(_ more: RouteAdditions) -> RouteDocumentation {
        RouteDocumentation(
            summary,
            details: details,
            in: group,
            parameters: parameters + more.parameters,
            body: body,
            answers: (answers + more.answers).map { $0.adding(more.answerFields) },
            errors: errors + more.errors
        )
    }
}
