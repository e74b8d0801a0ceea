internal import HTTPClient
internal import HTTPServer
internal import HTTPWire
internal import JSONWire
internal import Reactor

/// How one route is relayed: what is passed on, what is passed back, and what else may come of it.
@ReactorActor
final class RelayedRoute {
    let method: HTTPMethod
    let path: PathTemplate
    /// Header fields of the request that the next hop gets.
    let requestFields: [String]
    private let passesIdempotencyKey: Bool
    /// Header fields of the answer that the client gets.
    private let answerFields: [String]
    /// What a success may consist of.
    private let mediaTypes: [String]
    private let streams: Bool
    private let relay: Relay
    private let cache: RelayCache?
    private let failing: (@Sendable (RelayFailure) -> RelayedAnswer)?

    /// The media type of a stream of server-sent events.
    nonisolated static let eventStream = "text/event-stream"

    init(
        _ method: HTTPMethod,
        _ path: PathTemplate,
        _ documentation: RouteDocumentation,
        relay: Relay,
        cache: RelayCache?,
        failing: (@Sendable (RelayFailure) -> RelayedAnswer)?
    ) {
        self.method = method
        self.path = path
        let headers = documentation.parameters.filter { $0.place == .header }.map(\.name)
        requestFields = headers + (documentation.body == nil ? [] : ["Content-Type"])
        passesIdempotencyKey = headers.contains("Idempotency-Key")
        var answerFields: [String] = []
        for field in documentation.answers.flatMap(\.fields) where !answerFields.contains(field.name) {
            answerFields.append(field.name)
        }
        self.answerFields = answerFields
        mediaTypes = documentation.answers.flatMap(\.contents).map(\.mediaType)
        streams = mediaTypes.contains(Self.eventStream)
        self.relay = relay
        self.cache = cache
        self.failing = failing
    }

    /// Whether a request may be sent once more when its connection ends before the answer.
    func isRepeatable(_ head: RequestHead) -> Bool {
        method.isIdempotent || passesIdempotencyKey && head.fields.contains("Idempotency-Key")
    }

    /// Relays a request that is in order.
    func relay(_ context: RequestContext) {
        let request = relay.request(context, self)
        if streams {
            RelayedStream(context, self).start(request, relay.streams)
        } else {
            RelayedRequest(context, self).start(request, relay.client)
        }
    }

    // MARK: Answers

    /// Answers with what the next hop answered: a success or a 4xx as it is, 503 as 503, any other 5xx as 502.
    func answer(_ context: RequestContext, _ head: ResponseHead, _ body: [UInt8], askedAt: Instant) {
        let status = head.status
        switch status.rawValue {
        case 200..<300:
            guard isUsable(head, body) else { return fail(context, .unusable) }
            if status == .ok { cache?.keep(body, head.fields, of: context, askedAt: askedAt) }
        case 400..<500, 503:
            guard APIError.isBody(body, of: status), Self.isOf("application/json", head) else {
                return fail(context, .unusable)
            }
            if status == .serviceUnavailable, failing != nil { return fail(context, .refused(status)) }
        case 500...:
            return fail(context, .refused(status))
        default:
            return fail(context, .unusable)
        }
        context.respond(response(head, .bytes(body)))
    }

    /// Answers in place of the next hop.
    func fail(_ context: RequestContext, _ failure: RelayFailure) {
        relay.log(failure, context)
        switch failing?(failure) {
        case .success(let response): context.respond(response)
        case .failure(let error): context.fail(error)
        case nil: context.fail(failure.error)
        }
    }

    /// The answer with what is passed back of its head.
    func response(_ head: ResponseHead, _ body: HTTPResponse.Body) -> HTTPResponse {
        var response: HTTPResponse
        if case .bytes(let bytes) = body, Self.isOf("application/json", head) {
            response = HTTPResponse(json: bytes, status: head.status)
        } else {
            response = HTTPResponse(head.status, body: body)
            if let type = head.fields["content-type"] { response.fields.append("Content-Type", type) }
        }
        for name in answerFields {
            if let value = head.fields[name] { response.fields.append(name, value) }
        }
        if let seconds = Self.retryAfter(head), !answerFields.contains("Retry-After") {
            response.fields.append("Retry-After", String(seconds))
        }
        return response
    }

    /// Whether a success has a body of a kind that the route declares.
    ///
    /// Of JSON only both ends are looked at: that nothing is missing between them is what its length promises.
    private func isUsable(_ head: ResponseHead, _ body: [UInt8]) -> Bool {
        guard let type = mediaTypes.first(where: { Self.isOf($0, head) }) else {
            return body.isEmpty && !head.fields.contains("content-type")
        }
        guard type == "application/json" else { return true }
        switch (body.first, body.last) {
        case (UInt8(ascii: "{"), UInt8(ascii: "}")), (UInt8(ascii: "["), UInt8(ascii: "]")): return body.count > 1
        default: return false
        }
    }

    /// Whether an answer says that it is of a media type; parameters may follow.
    static func isOf(_ mediaType: String, _ head: ResponseHead) -> Bool {
        guard let value = head.fields.valueBytes("content-type"), value.starts(with: mediaType.utf8) else {
            return false
        }
        guard let next = value.dropFirst(mediaType.utf8.count).first else { return true }
        return next == UInt8(ascii: ";") || next == UInt8(ascii: " ")
    }

    /// The seconds of `Retry-After` if it says some that make sense; 1 for a 503 that does not.
    private static func retryAfter(_ head: ResponseHead) -> Int? {
        if let text = head.fields["retry-after"], let seconds = Int(text), seconds > 0 { return min(seconds, 3600) }
        return head.status == .serviceUnavailable ? 1 : nil
    }
}

extension APIError {
    /// Longest error that is taken from another service.
    private static let bodyBytesMax = 64 * 1024

    /// Whether these bytes are an error of the one shape that goes with a status.
    static func isBody(_ body: [UInt8], of status: HTTPStatus) -> Bool {
        guard let json = try? JSONValue(parsing: body, limits: JSONLimits(bytes: bodyBytesMax)),
            let code = json["code"]?.string.flatMap({ ErrorCode(rawValue: $0) })
        else { return false }
        return code.status == status && json["message"]?.string != nil
    }
}

/// A request on its way to the next hop whose answer comes in one piece.
@ReactorActor
private final class RelayedRequest {
    private let context: RequestContext
    private let route: RelayedRoute
    private let askedAt = Reactor.now
    private var exchange: HTTPClientExchange?

    init(_ context: RequestContext, _ route: RelayedRoute) {
        self.context = context
        self.route = route
    }

    func start(_ request: HTTPClientRequest, _ client: HTTPClient) {
        exchange = client.send(request, deadline: context.deadline) { [self] result in finished(result) }
        // What changes something is better known to have ended than cut off.
        if route.method.isIdempotent, route.method != .delete, route.method != .put {
            context.onClientGone = { [self] in abandon() }
        }
    }

    private func finished(_ result: Result<HTTPClientResponse, HTTPClientError>) {
        exchange = nil
        context.onClientGone = nil
        context.note(hop: "api", since: askedAt)
        switch result {
        case .success(let response): route.answer(context, response.head, response.body, askedAt: askedAt)
        case .failure(let error): route.fail(context, .noAnswer(error))
        }
    }

    /// Nobody waits any more.
    private func abandon() {
        exchange.take()?.cancel()
        context.abandon()
    }
}
