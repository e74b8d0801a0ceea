import Postgres
import Reactor
import TestSupport
import Testing

@testable import Orders

/// The functions of `sql/0016_executions.sql` on a real PostgreSQL.
@Suite struct ExecutionFunctionsTests {
    /// A report of order `order`; without an execution, that the exchange has it.
    private struct Report {
        let number: Int
        let order: Int
        var execution: String?
        var quantity = 0
        var price = "150.00"
    }

    init() { loop }

    @ReactorActor
    private static func make(holding owner: Int = 1) async throws -> TestDatabase {
        let database = try await TestDatabase()
        #expect(
            try await database.rows("select lease_order_feed('\(TestDatabase.id(owner))', '1 hour')") == ["0"]
        )
        return database
    }

    /// What taking reports in returns: whether the lease was held, the number of events, the alarms.
    @ReactorActor
    private static func take(
        _ reports: [Report],
        through: Int? = nil,
        by owner: Int = 1,
        _ database: TestDatabase
    ) async throws -> String {
        func list(_ values: [String?]) -> String { "{\(values.map { $0 ?? "null" }.joined(separator: ","))}" }
        let rows = try await database.rows(
            """
            select was_held, changes,
                array(select right(id::text, 1) from unnest(ended) as id),
                array(select right(id::text, 1) from unnest(overfilled) as id),
                array(select right(id::text, 1) from unnest(unknown) as id)
            from take_order_reports(
                '\(TestDatabase.id(owner))', \(through.map { "\($0)" } ?? "null"),
                '\(list(reports.map { "\($0.number)" }))', '\(list(reports.map { TestDatabase.id($0.order) }))',
                '\(list(reports.map(\.execution)))',
                '\(list(reports.map { $0.execution == nil ? nil : "\($0.quantity)" }))',
                '\(list(reports.map { $0.execution == nil ? nil : $0.price }))'
            )
            """
        )
        return rows.joined(separator: "\n")
    }

    @ReactorActor
    private static func history(_ database: TestDatabase, _ number: Int = 1) async throws -> [String] {
        try await database.rows(
            """
            select type, data ->> 'execution_id', data ->> 'quantity', data ->> 'previous_quantity', data ->> 'price'
            from order_events where order_id = '\(TestDatabase.id(number))' and version > 1 order by version
            """
        )
    }

    @Test @ReactorActor func `an acceptance places the order and ends its message; fills fill it`() async throws {
        let database = try await Self.make()
        for number in 1...2 { try await database.submit(number) }
        #expect(try await Self.take([Report(number: 1, order: 1)], through: 1, database) == "t|1|{}|{}|{}")
        #expect(try await database.rows("select status from orders order by id") == ["placed", "pending"])
        #expect(try await database.rows("select key from outbox") == [TestDatabase.id(2)])
        let fills = [
            Report(number: 2, order: 1, execution: "a", quantity: 4),
            Report(number: 3, order: 1, execution: "b", quantity: 6, price: "149.5"),
        ]
        #expect(try await Self.take(fills, through: 3, database) == "t|2|{}|{}|{}")
        #expect(
            try await Self.history(database) == [
                "OrderPlaced|null|null|null|null", "OrderExecuted|a|4|null|150.00", "OrderExecuted|b|6|null|149.5",
            ]
        )
        #expect(
            try await database.rows("select status, filled_quantity from orders order by id limit 1") == ["filled|10"]
        )
        #expect(try await database.rows("select taken_through from order_feed") == ["3"])
        #expect(try await database.rows("select * from order_differences()") == [])
    }

    @Test @ReactorActor func `a fill before the placement's answer places the order, and the answer changes nothing`()
        async throws
    {
        let database = try await Self.make()
        try await database.submit(1)
        try await database.execute(
            """
            select outbox_enter('\(TestDatabase.id(7))', '1 hour');
            select outbox_claim('exchange', '\(TestDatabase.id(7))', 0, 1);
            """
        )
        let message = try await database.rows("select id from outbox")[0]
        _ = try await Self.take([Report(number: 2, order: 1, execution: "a", quantity: 4)], database)
        #expect(try await database.rows("select status from orders") == ["partially_filled"])
        #expect(try await database.rows("select * from outbox") == [])
        for verdict in ["placed", "failed", "unknown", "rejected", "expired"] {
            try await database.execute(
                """
                select settle_placements(
                    '\(TestDatabase.id(7))', '{\(message)}', '{\(TestDatabase.id(1))}', '{\(verdict)}', '{1}',
                    '{100}', '{null}', '{words}'
                )
                """
            )
        }
        #expect(
            try await Self.history(database)
                == ["OrderPlaced|null|null|null|null", "OrderExecuted|a|4|null|150.00"]
        )
        #expect(try await database.rows("select status from orders") == ["partially_filled"])
    }

    @Test @ReactorActor func `what was taken in once changes nothing again`() async throws {
        let database = try await Self.make()
        try await database.submit(1)
        let reports = [
            Report(number: 1, order: 1), Report(number: 2, order: 1, execution: "a", quantity: 4),
            Report(number: 3, order: 1, execution: "a", quantity: 1),
        ]
        #expect(try await Self.take(reports + reports, through: 3, database) == "t|3|{}|{}|{}")
        let history = try await Self.history(database)
        #expect(history.count == 3)
        #expect(try await Self.take(reports, through: 3, database) == "t|0|{}|{}|{}")
        // The same execution told of under another number, as it stands.
        let again = Report(number: 9, order: 1, execution: "a", quantity: 1)
        #expect(try await Self.take([again], through: 9, database) == "t|0|{}|{}|{}")
        #expect(try await Self.history(database) == history)
        #expect(try await database.rows("select filled_quantity from orders") == ["1"])
    }

    @Test @ReactorActor func `in whatever order reports come, the last one of each execution decides`() async throws {
        let reports = [
            Report(number: 1, order: 1), Report(number: 2, order: 1, execution: "a", quantity: 4),
            Report(number: 3, order: 1, execution: "b", quantity: 6),
            Report(number: 4, order: 1, execution: "a", quantity: 0),
            Report(number: 5, order: 1, execution: "c", quantity: 3),
            Report(number: 6, order: 1, execution: "b", quantity: 6, price: "151.00"),
        ]
        let database = try await Self.make()
        for number in 1...8 {
            try await database.submit(number)
            let mine = reports.map {
                Report(
                    number: number * 10 + $0.number,
                    order: number,
                    execution: $0.execution,
                    quantity: $0.quantity,
                    price: $0.price
                )
            }
            for report in mine.shuffled() { _ = try await Self.take([report], database) }
            #expect(
                try await database.rows(
                    "select status, filled_quantity from orders where id = '\(TestDatabase.id(number))'"
                ) == ["partially_filled|9"]
            )
        }
        #expect(
            try await database.rows(
                "select distinct execution_id, quantity, price from order_executions order by execution_id"
            ) == ["a|0|150.00", "b|6|151.00", "c|3|150.00"]
        )
        #expect(try await database.rows("select * from order_differences()") == [])
    }

    @Test @ReactorActor func `an execution revoked before it was heard of is nothing to tell`() async throws {
        let database = try await Self.make()
        try await database.submit(1)
        #expect(
            try await Self.take([Report(number: 5, order: 1, execution: "a", quantity: 0)], database)
                == "t|1|{}|{}|{}"
        )
        let late = Report(number: 4, order: 1, execution: "a", quantity: 4)
        #expect(try await Self.take([late], database).hasPrefix("t|0"))
        #expect(try await Self.history(database) == ["OrderPlaced|null|null|null|null"])
        #expect(try await database.rows("select status from orders") == ["placed"])
    }

    @Test @ReactorActor func `a correction tells what was before, within a batch too`() async throws {
        let database = try await Self.make()
        try await database.submit(1)
        let reports = [
            Report(number: 1, order: 1, execution: "a", quantity: 10),
            Report(number: 2, order: 1, execution: "a", quantity: 7),
            Report(number: 3, order: 1, execution: "a", quantity: 7, price: "151.00"),
            Report(number: 4, order: 1, execution: "a", quantity: 0, price: "151.00"),
        ]
        _ = try await Self.take(reports, database)
        #expect(
            try await Self.history(database) == [
                "OrderPlaced|null|null|null|null", "OrderExecuted|a|10|null|150.00",
                "ExecutionCorrected|a|7|10|150.00", "ExecutionCorrected|a|7|7|151.00",
                "ExecutionCorrected|a|0|7|151.00",
            ]
        )
        #expect(try await database.rows("select status, filled_quantity from orders") == ["placed|0"])
    }

    @Test @ReactorActor func `a fill after the order ended is stored, and an alarm once`() async throws {
        let database = try await Self.make()
        for (number, type) in [(1, "OrderCancelled"), (2, "OrderExpired"), (3, "OrderRejected")] {
            try await database.submit(number)
            try await database.append(type, to: number)
        }
        try await database.submit(4)
        let reports = (1...4).map { Report(number: $0, order: $0, execution: "a", quantity: 4) }
        #expect(try await Self.take(reports, database) == "t|8|{1,2,3}|{}|{}")
        #expect(try await database.rows("select distinct status from orders") == ["partially_filled"])
        #expect(
            try await Self.take((1...4).map { Report(number: 9, order: $0, execution: "b", quantity: 1) }, database)
                == "t|4|{}|{}|{}"
        )
        #expect(try await database.rows("select * from order_differences()") == [])
    }

    @Test @ReactorActor func `more executed than ordered is an alarm when it comes to be, and a fact`() async throws {
        let database = try await Self.make()
        try await database.submit(1)
        func fill(_ number: Int, _ quantity: Int) async throws -> String {
            try await Self.take(
                [Report(number: number, order: 1, execution: "\(number)", quantity: quantity)],
                through: number,
                database
            )
        }
        #expect(try await fill(1, 10) == "t|2|{}|{}|{}")
        #expect(try await fill(2, 3) == "t|1|{}|{1}|{}")
        #expect(try await fill(3, 3) == "t|1|{}|{}|{}")
        #expect(try await database.rows("select status, filled_quantity from orders") == ["filled|16"])
    }

    @Test @ReactorActor func `what is no order is an alarm, and stops no other`() async throws {
        let database = try await Self.make()
        try await database.submit(1)
        let reports = [Report(number: 1, order: 5, execution: "a", quantity: 4), Report(number: 2, order: 1)]
        #expect(try await Self.take(reports, through: 2, database) == "t|1|{}|{}|{5}")
        #expect(try await database.rows("select status from orders") == ["placed"])
        #expect(try await database.rows("select * from order_executions") == [])
        #expect(try await database.rows("select taken_through from order_feed") == ["2"])
    }

    @Test @ReactorActor func `only who holds the lease takes reports in`() async throws {
        let database = try await Self.make(holding: 1)
        try await database.submit(1)
        let lease = { (owner: Int, length: String) in
            try await database.rows("select lease_order_feed('\(TestDatabase.id(owner))', '\(length)')")
        }
        #expect(try await lease(2, "1 hour") == [])
        let report = [Report(number: 1, order: 1)]
        #expect(try await Self.take(report, through: 1, by: 2, database).hasPrefix("f|0"))
        #expect(try await database.rows("select status from orders") == ["pending"])
        #expect(try await lease(1, "-1 seconds") == ["0"])
        #expect(try await Self.take(report, through: 1, by: 1, database).hasPrefix("f|0"))
        #expect(try await lease(2, "1 hour") == ["0"])
        #expect(try await lease(1, "1 hour") == [])
        #expect(try await Self.take(report, through: 1, by: 2, database).hasPrefix("t|1"))
        try await database.execute("select leave_order_feed('\(TestDatabase.id(1))')")
        #expect(try await lease(1, "1 hour") == [])
        try await database.execute("select leave_order_feed('\(TestDatabase.id(2))')")
        #expect(try await lease(1, "1 hour") == ["1"])
    }

    @Test @ReactorActor func `a snapshot says nothing of the position`() async throws {
        let database = try await Self.make()
        try await database.submit(1)
        _ = try await Self.take([Report(number: 7, order: 1)], through: 7, database)
        #expect(
            try await Self.take([Report(number: 3, order: 1, execution: "a", quantity: 1)], database).hasPrefix("t|1")
        )
        #expect(try await database.rows("select taken_through from order_feed") == ["7"])
    }
}
