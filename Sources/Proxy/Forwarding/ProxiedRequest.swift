internal import HTTPBodies
internal import HTTPClient
internal import HTTPServer
internal import HTTPWire
internal import Reactor
internal import WebAPI

/// A request on its way through the proxy: both bodies flow at the pace of the slower side, and no more of them is kept
/// than a piece of each.
///
///     client ──body──▶ read when the upstream took the last piece ──▶ upstream
///     client ◀── written, the next piece read when there is room ◀──body── upstream
@ReactorActor
final class ProxiedRequest {
    /// A body that is announced to be no longer is sent together with its head, and can be sent again.
    private static let wholeBytesMax = 16 * 1024

    private let context: RequestContext
    private let head: RequestHead
    private let path: ProxyPath
    private var upstream: Upstream
    /// A body that was read before the request was sent.
    private var wholeBody: [UInt8] = []
    private var hasFailedOver = false
    /// Is told how it ended.
    private let proxy: Proxy
    /// What its answer means for the cache; nil on a route without one.
    private let task: CacheTask?
    /// Whether the answer goes to the cache, from where the client gets it.
    private var isFilling = false
    private let startedAt: Instant
    /// What the client would rather speak.
    private let upgrade: String?
    private var exchange: HTTPClientExchange?
    private var isEnded = false

    init(
        _ context: RequestContext,
        _ path: ProxyPath,
        task: CacheTask?,
        startedAt: Instant,
        of proxy: Proxy
    ) {
        self.task = task
        self.startedAt = startedAt
        self.context = context
        let head = context.head
        self.head = head
        self.path = path
        upstream = path.group.choose()
        self.proxy = proxy
        upgrade = ForwardedHead.upgrade(of: head)
    }

