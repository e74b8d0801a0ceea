internal import HTTPBodies
internal import HTTPClient
internal import HTTPServer
internal import HTTPWire
internal import Reactor

/// A stream of events on its way from the next hop to a client, at the pace of the slower of the two.
///
/// Either side ends it: the client by leaving, the next hop by ending its answer, or by silence.
@ReactorActor
final class RelayedStream {
    /// Longest silence; the next hop says something every 15 s.
    private static let silenceMax = Duration.seconds(45)
    /// Longest answer that is no stream, such as an error.
    private static let wholeBytesMax = 64 * 1024

    private let context: RequestContext
    private let route: RelayedRoute
    private let askedAt = Reactor.now
    private var exchange: HTTPClientExchange?

    init(_ context: RequestContext, _ route: RelayedRoute) {
        self.context = context
        self.route = route
    }

    func start(_ request: HTTPClientRequest, _ client: HTTPClient) {
        exchange = client.open(request, deadline: context.deadline, silence: Self.silenceMax) { [self] result in
            switch result {
            case .success(let response): answered(response)
            case .failure(let error): fail(error)
            }
        }
        context.onClientGone = { [self] in
            context.abandon()
            exchange?.cancel()
        }
    }

    private func answered(_ response: HTTPClientResponse) {
        let head = response.head
        guard head.status == .ok, RelayedRoute.isOf(RelayedRoute.eventStream, head) else {
            return response.pulled.collect(limitBytes: Self.wholeBytesMax) { [self] result in
                switch result {
                case .success(let body):
                    context.onClientGone = nil
                    route.answer(context, head, body, askedAt: askedAt)
                case .failure(let error): fail(HTTPClientError(error))
                }
            }
        }
        let body = response.pulled
        guard context.head.method != .head else {
            context.respond(route.response(head, .omitted(length: nil)))
            return body.cancel()
        }
        let fields = route.response(head, .empty).fields
        let writer = context.startResponse(.ok, fields: fields, length: nil, isOpenEnded: true)
        // A failure cuts the client's connection, so that it asks again; the end of this process ends it in order.
        writer.whenDraining { writer.finish() }
        writer.write(body)
    }

    private func fail(_ error: HTTPClientError) {
        context.onClientGone = nil
        route.fail(context, .noAnswer(error))
    }
}
