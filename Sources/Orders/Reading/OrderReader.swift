internal import JSONWire
internal import Postgres
internal import Reactor

/// Which orders a list has.
struct OrderFilter: Hashable, Sendable {
    var status: Order.Status?
    var instrument: String?
    /// Only those of this `sub`; nil for everybody's.
    var owner: String?
}

/// One event of an order, in the JSON that clients see.
struct OrderEvent: Hashable, Sendable {
    let position: Int64
    let orderID: OrderID
    /// Who placed the order; nil while nobody has to say who he is.
    let owner: String?
    let type: String
    let json: [UInt8]
}

/// Reads orders and their history.
@ReactorActor
struct OrderReader {
    let database: PostgresPool

    /// The order of an id; nil if there is none.
    ///
    /// - Parameter owner: Whose it must be; nil for anybody's.
    func order(_ id: OrderID, of owner: String?, deadline: Instant) async throws(PostgresError) -> Order? {
        let result = try await database.query(
            Self.one,
            [.text(id.description), owner.map { .text($0) } ?? .null],
            deadline: deadline
        )
        return result.isEmpty ? nil : Order(result, 0)
    }

    /// Orders, newest first.
    ///
    /// - Parameter after: The last one of the page before.
    func orders(
        _ filter: OrderFilter,
        after: OrderID?,
        limit: Int,
        deadline: Instant
    ) async throws(PostgresError) -> [Order] {
        let conditions = [filter.status?.rawValue, filter.instrument, filter.owner]
        let result = try await database.query(
            Self.pages[conditions.map { $0 != nil }] ?? Self.page(by: []),
            [.text(after?.description ?? Self.lastID), .int64(Int64(limit))]
                + conditions.compactMap(\.self).map { .text($0) },
            deadline: deadline
        )
        return (0..<result.count).map { Order(result, $0) }
    }

    /// The history of one order, or of all, from behind a position.
    ///
    /// - Parameters:
    ///   - owner: Of all orders, only those of this `sub`; nil for everybody's.
    ///   - known: Up to where the caller knows that no event of any order can be added; of all orders, at least what is
    ///     up to there is read.
    func events(
        of id: OrderID? = nil,
        ownedBy owner: String? = nil,
        after position: Int64,
        known: Int64 = 0,
        limit: Int,
        deadline: Instant
    ) async throws(PostgresError) -> [OrderEvent] {
        let limits: [PostgresParameter] = [.int64(position), .int64(Int64(limit))]
        let result =
            if let id {
                try await database.query(Self.history, limits + [.text(id.description)], deadline: deadline)
            } else if let owner {
                try await database.query(
                    Self.eventsOfOwner,
                    limits + [.int64(known), .text(owner)],
                    deadline: deadline
                )
            } else {
                try await database.query(Self.events, limits + [.int64(known)], deadline: deadline)
            }
        return (0..<result.count).map { OrderEvent(result, $0) }
    }

    /// A position up to which no event can be added any more; 0 while there is none.
    func settledPosition(deadline: Instant) async throws(PostgresError) -> Int64 {
        let result = try await database.query(Self.settled, deadline: deadline)
        return result.int64(0, 0) ?? 0
    }

    /// The highest position that there may ever have been; none that was told of is above it.
    func lastPosition(deadline: Instant) async throws(PostgresError) -> Int64 {
        try await database.query(Self.lastPosition, deadline: deadline).int64(0, 0) ?? 0
    }

    // MARK: Statements

    /// Above every id.
    private static let lastID = "ffffffff-ffff-ffff-ffff-ffffffffffff"

    nonisolated static let columns = """
        id, (extract(epoch from created_at) * 1000)::bigint, type, side, instrument, limit_price, quantity, status,
        (extract(epoch from expires_at) * 1000)::bigint, filled_quantity
        """

    private static let lastPosition = PostgresStatement(reading: "select last_value from order_event_positions")

