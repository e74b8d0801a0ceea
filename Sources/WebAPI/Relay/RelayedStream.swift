internal import HTTPClient
internal import HTTPServer
internal import HTTPWire
internal import Reactor

/// A stream of events on its way from the next hop to a client, at the pace of the slower of the two.
///
/// Either side ends it: the client by leaving, the next hop by ending its answer, or by silence.
@ReactorActor
final class RelayedStream: HTTPClientReceiver {
    /// Longest silence; the next hop says something every 15 s.
    private static let silenceMax = Duration.seconds(45)
    /// Longest answer that is no stream, such as an error.
    private static let wholeBytesMax = 64 * 1024

    private let context: RequestContext
    private let route: RelayedRoute
    private let askedAt = Reactor.now
    private var exchange: HTTPClientExchange?
    private var head: ResponseHead?
    private var isStream = false
    /// Whether the client has not taken what came.
    private var isHeldBack = false
    /// What came before the client's writer was there, or belongs to an answer that is no stream.
    private var kept: [UInt8] = []
    private var writer: HTTPResponseWriter?
    private let ended = Promise<Void, HTTPClientError>()

    init(_ context: RequestContext, _ route: RelayedRoute) {
        self.context = context
        self.route = route
    }

    func start(_ request: HTTPClientRequest, _ client: HTTPClient) {
        exchange = client.open(request, deadline: context.deadline, receiver: self)
        context.onClientGone = { [self] in abandon() }
    }

    func responseBegan(_ head: ResponseHead) {
        self.head = head
        guard head.status == .ok, RelayedRoute.isOf(RelayedRoute.eventStream, head) else { return }
        isStream = true
        guard context.head.method != .head else {
            context.respond(route.response(head, .omitted(length: nil)))
            return abandon()
        }
        // Read on when there is somewhere to write to.
        exchange?.pause()
        exchange?.moveDeadline(to: Reactor.now + Self.silenceMax)
        let body = HTTPResponse.Body.openEnded { [self] writer in try await pass(to: writer) }
        context.respond(route.response(head, body))
    }

    func responseBodyReceived(_ bytes: Span<UInt8>) {
        guard isStream else {
            guard kept.count + bytes.count <= Self.wholeBytesMax else { return end(.responseTooLarge) }
            return kept.append(copying: bytes)
        }
        exchange?.moveDeadline(to: Reactor.now + Self.silenceMax)
        guard let writer else { return kept.append(copying: bytes) }
        writer.write(bytes)
        waitForRoom(writer)
    }

    func responseEnded(_ failure: HTTPClientError?) {
        exchange = nil
        if isStream {
            if let failure { ended.fail(failure) } else { ended.succeed(()) }
        } else {
            context.onClientGone = nil
            if let failure { return route.fail(context, .noAnswer(failure)) }
            if let head { route.answer(context, head, kept, askedAt: askedAt) }
        }
    }

    func requestBodyWanted() {}

    /// Writes what comes, until either side ends. A failure cuts the client's connection, so that it asks again.
    private func pass(to writer: HTTPResponseWriter) async throws {
        self.writer = writer
        let before = kept
        kept = []
        writer.write(before.span)
        exchange?.resume()
        waitForRoom(writer)
        writer.whenDraining { [self] in drain() }
        try await ended.value
    }

    private func waitForRoom(_ writer: HTTPResponseWriter) {
        // Other pieces may follow in what was read at once.
        guard !writer.hasRoom, !isHeldBack else { return }
        isHeldBack = true
        exchange?.pause()
        writer.whenRoom { [self] in
            isHeldBack = false
            if writer.isClosed { abandon() } else { exchange?.resume() }
        }
    }

    /// This process ends: so does the stream, in order, and the client asks again elsewhere.
    private func drain() {
        ended.succeed(())
        end(.cancelled)
    }

    /// The client has left.
    private func abandon() { end(.cancelled) }

    private func end(_ error: HTTPClientError) {
        guard let exchange = exchange.take() else { return }
        exchange.cancel()
        if isStream {
            ended.fail(error)
        } else if error == .cancelled {
            context.abandon()
        } else {
            route.fail(context, .noAnswer(error))
        }
    }
}
