internal import HTTPClient
internal import HTTPServer
internal import HTTPWire
internal import Reactor
internal import WebAPI

/// A request on its way through the proxy: both bodies flow at the pace of the slower side, and no more of them is kept
/// than a piece of each.
///
///     client ──body──▶ read when the upstream took the last piece ──▶ upstream
///     client ◀── write, pause the upstream while there is no room ◀──answer── upstream
@ReactorActor
final class ProxiedRequest: HTTPClientReceiver {
    /// A body that is announced to be no longer is sent together with its head, and can be sent again.
    private static let wholeBytesMax = 16 * 1024
    /// How long an upstream may think about `Expect: 100-continue`; then the client is bidden to send (RFC 9110
    /// §10.1.1).
    private static let continueTimeout = Duration.seconds(1)

    private let context: RequestContext
    private let path: ProxyPath
    private(set) var upstream: Upstream
    /// A body that was read before the request was sent.
    private var wholeBody: [UInt8] = []
    private var hasFailedOver = false
    private let onEnd: @ReactorActor (ProxiedRequest, ProxiedOutcome) -> Void
    /// What its answer means for the cache; nil on a route without one.
    private let task: CacheTask?
    /// Whether the client gets its answer from the cache, perhaps while it comes.
    private var isDelivered = false
    private let startedAt: Instant
    private let framing: BodyFraming
    /// What the client would rather speak; nil once that is decided.
    private var upgrade: String?
    private var tunnel: Tunnel?
    private var exchange: HTTPClientExchange?
    private var writer: HTTPResponseWriter?
    private var status: HTTPStatus?
    private var isReadingBody = false
    /// Whether the client has not taken what came of the answer.
    private var isHeldBack = false
    /// Until the upstream has said whether it wants the body.
    private var awaitsContinue: Bool
    private var continueTimer: Timer?

    init(
        _ context: RequestContext,
        _ path: ProxyPath,
        task: CacheTask?,
        startedAt: Instant,
        onEnd: @escaping @ReactorActor (ProxiedRequest, ProxiedOutcome) -> Void
    ) {
        self.task = task
        self.startedAt = startedAt
        self.context = context
        self.path = path
        upstream = path.group.choose()
        self.onEnd = onEnd
        let head = context.head
        framing = head.framing
        awaitsContinue = head.expectsContinue
        upgrade = ForwardedHead.upgrade(of: head)
    }

    func start() {
        context.onClientGone = { [self] in abandon() }
        if upgrade != nil { context.holdInput() }
        if case .length(let count) = framing, count > 0, count <= Self.wholeBytesMax, !awaitsContinue {
            context.request.body.collect(limitBytes: count) { [self] result in
                switch result {
                case .success(let body):
                    wholeBody = body
                    open()
                // The server has answered, or nobody is there any more.
                case .failure: abandon()
                }
            }
        } else {
            open()
        }
    }

    private func open() {
        let isComplete = upgrade == nil && (!framing.hasBytes || !wholeBody.isEmpty)
        var bytes: [UInt8] = []
        // With what the allocator and the array note beside it, still of a size that is at hand.
        bytes.reserveCapacity(960 + wholeBody.count)
        ForwardedHead.append(
            context,
            path,
            to: upstream,
            framing: framing,
            upgrade: upgrade,
            task: task,
            &bytes
        )
        bytes += wholeBody
        let method = context.method
        var request = HTTPClientRequest(
            method,
            bytes: bytes,
            isIdempotent: upgrade == nil && method.isIdempotent || context.head.fields.contains("idempotency-key")
        )
        request.asksForUpgrade = upgrade != nil
        request.insists = path.group.insists(on: upstream)
        exchange = upstream.client.open(
            request,
            isComplete: isComplete,
            deadline: Reactor.now + path.route.timeout,
            receiver: self
        )
    }

    // MARK: The request's body

    func requestBodyWanted() {
        if let tunnel { return tunnel.upstreamTookAll() }
        guard exchange != nil, !isReadingBody, upgrade == nil else { return }
        guard awaitsContinue else { return readBody() }
        guard continueTimer == nil else { return }
        let timer = Timer { [self] in bidToContinue() }
        timer.schedule(after: Self.continueTimeout)
        continueTimer = timer
    }