    func start() {
        context.onClientGone = { [self] in abandon() }
        if case .length(let count) = head.framing, count > 0, count <= Self.wholeBytesMax, !head.expectsContinue {
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
        var bytes: [UInt8] = []
        // With what the allocator and the array note beside it, still of a size that is at hand.
        bytes.reserveCapacity(960 + wholeBody.count)
        ForwardedHead.append(
            context,
            head,
            path,
            to: upstream,
            framing: head.framing,
            upgrade: upgrade,
            task: task,
            &bytes
        )
        bytes += wholeBody
        let method = head.method
        var request = HTTPClientRequest(
            method,
            bytes: bytes,
            isIdempotent: upgrade == nil && method.isIdempotent || ForwardedHead.passesIdempotencyKey(of: head)
        )
        if head.framing.hasBytes, wholeBody.isEmpty { request.body = context.request.body }
        if head.framing == .chunked { ForwardedHead.passTrailers(of: context, by: path.route) }
        request.expectsContinue = head.expectsContinue
        request.wantsInterim = true
        request.asksForUpgrade = upgrade != nil
        request.insists = path.group.insists(on: upstream)
        exchange = upstream.client.open(
            request,
            deadline: Reactor.now + path.route.timeout,
            silence: path.route.idleTimeout
        ) { [self] result in
            switch result {
            case .success(let response): answered(response)
            case .failure(let failure): failed(failure)
            }
        }
    }

    // MARK: The answer

    private func answered(_ response: HTTPClientResponse) {
        let head = response.head
        if head.status.isInformational, head.status != .switchingProtocols {
            return context.sendInterim(
                head.status,
                fields: head.fields.endToEnd(announcesTrailers: false, except: isKeptBack)
            )
        }
        context.note(hop: "upstream", since: startedAt)
        var fields = head.fields.endToEnd(announcesTrailers: head.framing == .chunked, except: isKeptBack)
        if head.status == .switchingProtocols || head.status == .upgradeRequired {
            for value in head.fields.values("upgrade") { fields.append("Upgrade", value) }
        }
        if head.status == .switchingProtocols { return beginTunnel(response, fields) }
        if let verdict = task?.began(head, fields) {
            switch verdict {
            case .pass(let cacheStatus): fields.append("Cache-Status", cacheStatus)
            case .fill(let answer, let cacheStatus):
                isFilling = true
                task?.fill(from: response.pulled)
                return deliver(answer, cacheStatus)
            case .give(let answer, let cacheStatus):
                // Of an error that is not given nobody reads the rest.
                exchange?.cancel()
                return deliver(answer, cacheStatus)
            case .again: return open()
            }
        }
        pass(response, fields)
    }

    /// Whether a field of an answer, of an interim one or behind a body, is not the client's.
    private func isKeptBack(_ name: Span<UInt8>) -> Bool {
        FieldNames.isForProxy(name) || context.decidesCrossOrigin && FieldNames.isOfCrossOrigin(name)
    }

    private func pass(_ response: HTTPClientResponse, _ fields: HTTPFields) {
        let head = response.head
        let status = head.status
        if self.head.method == .head || status.forbidsBody {
            context.respond(HTTPResponse(status, fields: fields, body: .omitted(length: head.contentLength)))
            return end(.answered(status))
        }
        guard let rest = response.rest else {
            context.respond(HTTPResponse(status, fields: fields, body: .bytes(response.body)))
            return end(.answered(status))
        }
        if head.framing == .chunked {
            rest.passTrailers { [self] in head.fields.endToEnd(trailers: $0, except: isKeptBack) }
        }
        let length: Int? = if case .length(let count) = head.framing { count } else { nil }
        context.startResponse(status, fields: fields, length: length).write(rest) { [self] error in
            switch error {
            case nil: end(.answered(status))
            case .unwanted: abandon()
            case let error?: end(.cut(status, HTTPClientError(error)))
            }
        }
    }

    /// Gives what the cache has, or gets from here.
    private func deliver(_ answer: CachedAnswer, _ cacheStatus: String) {
        CachedDelivery.give(answer, to: context, status: cacheStatus, now: Clock.seconds) { [self] status, isWhole in
            // It may have read nothing of it: a 304 says it all. The upstream must not wait for it then.
            if isFilling { task?.readerLeft() }
            if isWhole {
                end(.answered(status))
            } else if answer.progress == .cut {
                end(.cut(status, .connectionLost(mayHaveBeenProcessed: true)))
            } else {
                abandon()
            }
        }
    }

    /// From now on bytes go both ways, at the pace of the slower side, until either ends or both are silent for too
    /// long.
    private func beginTunnel(_ response: HTTPClientResponse, _ fields: HTTPFields) {
        guard let ends = context.startTunnel(fields: fields) else { return abandon() }
        exchange?.tunnel(ends.input, silence: path.route.tunnelTimeout)
        // Nobody can tell both ends to come back later in a protocol that is not known here.
        ends.output.whenDraining { ends.output.finish() }
        ends.output.write(response.pulled) { [self] _ in
            exchange?.cancel()
            end(.answered(.switchingProtocols))
        }
    }

    private func failed(_ failure: HTTPClientError) {
        // The server has answered, or nobody is there any more.
        if failure == .cancelled, context.request.body.failure != nil { return abandon() }
        if !failure.mayHaveBeenProcessed, failOver() { return }
        if case .give(let answer, let cacheStatus)? = task?.failed() {
            deliver(answer, cacheStatus)
        } else {
            let error = failure.proxyError
            context.fail(error, fields: failure.proxyStatus)
            end(.failed(error.code.status, failure))
        }
    }

    /// Asks another upstream, because the first got nothing of the request.
    private func failOver() -> Bool {
        guard !hasFailedOver, context.isUnanswered else { return false }
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
        if isFilling { task?.readerLeft() } else { exchange?.cancel() }
        context.abandon()
        end(.abandoned)
    }

    private func end(_ result: ProxiedOutcome.Result) {
        guard !isEnded else { return }
        isEnded = true
        context.onClientGone = nil
        // While the answer still comes, its end is told when it is there.
        if !isFilling { task?.ended(isWhole: false) }
        proxy.ended(context, path, upstream, ProxiedOutcome(result, since: startedAt))
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
