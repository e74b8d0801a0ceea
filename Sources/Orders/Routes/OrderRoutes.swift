internal import HTTPClient
internal import HTTPServer
internal import HTTPWire
internal import JSONWire
internal import Logging
internal import Postgres
internal import Reactor
internal import Redis
internal import Service
internal import WebAPI

/// What can be asked of orders, declared once for the roles that serve it.
enum OrderOperations {
    static let submit = Operation(
        .post,
        "/orders",
        needs: .ordersWrite,
        OrderSubmission.documentation,
        faulty: OrderSubmission.faultyBodies.map { body in
            RequestContent(target: "/orders", fields: ["Content-Type: application/json"], body: body)
        }
    ) { request throws(APIError) in try OrderSubmission(request) }

    static let list = Operation(
        .get,
        "/orders",
        needs: .ordersRead,
        RouteDocumentation(
            "Orders, newest first",
            in: .orders,
            parameters: OrderPage.parameters,
            answers: [.page(of: Order.schema, next: .string(Order.exampleID), "Orders", example: Order.example)],
            errors: APIError.ofDatabase
        ),
        faulty: [RequestContent(target: "/orders?status=new&limit=0")]
    ) { request throws(APIError) in try OrderPage(request) }

    static let events = Operation(
        .get,
        "/orders/events",
        needs: .ordersRead,
        RouteDocumentation(
            "The events of all orders, in the order in which they were committed",
            in: .orders,
            parameters: EventPage.parameters,
            answers: [.page(of: OrderEvent.schema, next: 100, "OrderEvents", example: OrderEvent.example)],
            errors: APIError.ofDatabase
        ),
        faulty: [RequestContent(target: "/orders/events?after=-1")]
    ) { request throws(APIError) in try EventPage(request) }

    static let one = Operation(
        .get,
        "/orders/{id}",
        needs: .ordersRead,
        RouteDocumentation(
            "One order as it is now",
            in: .orders,
            parameters: [OrderQuestion.id.documentation],
            answers: [.json(.ok, "The order.", Order.schema, example: Order.example)],
            errors: [.unknownOrder] + APIError.ofDatabase
        )
    ) { request throws(APIError) in try OrderQuestion(request) }

    static let history = Operation(
        .get,
        "/orders/{id}/events",
        needs: .ordersRead,
        RouteDocumentation(
            "The history of one order",
            in: .orders,
            parameters: [OrderQuestion.id.documentation] + EventPage.parameters,
            answers: [.page(of: OrderEvent.schema, next: 100, "OrderEvents", example: OrderEvent.example)],
            errors: [.unknownOrder] + APIError.ofDatabase
        )
    ) { request throws(APIError) in try HistoryQuestion(request) }

    static let cancel = Operation(
        .delete,
        "/orders/{id}",
        needs: .ordersWrite,
        RouteDocumentation(
            "Cancel an order that was not sent",
            details: "The answer is 200 only if the order certainly never reached the exchange and now never will.",
            in: .orders,
            parameters: [OrderQuestion.id.documentation],
            answers: [
                .json(.ok, "The order, which is cancelled, or had expired.", Order.schema, example: Order.example)
            ],
            errors: [.unknownOrder, .orderAlreadySent] + APIError.ofDatabase
        )
    ) { request throws(APIError) in try OrderQuestion(request) }
}

/// The routes of orders, on each role that serves them.
@ReactorActor
final class OrderRoutes {
    /// Connections of the pool that the intake has for itself.
    static let intakeConnections = IntakeMachine.Limits().commitsMax

    let intake: Intake
    private let reader: OrderReader
    private let canceller: OrderCanceller
    let feed: OrderFeed
    private let hints: OrderHints

    /// - Parameters:
    ///   - intake: For the intake alone; see ``Intake``.
    ///   - database: For what is read.
    ///   - redis: For hints.
    init(intake: PostgresPool, database: PostgresPool, redis: RedisConfiguration, logger: Logger) {
        self.intake = Intake(intake, logger: logger)
        reader = OrderReader(database: database)
        canceller = OrderCanceller(database: database)
        feed = OrderFeed(reader, logger: logger)
        hints = OrderHints(redis, listeningTo: .events, logger: logger) { [feed] in feed.wake() }
        self.intake.onCommitted = { [feed, hints] in
            feed.wake()
            hints.ordersWereTaken()
        }
    }

    /// Ends what is done in the background.
    func close() { hints.close() }

    /// Of the routes of either role.
    nonisolated static let names = [
        OrderOperations.submit.name, OrderOperations.list.name, OrderOperations.events.name, OrderOperations.one.name,
        OrderOperations.history.name, OrderOperations.cancel.name, OrderOperations.stream.name,
        OrderOperations.historyStream.name,
    ]

