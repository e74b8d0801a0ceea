internal import HTTPWire
internal import JSONWire
internal import Postgres
internal import Reactor
internal import Service
internal import WebAPI

/// From where on a client wants events as they happen; of one order, if the path names it.
struct StreamQuestion: Sendable {
    let after: Int64

    static let lastEventID = LastEventID(.wholeNumber(in: 0...Int(Int64.max)), example: 0)

    init(_ content: RequestContent) throws(APIError) {
        var fields = try Fields(content)
        self.init(reading: &fields)
        _ = try fields.finish(after)
    }

    fileprivate init(reading fields: inout Fields) { after = Int64(Self.lastEventID.read(&fields) ?? 0) }
}

/// The same for one order.
struct OrderStreamQuestion: Sendable {
    let id: OrderID
    let stream: StreamQuestion

    init(_ content: RequestContent) throws(APIError) {
        var fields = try Fields(content)
        let id = fields.read(OrderQuestion.id)
        stream = StreamQuestion(reading: &fields)
        self.id = try fields.finish(id)
    }
}

extension OrderOperations {
    private static let details = """
        First what is stored after the position that `Last-Event-ID` names, or from the start if it names none, then \
        what happens. The `id` of an event is its position. After a position that there has never been, an event of \
        the type `reset` comes first, and then everything from the start.
        """

    private static let answer = RouteAnswer.events(
        "Events of the type `order`; the data of each is an OrderEvent.",
        example: ServerSentEvent("order", id: "1", data: OrderEvent.example.description.utf8)
    )

    static let stream = Operation(
        .get,
        "/orders/stream",
        needs: .ordersRead,
        RouteDocumentation(
            "The events of all orders as they happen",
            details: details,
            in: .orders,
            parameters: StreamQuestion.lastEventID.documentation,
            answers: [answer],
            errors: APIError.ofDatabase
        ),
        faulty: [RequestContent(target: "/orders/stream?last_event_id=-1")]
    ) { request throws(APIError) in try StreamQuestion(request) }

    static let historyStream = Operation(
        .get,
        "/orders/{id}/stream",
        needs: .ordersRead,
        RouteDocumentation(
            "The history of one order as it happens",
            details: details,
            in: .orders,
            parameters: [OrderQuestion.id.documentation] + StreamQuestion.lastEventID.documentation,
            answers: [answer],
            errors: [.unknownOrder] + APIError.ofDatabase
        )
    ) { request throws(APIError) in try OrderStreamQuestion(request) }
}

extension OrderFeed {
    /// The internal API's routes.
    func routes(_ reader: OrderReader) -> [Route] {
        [
            OrderOperations.stream.answeredDirectly { [self] question, context in
                answer(context) { [self] () async throws(PostgresError) in
                    try await serve(context, of: nil, after: question.after)
                }
            },
            OrderOperations.historyStream.answeredDirectly { [self] question, context in
                answer(context) { [self] () async throws(PostgresError) in
                    let owner = context.caller?.subject
                    guard try await reader.order(question.id, of: owner, deadline: context.deadline) != nil else {
                        return context.fail(.unknownOrder)
                    }
                    try await serve(context, of: question.id, after: question.stream.after)
                }
            },
        ]
    }

    private func answer(
        _ context: RequestContext,
        _ body: @escaping @ReactorActor () async throws(PostgresError) -> Void
    ) {
        Reactor.spawn {
            do throws(APIError) {
                try await asked(body)
            } catch {
                context.fail(error)
            }
        }
    }
}