    private static let one = PostgresStatement(
        reading: "select \(columns) from orders where id = $1 and ($2::text is null or owner = $2)"
    )

    private static func page(by columns: [String]) -> PostgresStatement {
        let conditions = columns.enumerated().map { "and \($1) = $\($0 + 3)" }.joined(separator: " ")
        return PostgresStatement(
            reading: "select \(Self.columns) from orders where id < $1 \(conditions) order by id desc limit $2"
        )
    }

    /// By which of status, instrument and owner are given.
    private static let pages: [[Bool]: PostgresStatement] = {
        var pages: [[Bool]: PostgresStatement] = [:]
        for bits in 0..<8 {
            let given = (0..<3).map { bits >> $0 & 1 == 1 }
            pages[given] = page(by: zip(["status", "instrument", "owner"], given).filter(\.1).map(\.0))
        }
        return pages
    }()

    nonisolated static let eventColumns = """
        position, order_id, version, type, data, (extract(epoch from created_at) * 1000)::bigint,
        (select o.owner from orders as o where o.id = order_id)
        """

    private static let events = PostgresStatement(
        reading: "select \(eventColumns) from order_events_after($1, $3, $2)"
    )
    private static let eventsOfOwner = PostgresStatement(
        reading: """
            select \(eventColumns)
            from order_events as e
            where position > $1 and position <= greatest($3, settled_event_position())
                and exists (select from orders as o where o.id = e.order_id and o.owner = $4)
            order by position
            limit $2
            """
    )
    // Versions follow positions, as who adds an event holds the order until its commit. By version, the history is one
    // range of the index, and it is as complete as the order's row.
    private static let history = PostgresStatement(
        reading: """
            select \(eventColumns)
            from order_events
            where order_id = $3 and position > $1
            order by order_id, version
            limit $2
            """
    )
    private static let settled = PostgresStatement(reading: "select settled_event_position()")
}

extension Order {
    /// Reads a row of ``OrderReader/columns``.
    init(_ result: PostgresResult, _ row: Int) {
        func text(_ column: Int) -> String { result.text(row, column) ?? "" }
        func time(_ column: Int) -> Timestamp? {
            result.int64(row, column).map { Timestamp(unixTime: .milliseconds($0)) }
        }
        guard let id = OrderID(text(0)), let createdAt = time(1), let kind = OrderForm.Kind(rawValue: text(2)),
            let side = OrderForm.Side(rawValue: text(3)), let quantity = result.int64(row, 6),
            let status = Status(rawValue: text(7)), let filledQuantity = result.int64(row, 9)
        else { preconditionFailure("the table has constraints for all of these") }
        self.init(
            id: id,
            createdAt: createdAt,
            form: OrderForm(
                kind: kind,
                side: side,
                instrument: text(4),
                limitPrice: result.text(row, 5).flatMap { FixedDecimal($0, places: OrderForm.priceDecimals) },
                quantity: Int(quantity),
                expiresAt: time(8)
            ),
            status: status,
            filledQuantity: Int(filledQuantity)
        )
    }
}

extension OrderEvent {
    /// Reads a row of ``OrderReader/eventColumns``.
    init(_ result: PostgresResult, _ row: Int) {
        guard let position = result.int64(row, 0), let id = result.text(row, 1), let orderID = OrderID(id),
            let version = result.int64(row, 2), let type = result.text(row, 3), let time = result.int64(row, 5)
        else { preconditionFailure("no column of an event is null") }
        var writer = JSONWriter(capacity: 320)
        writer.object { writer in
            writer.member("position", Int(position))
            writer.member("order_id", id)
            writer.member("version", Int(version))
            writer.member("type", type)
            writer.key("data")
            result.withUTF8(row, 4) { writer.raw($0) }
            writer.member("created_at", Timestamp(unixTime: .milliseconds(time)).description)
        }
        self.position = position
        self.orderID = orderID
        owner = result.text(row, 6)
        self.type = type
        json = writer.take()
    }
}
