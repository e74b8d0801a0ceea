internal import Basics
public import HTTPBodies
public import HTTPServer
public import HTTPWire
public import Reactor
public import Tracing

/// A request on its way through a route's handler, and the place for its answer.
@ReactorActor
public final class RequestContext: HTTPAnswerFields {
    /// Its request id and trace.
    public let identity: RequestIdentity
    /// When an answer is of no use any more; no hop waits past it.
    public let deadline: Instant
    /// What stood in the path where the route's template has parameters.
    public let parameters: PathParameters
    /// The path of the route, by its place in ``WebService/paths``; nil for a path that is not there.
    public let resource: Int?
    /// Its span, if its trace is recorded.
    public let span: TraceSpan?

    let start: Instant
    /// nil for a path, or a method, that is not there.
    private let route: ServedRoute?
    /// What the limit of the route has said.
    var admission: RouteAdmission?
    /// What is done with the answer for browsers; nil for nothing.
    private let policy: AnswerPolicy?
    private var entityTag: EntityTag?
    private var hop: HopTime?
    /// Who sends it; nil where that does not matter, as while everybody may ask for everything.
    public internal(set) var caller: Caller?
    /// Why it failed, for the log.
    public private(set) var cause: String?
    /// Ends a stream when nobody vouches for the caller any more.
    private var expiry: Timer?
    private let exchange: HTTPExchange
    /// The body, once it is there, of a route that takes one.
    private(set) var body: [UInt8]?
    /// nil once the request is answered.
    private var service: WebService?

    init(
        _ exchange: HTTPExchange,
        identity: RequestIdentity,
        start: Instant,
        deadline: Instant,
        route: ServedRoute?,
        parameters: PathParameters,
        resource: Int?,
        span: TraceSpan?,
        service: WebService
    ) {
        self.exchange = exchange
        self.identity = identity
        self.start = start
        self.deadline = deadline
        self.route = route
        self.parameters = parameters
        self.resource = resource
        self.span = span
        policy = service.policy
        self.service = service
        exchange.answerFields = self
    }

    /// What a valid request of this route meets before anything is done for it.
    var limit: (any RouteLimit)? { route?.limit }

    /// The request as it came.
    public var request: HTTPRequest { exchange.request }

    /// What the request carries, complete.
    public var content: RequestContent { RequestContent(head, parameters: parameters, body: body) }

    /// The head of the request.
    public var head: RequestHead { exchange.request.head }

    /// The method, read where it stands: the head is not copied for it.
    public var method: HTTPMethod { exchange.request.head.method }

    /// The path, still percent-encoded.
    public private(set) lazy var path = exchange.request.head.path

    /// The query as it came, or nothing.
    var query: ArraySlice<UInt8> { exchange.request.head.queryBytes ?? [] }

    /// The whole milliseconds that are left until the deadline, at least 0.
    public var remainingMilliseconds: Int {
        max(0, (deadline - Reactor.now).wholeMilliseconds)
    }

    /// Called once, when the client has gone before it has its answer. Set it to nothing when it is not needed any
    /// more.
    public var onClientGone: (@ReactorActor () -> Void)? {
        get { exchange.onClientGone }
        set { exchange.onClientGone = newValue }
    }

    /// The request waits for somebody else than this service from now on.
    func waitsElsewhere() { exchange.waitsElsewhere() }

    /// Ends a request whose client has gone, as one that has not arrived in full.
    public func abandon() { fail(.requestTimeout) }

    /// Reads the body, then calls `then`; if it does not come, or is too long, the request is answered here.
    func collectBody(limitBytes: Int, then: @escaping @ReactorActor () -> Void) {
        request.body.collect(limitBytes: limitBytes) { [self] result in
            switch result {
            case .success(let bytes):
                body = bytes
                then()
            case .failure(.tooLarge(let limitBytes)):
                fail(APIError(.payloadTooLarge, "The body may have at most \(limitBytes) bytes."))
            case .failure(.malformed), .failure(.timedOut), .failure(.cut), .failure(.unwanted):
                // The server has answered, or nobody is there any more; this one only ends the request's count.
                fail(.requestTimeout)
            }
        }
    }

    /// Answers the request. The first answer counts; later ones are ignored.
    public func respond(_ response: consuming HTTPResponse) { respond(response, tag: nil) }

    /// - Parameter tag: What names the answer, if that is known already.
    func respond(_ response: consuming HTTPResponse, tag: EntityTag?) {
        guard let service = service.take() else { return }
        finish(&response, tag)
        // Whether an upstream finds a request valid is its own matter.
        if resource != nil { takeBackAdmission(ifRefused: response.status) }
        service.answered(self, response)
        exchange.respond(response)
    }

    /// Makes of an answer what is given: in the coding that the client takes, and not at all if the client has it.
    private func finish(_ response: inout HTTPResponse, _ tag: EntityTag?) {
        // What an upstream says is passed on as it is.
        let compressor = resource == nil ? nil : policy?.compressor
        let isCompressible = compressor?.applies(to: response) ?? false
        if isCompressible { response.fields.append("Vary", "Accept-Encoding") }
        if route?.isTagged ?? false, response.status == .ok, case .bytes(let content) = response.body {
            let tag = tag ?? EntityTag(of: content)
            entityTag = tag
            if head.fields.contains("if-none-match"), head.fields.isNoneMatch(of: tag.description) {
                response.status = .notModified
                response.body = .empty
                return response.fields.remove("Content-Type")
            }
        }
        if isCompressible { compressor?.compress(&response, to: head) }
    }

