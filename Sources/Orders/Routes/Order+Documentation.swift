internal import JSONWire
internal import WebAPI

extension Scope {
    static let ordersRead = Scope("orders:read", "Reading one's own orders, their history and streams")
    static let ordersWrite = Scope("orders:write", "Placing and cancelling orders")
}

extension RouteGroup {
    static let orders = RouteGroup("Orders", "Orders for the exchange, and what becomes of them.")
}

extension Order {
    static let exampleID = "01a1fd76-c4ba-78d7-ac0f-73e05585ea05"

    static let schema = Schema.object(
        [
            "id": .string(format: "uuid"), "created_at": .timestamp,
            "type": .word(OrderForm.Kind.allCases.map(\.rawValue)),
            "side": .word(OrderForm.Side.allCases.map(\.rawValue)), "instrument": .string(length: 12...12),
            "limit_price": .anything.described("With two decimals, exact; `null` for `market`."),
            "quantity": .integer(in: 1...OrderForm.quantityMax),
            "status": .word(Status.allCases.map(\.rawValue)), "expires_at": .timestamp,
            "filled_quantity": .integer(in: 1...OrderForm.quantityMax),
        ],
        optional: ["expires_at", "filled_quantity"]
    )
    .named("Order")

    static let example: JSONValue = [
        "id": .string(exampleID), "created_at": "2026-11-28T09:36:21.690Z", "type": "limit", "side": "buy",
        "instrument": "DE000A0Q4RZ3", "limit_price": .number("150.00"), "quantity": 10, "status": "pending",
    ]
}

extension OrderEvent {
    static let schema = Schema.object([
        "position": .integer(in: 1...Int.max).described("Its place among the events of all orders; there are no gaps."),
        "order_id": .string(format: "uuid"), "version": .integer(in: 1...Int(Int32.max)),
        "type": .word([
            "OrderSubmitted", "PlacementFailed", "PlacementUnknown", "OrderPlaced", "OrderRejected", "OrderCancelled",
            "OrderExpired", "OrderExecuted", "ExecutionCorrected",
        ]),
        "data": .object([:], isOpen: true), "created_at": .timestamp,
    ])
    .named("OrderEvent")

    static let example: JSONValue = [
        "position": 1, "order_id": .string(Order.exampleID), "version": 1, "type": "OrderSubmitted",
        "data": [
            "type": "limit", "side": "buy", "instrument": "DE000A0Q4RZ3", "limit_price": .number("150.00"),
            "quantity": 10,
        ], "created_at": "2026-11-28T09:36:21.690Z",
    ]
}

extension APIError {
    static let unknownOrder = APIError(.notFound, "There is no order of this id.")
    static let orderAlreadySent = APIError(.orderAlreadySent, "The order was sent to the exchange, or may have been.")
}
