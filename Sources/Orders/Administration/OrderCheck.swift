internal import JSONWire
internal import Postgres
package import Reactor

/// What the comparison of orders, ledger and log has found.
package struct OrderFindings: Sendable {
    /// The orders concerned, by the promise that is broken.
    package let broken: [OrderPromise: [String]]
    /// How many orders there are of each status.
    package let orders: [String: Int]
    /// How many events there are.
    package let events: Int
    /// How many executions the ledger has; nil if it was not asked.
    package let executions: Int?
    /// Orders that clients were told of; nil if there is no log.
    package let taken: Int?
    /// Orders that are pending here and in the ledger, with a message that will tell.
    package let unsettled: Int
    /// Orders that are executed at the exchange, and whose report was not taken in yet.
    package let unreported: Int

    /// Whether every promise is kept.
    package var isWhole: Bool { broken.isEmpty }

    /// Everything as an object.
    package var json: String {
        var writer = JSONWriter(capacity: 1024)
        writer.object { writer in
            writer.member("kept", isWhole)
            writer.key("orders")
            writer.object { writer in
                for (status, count) in orders.sorted(by: { $0.key < $1.key }) { writer.member(status, count) }
            }
            writer.member("events", events)
            if let executions { writer.member("executions", executions) }
            if let taken { writer.member("taken", taken) }
            writer.member("unsettled", unsettled)
            writer.member("unreported", unreported)
            writer.key("broken")
            writer.object { writer in
                for promise in OrderPromise.allCases {
                    guard let ids = broken[promise] else { continue }
                    writer.key(promise.rawValue)
                    writer.array { writer in
                        for id in ids { writer.string(id) }
                    }
                }
            }
        }
        return String(decoding: writer.take(), as: UTF8.self)
    }
}

extension OrderAdministration {
    /// Rows that are fetched at once.
    private static let fetchCount = 10_000

    /// Compares what is stored with its history, and with the exchange's ledger and a client's log if there are some.
    ///
    /// It may run while orders are taken and placed: all that is stored is read as of one moment, the ledger before it
    /// and on after it.
    ///
    /// - Parameters:
    ///   - ledger: Where the exchange is, and the path of its ledger if it is not the usual one.
    ///   - log: See ``ClientLog``.
    package func check(ledger: (endpoint: Endpoint, path: String)?, log: String?)
        async throws(OrderAdministrationError) -> OrderFindings
    {
        let log = try log.map { text throws(OrderAdministrationError) in try ClientLog(text) }
        let reader = ledger.map { ExchangeLedger($0.endpoint, path: $0.path) }
        defer { reader?.close() }
        let before = try await reader?.readOn()
        _ = try await query("begin isolation level repeatable read read only")
        // Before there is a snapshot: see sql/0013_outbox_rotation.sql.
        _ = try await query("lock table outbox in access share mode")
        let rows = try await readOrders()
        let feed = try await query("select taken_through from order_feed")
        let events = Int(try await query("select count(*) from order_events").int64(0, 0) ?? 0)
        let differing = try await query("select id from order_differences()")
        let gaps = try await query(
            "select order_id from order_events group by order_id having max(version) <> count(*) or min(version) <> 1"
        )
        _ = try await query("commit")
        var books: OrderAudit.Ledger?
        var fills: OrderAudit.Fills?
        if let reader, let before {
            let meanwhile = try await reader.readOn()
            books = OrderAudit.Ledger(before: before.accepted, meanwhile: meanwhile.accepted)
            fills = before.fills.map { before in
                OrderAudit.Fills(
                    before: before,
                    meanwhile: Set(meanwhile.fills?.keys.map { $0 } ?? []),
                    takenThrough: Int(feed.int64(0, 0) ?? 0)
                )
            }
        }

        var audit = OrderAudit(ledger: books, fills: fills, log: log)
        for row in 0..<differing.count { audit.found(.differs, differing.text(row, 0) ?? "") }
        for row in 0..<gaps.count { audit.found(.gap, gaps.text(row, 0) ?? "") }
        for row in rows { audit.look(at: row.id, row.status, filled: row.filled, hasMessage: row.hasMessage) }
        audit.finish()
        return OrderFindings(
            broken: audit.broken,
            orders: audit.counts,
            events: events,
            executions: books.map { $0.before.values.reduce(0, +) + $0.meanwhile.values.reduce(0, +) },
            taken: log?.taken.count,
            unsettled: audit.unsettled,
            unreported: audit.unreported
        )
    }

    private struct Row {
        let id: OrderID
        let status: Order.Status?
        let hasMessage: Bool
        let filled: Int
    }

    private func readOrders() async throws(OrderAdministrationError) -> [Row] {
        _ = try await query(
            """
            declare audited no scroll cursor for
            select coalesce(o.id, m.key), o.status, m.key is not null, o.filled_quantity
            from orders as o
            full join (select key from outbox where destination = 'exchange') as m on m.key = o.id
            """
        )
        var rows: [Row] = []
        var result: PostgresResult
        repeat {
            result = try await query("fetch \(Self.fetchCount) from audited")
            for row in 0..<result.count {
                guard let id = result.text(row, 0).flatMap({ OrderID($0) }) else { continue }
                let status = result.text(row, 1).flatMap { Order.Status(rawValue: $0) }
                let filled = Int(result.int64(row, 3) ?? 0)
                rows.append(Row(id: id, status: status, hasMessage: result.bool(row, 2) ?? false, filled: filled))
            }
        } while !result.isEmpty
        return rows
    }
}

extension ClientLog {
    private static let lineBytesMax = 4096

    /// Reads all lines of a log; empty ones are passed over.
    fileprivate init(_ text: String) throws(OrderAdministrationError) {
        self.init()
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            guard !line.isEmpty else { continue }
            guard let json = try? JSONValue(parsing: String(line), limits: JSONLimits(bytes: Self.lineBytesMax)),
                read(json)
            else { throw .log(line: index + 1) }
        }
    }
}
