package import Basics
internal import JSONWire
package import Postgres
package import Reactor

/// Why a command did not do what it was asked.
package enum OrderAdministrationError: Error, Equatable {
    case database(PostgresError)
    /// The exchange's ledger, in words.
    case ledger(String)
    /// A line of a client's log, counted from 1.
    case log(line: Int)
}

/// What operators ask and do about orders.
@ReactorActor
package struct OrderAdministration {
    /// What became of what was to be done to one order.
    package enum Outcome: Sendable {
        case done
        /// It is another state that forbids it, in words.
        case refused(String)
        /// There is no order of this id.
        case unknown
    }

    private typealias Ask = @ReactorActor (String, [PostgresParameter]) async throws(PostgresError) -> PostgresResult

    private let ask: Ask

    /// - Parameter session: Takes as long as a statement takes; who runs the command bounds it.
    package init(_ session: PostgresSession) {
        ask = { sql, parameters async throws(PostgresError) in
            try await session.query(sql, parameters, deadline: .distantFuture)
        }
    }

    /// - Parameter deadline: When nobody waits for it any more.
    init(_ database: PostgresPool, deadline: Instant) {
        ask = { sql, parameters async throws(PostgresError) in
            try await database.query(Self.statement(sql), parameters, deadline: deadline)
        }
    }

    /// By their texts, of which this file has a few.
    private static var statements: [String: PostgresStatement] = [:]

    private static func statement(_ sql: String) -> PostgresStatement {
        if let statement = statements[sql] { return statement }
        let statement = PostgresStatement(sql)
        statements[sql] = statement
        return statement
    }

    nonisolated package static func isID(_ text: String) -> Bool { OrderID(text) != nil }

    nonisolated package static var statuses: [String] { Order.Status.allCases.map(\.rawValue) }

    func query(_ sql: String, _ parameters: [PostgresParameter] = []) async throws(OrderAdministrationError)
        -> PostgresResult
    {
        do {
            return try await ask(sql, parameters)
        } catch {
            throw .database(error)
        }
    }

    // MARK: Looking

    /// Orders, newest first.
    package func list(status: String?, instrument: String?, limit: Int) async throws(OrderAdministrationError)
        -> Listing
    {
        let result = try await query(
            """
            select \(OrderReader.columns) from orders
            where ($1::text is null or status = $1) and ($2::text is null or instrument = $2)
            order by id desc limit $3
            """,
            [status.map { .text($0) } ?? .null, instrument.map { .text($0) } ?? .null, .int64(Int64(limit))]
        )
        return table(ofOrders: result)
    }

    /// One order; no row if there is none.
    package func one(_ id: String) async throws(OrderAdministrationError) -> Listing {
        table(ofOrders: try await query("select \(OrderReader.columns) from orders where id = $1", [.text(id)]))
    }

    private func table(ofOrders result: PostgresResult) -> Listing {
        var table = Listing([
            "order", "created", "type", "side", "instrument", "price", "quantity", "filled", "status", "expires",
        ])
        for row in 0..<result.count {
            let order = Order(result, row)
            table.append(
                [
                    order.id.description, order.createdAt.description, order.form.kind.rawValue,
                    order.form.side.rawValue, order.form.instrument, order.form.limitPrice?.description ?? "-",
                    String(order.form.quantity), String(order.filledQuantity), order.status.rawValue,
                    order.form.expiresAt?.description ?? "-",
                ],
                json: order.json
            )
        }
        return table
    }

    /// The history of one order, or of all from behind a position on.
    package func events(of id: String?, after position: Int, limit: Int) async throws(OrderAdministrationError)
        -> Listing
    {
        let page: [PostgresParameter] = [.int64(Int64(position)), .int64(Int64(limit))]
        let columns = "select \(OrderReader.eventColumns)"
        let result =
            if let id {
                try await query(
                    "\(columns) from order_events where order_id = $3 and position > $1 order by position limit $2",
                    page + [.text(id)]
                )
            } else {
                try await query("\(columns) from order_events_after($1, 0, $2)", page)
            }
        var table = Listing(["position", "order", "version", "created", "event", "data"])
        for row in 0..<result.count {
            let event = OrderEvent(result, row)
            let time = result.int64(row, 5).map { Timestamp(unixTime: .milliseconds($0)).description } ?? ""
            let data = result.text(row, 4) ?? ""
            let version = result.text(row, 2) ?? ""
            table.append(
                [
                    String(event.position), event.orderID.description, version, time, event.type,
                    data == "{}" ? "" : data,
                ],
                json: event.json
            )
        }
        return table
    }

    /// How many orders wait for being placed, as far as one counts.
    func countWaiting(atMost limit: Int) async throws(OrderAdministrationError) -> Int {
        let result = try await query(
            "select count(*) from (select from outbox where destination = 'exchange' limit $1) as waiting",
            [.int64(Int64(limit))]
        )
        return Int(result.int64(0, 0) ?? 0)
    }

    /// Orders that wait for being placed, those that wait longest first.
    ///
    /// - Parameter id: Of the only one to look at.
    package func stuck(only id: String? = nil, limit: Int) async throws(OrderAdministrationError) -> Listing {
        let result = try await query(
            """
            select m.key, (extract(epoch from clock_timestamp() - m.created_at) * 1000)::bigint,
                coalesce(a.attempts, 0)::bigint,
                case
                    when a.message_id is null then 'not tried yet'
                    when a.owner is not null and w.lease_until > clock_timestamp() then 'being placed'
                    when a.owner is not null then 'left by a worker that is gone'
                    when a.due_at = 'infinity' then 'held'
                    when a.due_at <= clock_timestamp() then 'due'
                    else 'due in ' || round(extract(epoch from a.due_at - clock_timestamp()), 1) || ' s'
                end,
                a.uncertain_at is not null,
                (
                    select e.data ->> 'error' from order_events as e
                    where e.order_id = m.key and e.type in ('PlacementFailed', 'PlacementUnknown')
                    order by e.version desc limit 1
                )
            from outbox as m
            left join outbox_attempts as a on a.message_id = m.id
            left join outbox_owners as w on w.owner = a.owner
            where m.destination = 'exchange' and ($2::uuid is null or m.key = $2)
            order by m.id limit $1
            """,
            [.int64(Int64(limit)), id.map { .text($0) } ?? .null]
        )
        var table = Listing(["order", "waits", "attempts", "now", "last error"])
        for row in 0..<result.count {
            let (id, milliseconds) = (result.text(row, 0) ?? "", Int(result.int64(row, 1) ?? 0))
            let (attempts, state) = (Int(result.int64(row, 2) ?? 0), result.text(row, 3) ?? "")
            let isUncertain = result.bool(row, 4) ?? false
            let error = result.text(row, 5)
            var writer = JSONWriter(capacity: 256)
            writer.object { writer in
                writer.member("id", id)
                writer.member("waits_ms", milliseconds)
                writer.member("attempts", attempts)
                writer.member("now", state)
                writer.member("may_be_placed", isUncertain)
                writer.key("last_error")
                if let error { writer.string(error) } else { writer.null() }
            }
            let words = isUncertain ? "\(state), may be placed already" : state
            table.append(
                [id, Self.seconds(milliseconds), String(attempts), words, error ?? "-"],
                json: writer.take()
            )
        }
        return table
    }

    nonisolated private static func seconds(_ milliseconds: Int) -> String {
        "\(milliseconds / 1000).\(milliseconds % 1000 / 100) s"
    }

    // MARK: Doing

    /// Keeps an order from being placed, until it is released.
    package func hold(_ id: String) async throws(OrderAdministrationError) -> Outcome {
        try await postpone(id, "'infinity'")
    }

    /// Lets an order that is held go, or has the next attempt be made now.
    package func release(_ id: String) async throws(OrderAdministrationError) -> Outcome {
        try await postpone(id, "clock_timestamp()")
    }

    /// Whether an order is held; nil if it is not waiting at all.
    package func isHeld(_ id: String) async throws(OrderAdministrationError) -> Bool? {
        let result = try await query(
            """
            select coalesce(a.due_at = 'infinity', false)
            from outbox as m left join outbox_attempts as a on a.message_id = m.id
            where m.destination = 'exchange' and m.key = $1
            """,
            [.text(id)]
        )
        return result.isEmpty ? nil : result.bool(0, 0)
    }

    private func postpone(_ id: String, _ until: String) async throws(OrderAdministrationError) -> Outcome {
        let result = try await query("select outbox_postpone('exchange', $1::uuid, \(until))", [.text(id)])
        guard result.bool(0, 0) != true else { return .done }
        return try await refusal(id)
    }

    /// Ends an order that was certainly not executed and now never will be.
    package func giveUp(_ id: String, reason: String) async throws(OrderAdministrationError) -> Outcome {
        let result = try await query(
            "select withdraw_order($1::uuid, null, 'OrderRejected', jsonb_build_object('reason', $2::text))",
            [.text(id), .text(reason)]
        )
        switch result.bool(0, 0) {
        case nil: return .unknown
        case true?: return .done
        case false?: return try await refusal(id)
        }
    }

    /// Why nothing can be done about an order.
    private func refusal(_ id: String) async throws(OrderAdministrationError) -> Outcome {
        let result = try await query(
            """
            select o.status, m.id is not null, a.owner is not null, a.uncertain_at is not null
            from orders as o
            left join outbox as m on m.destination = 'exchange' and m.key = o.id
            left join outbox_attempts as a on a.message_id = m.id
            where o.id = $1
            """,
            [.text(id)]
        )
        guard !result.isEmpty else { return .unknown }
        let status = result.text(0, 0) ?? ""
        switch (result.bool(0, 1), result.bool(0, 2), result.bool(0, 3)) {
        case (true?, true?, _): return .refused("a worker is placing it at this moment; try again in a moment")
        case (true?, _, true?): return .refused("the exchange may have executed it; the workers find out")
        case (true?, _, _): return .refused("something changed at this moment; try again")
        default: return .refused("it is \(status), and waits for nothing")
        }
    }

    /// Makes the rows anew that are not what their events add up to; returns how many.
    package func rebuild() async throws(OrderAdministrationError) -> Int {
        Int(try await query("select rebuild_orders()").int64(0, 0) ?? 0)
    }
}