    func interimResponseReceived(_ head: ResponseHead) {
        guard head.status != .continue else { return bidToContinue() }
        context.sendInterim(head.status, fields: head.fields.endToEnd(announcesTrailers: false) { _ in false })
    }

    private func bidToContinue() {
        continueTimer?.cancel()
        continueTimer = nil
        guard awaitsContinue else { return }
        awaitsContinue = false
        if exchange != nil, !isReadingBody { readBody() }
    }

    private func readBody() {
        isReadingBody = true
        // As long as the client sends, its own pace is judged, by the server; the upstream just waits.
        exchange?.moveDeadline(to: .distantFuture)
        context.request.body.read { [self] result in
            isReadingBody = false
            guard let exchange else { return }
            switch result {
            case .success(let piece?): send(piece, over: exchange)
            case .success(nil): finishBody(exchange)
            // After an early answer the rest does not matter.
            case .failure(.answered): break
            case .failure: abandon()
            }
        }
    }

    private func send(_ piece: [UInt8], over exchange: HTTPClientExchange) {
        exchange.moveDeadline(to: Reactor.now + path.route.idleTimeout)
        guard framing == .chunked else { return exchange.write(piece.span) }
        var chunk: [UInt8] = []
        chunk.reserveCapacity(piece.count + 16)
        ChunkedEncoder.appendChunk(piece.span, to: &chunk)
        exchange.write(chunk.span)
    }

    private func finishBody(_ exchange: HTTPClientExchange) {
        exchange.moveDeadline(to: Reactor.now + path.route.timeout)
        if framing == .chunked {
            var end: [UInt8] = []
            ChunkedEncoder.appendEnd(trailers: context.request.body.trailers, to: &end)
            exchange.write(end.span)
        }
        exchange.finishRequest()
    }

    // MARK: The answer

    func responseBegan(_ head: ResponseHead) {
        status = head.status
        continueTimer?.cancel()
        exchange?.moveDeadline(to: Reactor.now + path.route.idleTimeout)
        context.note(hop: "upstream", since: startedAt)
        var fields = head.fields.endToEnd(announcesTrailers: head.framing == .chunked) { [context] name in
            FieldNames.isForProxy(name) || context.decidesCrossOrigin && FieldNames.isOfCrossOrigin(name)
        }
        if upgrade.take() != nil {
            if head.status == .switchingProtocols { return beginTunnel(head, fields) }
            exchange?.finishRequest()
        }
        if let verdict = task?.began(head, fields) {
            switch verdict {
            case .pass(let cacheStatus): fields.append("Cache-Status", cacheStatus)
            case .fill(let answer, let cacheStatus): return deliver(answer, cacheStatus)
            case .give(let answer, let cacheStatus):
                // Of an error that is not given nobody reads the rest; a 304 has none.
                if head.status != .notModified { exchange.take()?.cancel() }
                return deliver(answer, cacheStatus)
            }
        }
        if context.method == .head || head.status.forbidsBody {
            return context.respond(
                HTTPResponse(head.status, fields: fields, body: .omitted(length: head.contentLength))
            )
        }
        let length: Int? = if case .length(let count) = head.framing { count } else { nil }
        writer = context.startResponse(head.status, fields: fields, length: length)
    }

    /// Gives what the cache has, or gets from here.
    private func deliver(_ answer: CachedAnswer, _ cacheStatus: String) {
        isDelivered = true
        CachedDelivery.give(answer, to: context, status: cacheStatus, now: Clock.seconds) { [self] status, isWhole in
            if isWhole {
                end(.answered(status))
            } else if answer.progress == .cut {
                end(.cut(status, .connectionLost(mayHaveBeenProcessed: true)))
            } else {
                abandon()
            }
        }
    }

    private func beginTunnel(_ head: ResponseHead, _ fields: HTTPFields) {
        var fields = fields
        for value in head.fields.values("upgrade") { fields.append("Upgrade", value) }
        guard let exchange, let ends = context.startTunnel(fields: fields) else { return abandon() }
        exchange.moveDeadline(to: .distantFuture)
        tunnel = Tunnel(ends.input, ends.output, exchange, idleTimeout: path.route.tunnelTimeout) {
            [self] in
            self.exchange.take()?.cancel()
            ends.output.finish()
            end(.answered(.switchingProtocols))
        }
    }