    /// The gateway's: checked, then relayed.
    static func relayed(by api: Relay) -> [Route] {
        [
            OrderOperations.submit.relayed(by: api) { failure in
                // Every failure is the promised 500, unless certainly nothing was done because of a bound.
                switch failure {
                case .noAnswer(.overloaded), .refused(.serviceUnavailable): .failure(.overloaded)
                case .noAnswer, .refused, .unusable: .success(OrderSubmission.failed)
                }
            },
            OrderOperations.list.relayed(by: api), OrderOperations.events.relayed(by: api),
            OrderOperations.one.relayed(by: api), OrderOperations.history.relayed(by: api),
            OrderOperations.cancel.relayed(by: api), OrderOperations.stream.relayed(by: api),
            OrderOperations.historyStream.relayed(by: api),
        ]
    }

    /// The internal API's: checked, then answered.
    var routes: [Route] { [submit, list, events, one, history, cancel] + feed.routes(reader) }

    // MARK: Taking orders

    private var submit: Route {
        OrderOperations.submit.answered { [intake] submission, context async throws(APIError) in
            let answer = await intake.take(
                submission.form,
                owner: context.caller?.subject,
                key: submission.key,
                deadline: context.deadline
            )
            switch answer {
            case .created(let id):
                return Self.taken(id, submission.form)
            case .replayed(let id):
                var response = Self.taken(id, submission.form)
                response.fields.append(OrderSubmission.replayedField, "true")
                return response
            case .otherMembers: throw OrderSubmission.otherMembers
            case .past: throw OrderSubmission.past
            case .firstStillRuns: throw OrderSubmission.firstStillRuns
            case .refused: throw .overloaded
            case .failed: return OrderSubmission.failed
            }
        }
    }

    /// 201. The time is in the id, so that a repetition is told the same.
    private static func taken(_ id: OrderID, _ form: OrderForm) -> HTTPResponse {
        var response = HTTPResponse(json: Order(id: id, createdAt: id.createdAt, form: form).json, status: .created)
        response.fields.append("Location", "/orders/\(id)")
        return response
    }

    // MARK: Reading

    private var one: Route {
        OrderOperations.one.answered { [reader] question, context async throws(APIError) in
            let order = try await asked { () async throws(PostgresError) in
                try await reader.order(question.id, of: context.caller?.subject, deadline: context.deadline)
            }
            guard let order else { throw .unknownOrder }
            return HTTPResponse(json: order.json)
        }
    }

    private var list: Route {
        OrderOperations.list.answered { [reader] page, context async throws(APIError) in
            var filter = page.filter
            filter.owner = context.caller?.subject
            let orders = try await asked { [filter] () async throws(PostgresError) in
                try await reader.orders(
                    filter,
                    after: page.after,
                    limit: page.limit + 1,
                    deadline: context.deadline
                )
            }
            return .page(orders, limit: page.limit) {
                $0.string($1.id.description)
            } write: {
                $1.write(to: &$0)
            }
        }
    }

    private var events: Route {
        OrderOperations.events.answered { [reader] page, context async throws(APIError) in
            let events = try await asked { () async throws(PostgresError) in
                try await reader.events(
                    ownedBy: context.caller?.subject,
                    after: page.after,
                    limit: page.limit + 1,
                    deadline: context.deadline
                )
            }
            return .page(events, limit: page.limit) {
                $0.integer(Int($1.position))
            } write: {
                $0.raw($1.json)
            }
        }
    }

    private var history: Route {
        OrderOperations.history.answered { [reader] question, context async throws(APIError) in
            let page = question.page
            let owner = context.caller?.subject
            let events = try await asked { () async throws(PostgresError) -> [OrderEvent]? in
                if owner != nil, try await reader.order(question.id, of: owner, deadline: context.deadline) == nil {
                    return nil
                }
                let events = try await reader.events(
                    of: question.id,
                    after: page.after,
                    limit: page.limit + 1,
                    deadline: context.deadline
                )
                guard events.isEmpty else { return events }
                return try await reader.order(question.id, of: owner, deadline: context.deadline) == nil ? nil : []
            }
            guard let events else { throw .unknownOrder }
            return .page(events, limit: page.limit) {
                $0.integer(Int($1.position))
            } write: {
                $0.raw($1.json)
            }
        }
    }

    // MARK: Cancelling

    private var cancel: Route {
        OrderOperations.cancel.answered { [reader, canceller, feed, hints] question, context async throws(APIError) in
            let order = try await asked { () async throws(PostgresError) in
                let owner = context.caller?.subject
                try await canceller.cancel(question.id, of: owner, deadline: context.deadline)
                feed.wake()
                hints.eventsWereAdded()
                return try await reader.order(question.id, of: owner, deadline: context.deadline)
            }
            guard let order else { throw .unknownOrder }
            switch order.status {
            case .cancelled, .expired: return HTTPResponse(json: order.json)
            case .pending, .placed, .partiallyFilled, .filled, .rejected: throw .orderAlreadySent
            }
        }
    }
}
