internal import HTTPWire
internal import JSONWire
internal import WebAPI

/// What the routes that read orders and events are asked: pages of a list.
struct OrderPage: Sendable {
    let filter: OrderFilter
    let after: OrderID?
    let limit: Int

    static let status = Field.query(
        "status",
        FieldRule<Order.Status>.word,
        "Only orders of this status.",
        example: "pending"
    )
    static let instrument = Field.query(
        "instrument",
        .text(of: .alphanumeric, length: 12...12),
        "Only orders of this instrument.",
        example: "DE000A0Q4RZ3"
    )
    static let after = Field.query("after", .orderID, "`next` of the page before.", example: .string(Order.exampleID))

    init(_ content: RequestContent) throws(APIError) {
        var fields = try Fields(content)
        let status = fields.read(Self.status)
        let instrument = fields.read(Self.instrument)
        after = fields.read(Self.after)
        limit = fields.readPageLimit()
        _ = try fields.finish(limit)
        filter = OrderFilter(status: status, instrument: instrument)
    }

    static let parameters = [
        status.documentation, instrument.documentation, after.documentation, Field.pageLimit.documentation,
    ]
}

/// Events from behind a position on.
struct EventPage: Sendable {
    let after: Int64
    let limit: Int

    static let after = Field.query(
        "after",
        .wholeNumber(in: 0...Int(Int64.max)),
        "A position; 0 is the start.",
        example: 0
    )

    init(_ content: RequestContent) throws(APIError) {
        var fields = try Fields(content)
        self.init(reading: &fields)
        _ = try fields.finish(limit)
    }

    fileprivate init(reading fields: inout Fields) {
        after = Int64(fields.read(Self.after) ?? 0)
        limit = fields.readPageLimit()
    }

    static let parameters = [after.documentation, Field.pageLimit.documentation]
}

/// The id in the path.
struct OrderQuestion: Sendable {
    let id: OrderID

    static let id = Field.path("id", .orderID, "The id of the order.", example: .string(Order.exampleID))

    init(_ content: RequestContent) throws(APIError) {
        var fields = try Fields(content)
        id = try fields.finish(fields.read(Self.id))
    }
}

/// A page of one order's history.
struct HistoryQuestion: Sendable {
    let id: OrderID
    let page: EventPage

    init(_ content: RequestContent) throws(APIError) {
        var fields = try Fields(content)
        let id = fields.read(OrderQuestion.id)
        page = EventPage(reading: &fields)
        self.id = try fields.finish(id)
    }
}

extension FieldRule<OrderID> {
    /// A UUID.
    static let orderID = FieldRule("must be the id of an order", schema: .string(format: "uuid")) {
        OrderID($0)
    }
}