    func responseBodyReceived(_ bytes: Span<UInt8>) {
        if let tunnel { return tunnel.received(bytes) }
        if isDelivered { return fill(bytes) }
        guard let writer else { return }
        writer.write(bytes)
        guard !writer.hasRoom, !writer.isClosed else {
            exchange?.moveDeadline(to: Reactor.now + path.route.idleTimeout)
            return
        }
        // Other pieces may follow in what was read at once.
        guard !isHeldBack else { return }
        isHeldBack = true
        // The upstream is not to blame for a client that does not read.
        exchange?.pause()
        exchange?.moveDeadline(to: .distantFuture)
        writer.whenRoom { [self] in
            isHeldBack = false
            // Without it the answer has ended.
            guard let exchange else { return }
            guard !writer.isClosed else { return abandon() }
            exchange.moveDeadline(to: Reactor.now + path.route.idleTimeout)
            exchange.resume()
        }
    }

    /// Gives a piece to the cache, from where the client gets it.
    private func fill(_ bytes: Span<UInt8>) {
        exchange?.moveDeadline(to: Reactor.now + path.route.idleTimeout)
        guard let task, let answer = task.filling else { return }
        task.append(bytes)
        // What is kept is taken at the upstream's pace, whoever reads it: it is small.
        guard answer.whenRoom({ [self] in exchange?.resume() }) else { return }
        exchange?.pause()
        exchange?.moveDeadline(to: .distantFuture)
    }

    func responseEnded(_ failure: HTTPClientError?) {
        let trailers = exchange?.trailers
        exchange = nil
        if let tunnel { return tunnel.upstreamEnded(failure) }
        if isDelivered { return task?.ended(isWhole: failure == nil) ?? () }
        guard let failure else {
            writer?.finish(trailers: trailers)
            return end(.answered(status ?? .ok))
        }
        if status == nil, !failure.mayHaveBeenProcessed, failOver() { return }
        if let status {
            // Without its end, so that nobody takes the part for the whole.
            writer?.abort()
            end(.cut(status, failure))
        } else if case .give(let answer, let cacheStatus)? = task?.failed() {
            deliver(answer, cacheStatus)
        } else {
            let error = failure.proxyError
            context.fail(error, fields: failure.proxyStatus)
            end(.failed(error.code.status, failure))
        }
    }

    /// Asks another upstream, because the first got nothing of the request.
    private func failOver() -> Bool {
        guard !hasFailedOver, !isReadingBody, context.isUnanswered else { return false }
        hasFailedOver = true
        let other = path.group.choose(except: upstream)
        guard other !== upstream else { return false }
        upstream = other
        open()
        return true
    }

    /// The client has left, or the server has answered it.
    private func abandon() {
        // What is kept is of use to the next one, who will ask soon: it is small, and comes at its own pace.
        let isKept = task?.filling != nil && !(task?.isDetached ?? false)
        if !isKept { exchange.take()?.cancel() }
        context.abandon()
        end(.abandoned)
    }

    private var isEnded = false

    private func end(_ result: ProxiedOutcome.Result) {
        guard !isEnded else { return }
        isEnded = true
        tunnel?.stop()
        tunnel = nil
        continueTimer?.cancel()
        continueTimer = nil
        context.onClientGone = nil
        // While the answer still comes, its end is told when it is there.
        if exchange == nil { task?.ended(isWhole: false) }
        onEnd(self, ProxiedOutcome(result, since: startedAt))
    }
}

/// What became of a request.
struct ProxiedOutcome {
    enum Result {
        case answered(HTTPStatus)
        /// The answer began and was not completed.
        case cut(HTTPStatus, HTTPClientError)
        case failed(HTTPStatus, HTTPClientError)
        /// The client left, or did not send its request in full.
        case abandoned
    }

    /// Of a request whose client left before its answer began: what nginx calls it.
    private static let clientClosedRequest = 499

    let result: Result
    /// The status for statistics.
    var status: Int {
        switch result {
        case .answered(let status), .cut(let status, _), .failed(let status, _): status.code
        case .abandoned: Self.clientClosedRequest
        }
    }
    /// From the complete head of the request to the last byte of the answer.
    let duration: Duration

    /// - Parameter start: When the head of the request was complete.
    @ReactorActor
    init(_ result: Result, since start: Instant) {
        self.result = result
        duration = Reactor.now - start
    }
}