    /// Tells how long somebody else took for a part of the answer, for who wants to know where the time went.
    ///
    /// - Parameter name: What he is called; a token.
    public func note(hop name: StaticString, since start: Instant) {
        guard policy?.tellsTiming ?? false else { return }
        hop = HopTime(name: name, duration: Reactor.now - start)
    }

    /// Whether it is decided here which pages of other origins may read answers, whatever an upstream says.
    public var decidesCrossOrigin: Bool { policy?.crossOrigin != nil }

    /// Begins an answer of 200 that has no end of its own, to be written for as long as the client wants it.
    ///
    /// - Returns: nil if the request is answered already.
    func beginStream(fields: HTTPFields) -> HTTPResponseWriter? {
        guard let service = service.take() else { return nil }
        service.answered(self, HTTPResponse(.ok, fields: fields))
        return endedAtExpiry(exchange.startResponse(.ok, fields: fields, length: nil, isOpenEnded: true))
    }

    /// Begins an answer of 200 for which nothing is kept of the request and its connection; see
    /// `HTTPExchange.startPush`.
    ///
    /// - Returns: nil if the request is answered already, or the client gone.
    func beginPush(fields: HTTPFields, source: any HTTPPushSource) -> HTTPPush? {
        guard let service = service.take() else { return nil }
        service.answered(self, HTTPResponse(.ok, fields: fields))
        let push = exchange.startPush(fields: fields, source: source)
        if let caller { push?.finish(at: caller.expiresAt) }
        return push
    }

    /// Begins an answer whose body is written piece by piece.
    ///
    /// - Parameters:
    ///   - length: How many bytes will be written; nil sends chunks.
    ///   - isOpenEnded: Whether the answer has no end of its own; see `HTTPResponse.Body.openEnded`.
    /// - Returns: The writer; one that is closed already if the request is answered or the client gone.
    public func startResponse(
        _ status: HTTPStatus,
        fields: HTTPFields,
        length: Int?,
        isOpenEnded: Bool = false
    ) -> HTTPResponseWriter {
        if let service = service.take() { service.answered(self, HTTPResponse(status, fields: fields)) }
        let writer = exchange.startResponse(status, fields: fields, length: length, isOpenEnded: isOpenEnded)
        return isOpenEnded ? endedAtExpiry(writer) : writer
    }

    private func endedAtExpiry(_ writer: HTTPResponseWriter) -> HTTPResponseWriter {
        guard let caller else { return writer }
        expiry = Timer { [weak writer] in writer?.endEarly() }
        expiry?.schedule(after: max(.zero, caller.expiresAt - Reactor.now))
        return writer
    }

    /// Passes an interim response (1xx) on; see `HTTPExchange.sendInterim`.
    public func sendInterim(_ status: HTTPStatus, fields: HTTPFields) {
        exchange.sendInterim(status, fields: fields)
    }

    /// Answers 101; see `HTTPExchange.startTunnel`.
    public func startTunnel(fields: HTTPFields) -> (input: HTTPBody, output: HTTPResponseWriter)? {
        if let service = service.take() { service.answered(self, HTTPResponse(.switchingProtocols, fields: fields)) }
        let ends = exchange.startTunnel(fields: fields)
        if let ends { _ = endedAtExpiry(ends.output) }
        return ends
    }

    /// Whether nobody has answered the request.
    public var isUnanswered: Bool { service != nil }

    /// The address that the client connects from; unnamed for a Unix-domain socket, nil once the client is gone.
    public var peerAddress: SocketAddress? { exchange.peerAddress }

    /// The numeric host of that address; nil for a Unix-domain socket.
    public var peerHost: String? { exchange.peerHost }

    /// Whether the client is connected over TLS; false once it is gone.
    public var isSecure: Bool { exchange.isSecure }

    /// Answers the request with an error in the one shape, unless it is answered already.
    ///
    /// - Parameter fields: What is told besides.
    public func fail(_ error: APIError, fields: HTTPFields = HTTPFields()) {
        guard let service else { return }
        cause = error.cause
        var response = service.response(error)
        response.fields.append(contentsOf: fields)
        respond(response)
    }

    /// Names the request to the client, and says what else every answer to it says.
    public func appendFields(to head: inout [UInt8]) {
        HeadWriter.appendField(WebService.requestIDField, to: &head) { identity.requestID.append(to: &$0) }
        if let fields = admission?.fields {
            for field in fields {
                HeadWriter.appendField(field.name, to: &head) { $0.append(contentsOf: field.value.utf8) }
            }
        }
        if let entityTag {
            HeadWriter.appendField("ETag", to: &head) { entityTag.append(to: &$0) }
            HeadWriter.appendField("Cache-Control", to: &head) { $0.append(utf8: EntityTag.cacheControl) }
        }
        policy?.appendFields(for: self, hop: hop, to: &head)
    }
}
