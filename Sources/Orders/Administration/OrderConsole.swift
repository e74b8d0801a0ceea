internal import Admin
internal import Basics
internal import HTTPServer
internal import HTTPWire
internal import JSONWire
internal import Postgres
internal import Reactor
internal import Service
internal import WebAPI

/// What operators see of orders that wait to be placed, and do with them.
enum OrderConsole {
    /// Up to so many are counted.
    private static let countMax = 10_000

    /// How many orders wait, and those that wait longest.
    @ReactorActor
    static func section(_ database: PostgresPool) -> ConsoleSection {
        ConsoleSection("orders") { deadline async throws(APIError) in
            let orders = OrderAdministration(database, deadline: deadline)
            let (waiting, stuck) = try await administered { () async throws(OrderAdministrationError) in
                (
                    try await orders.countWaiting(atMost: countMax + 1),
                    try await orders.stuck(limit: ConsoleSection.rowsMax)
                )
            }
            var writer = JSONWriter(capacity: 512 * (stuck.rows.count + 1))
            writer.object { writer in
                writer.member("waiting", min(waiting, countMax))
                writer.member("waiting_is_more", waiting > countMax)
                writer.key("stuck")
                writer.array { writer in
                    for row in stuck.json { writer.raw(Array(row.utf8)) }
                }
            }
            return writer.take()
        }
    }

    // MARK: Doing

    /// What is to be done to one order.
    private enum Deed: String, CaseIterable, Sendable {
        case hold, release, retry

        var summary: String {
            switch self {
            case .hold: "Keep an order that waits from being placed, until it is released"
            case .release: "Let an order go that is held"
            case .retry: "Have an order that waits be tried now"
            }
        }
    }

    private struct Surrender: Sendable {
        let id: OrderID
        let reason: String
    }

    /// The routes of the admin listener.
    @ReactorActor
    static func routes(_ database: PostgresPool, audit: AuditLog) -> [Route] {
        let deeds = Deed.allCases.map { deed in
            operation(deed).performed(as: "orders.\(deed.rawValue)", in: audit, on: \.description) {
                id async throws(APIError) in
                let orders = OrderAdministration(database, deadline: Reactor.now + patience)
                let outcome = try await administered { () async throws(OrderAdministrationError) in
                    try await perform(deed, id.description, orders)
                }
                return try told(outcome, deed.rawValue, id)
            }
        }
        let surrender = giveUp.performed(as: "orders.give-up", in: audit, on: { "\($0.id): \($0.reason)" }) {
            surrender async throws(APIError) in
            let orders = OrderAdministration(database, deadline: Reactor.now + patience)
            let outcome = try await administered { () async throws(OrderAdministrationError) in
                try await orders.giveUp(surrender.id.description, reason: surrender.reason)
            }
            return try told(outcome, "give-up", surrender.id)
        }
        return deeds + [surrender]
    }

    private static let patience = Duration.seconds(5)

    @ReactorActor
    private static func perform(
        _ deed: Deed,
        _ id: String,
        _ orders: OrderAdministration
    ) async throws(OrderAdministrationError) -> OrderAdministration.Outcome {
        switch deed {
        case .hold: return try await orders.hold(id)
        case .release:
            return try await orders.isHeld(id) == false ? .refused("it is not held") : try await orders.release(id)
        case .retry:
            return try await orders.isHeld(id) == true
                ? .refused("it is held; release it") : try await orders.release(id)
        }
    }

    private static func told(
        _ outcome: OrderAdministration.Outcome,
        _ deed: String,
        _ id: OrderID
    ) throws(APIError) -> AdminOutcome {
        switch outcome {
        case .done: return AdminOutcome("done", ["id": .string(id.description), "done": .string(deed)])
        case .refused(let words): throw APIError(.validationFailed, "\(id): \(words).")
        case .unknown: throw unknown
        }
    }

    private static let unknown = APIError(.notFound, "There is no such order.")
    private static let id = Field.path(
        "id",
        FieldRule<OrderID>.orderID,
        "The order.",
        example: .string(Order.exampleID)
    )
    private static let reason = Field.member(
        "reason",
        FieldRule<String>.reason,
        "Why; stands in its history.",
        isRequired: true,
        example: "told by the exchange's desk"
    )

    private static func operation(_ deed: Deed) -> Operation<OrderID> {
        Operation(
            .post,
            PathTemplate(stringLiteral: "/admin/orders/{id}/\(deed.rawValue)"),
            RouteDocumentation(
                deed.summary,
                in: .administration,
                parameters: [id.documentation],
                answers: [.json(.ok, "It is done.", .anything, example: nil)],
                errors: [unknown] + APIError.ofDatabase
            )
        ) { request throws(APIError) in
            var fields = try Fields(request)
            return try fields.finish(fields.read(id))
        }
    }

    private static let giveUp = Operation(
        .post,
        "/admin/orders/{id}/give-up",
        RouteDocumentation(
            "Reject an order that was certainly not executed, for a reason",
            in: .administration,
            parameters: [id.documentation],
            body: .json("GivenUp", [reason.documentation]),
            answers: [.json(.ok, "It is rejected.", .anything, example: nil)],
            errors: [unknown] + APIError.ofDatabase
        )
    ) { request throws(APIError) in
        var fields = try Fields(request)
        let one = fields.read(id)
        let words = fields.read(reason)
        let (order, reason) = try fields.finish(one, words)
        return Surrender(id: order, reason: reason)
    }
}

/// Asks for an operator.
@ReactorActor
private func administered<Value>(
    _ body: () async throws(OrderAdministrationError) -> Value
) async throws(APIError) -> Value {
    do { return try await body() } catch {
        if case .database(let error) = error { throw APIError(error) }
        throw .internalError
    }
}

extension FieldRule<String> {
    /// Words for a person.
    fileprivate static let reason = FieldRule(
        "must be a text of 1 to 500 characters",
        schema: .string(length: 1...500)
    ) { (1...500).contains($0.unicodeScalars.count) && !$0.utf8.contains(0) ? $0 : nil }
}
