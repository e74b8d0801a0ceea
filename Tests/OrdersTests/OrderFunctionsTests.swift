import Postgres
import Reactor
import TestSupport
import Testing

@testable import Orders

/// The functions of `sql/0006_orders.sql` on a real PostgreSQL.
@Suite struct OrderFunctionsTests {
    init() { loop }

    @Test @ReactorActor func `an order, its event and its message are one transaction`() async throws {
        let database = try await TestDatabase()
        try await database.submit(1)
        #expect(
            try await database.rows("select type, side, instrument, limit_price, quantity, status, version from orders")
                == ["limit|buy|DE000A0Q4RZ3|150.00|10|pending|1"]
        )
        #expect(
            try await database.rows("select position, version, type, data ->> 'limit_price' from order_events")
                == ["1|1|OrderSubmitted|150.00"]
        )
        #expect(
            try await database.rows(
                "select destination, key = (payload ->> 'order_id')::uuid, payload ->> 'limit_price' from outbox"
            ) == ["exchange|t|150.00"]
        )
        await #expect(throws: (any Error).self) { try await database.submit(2, quantity: 0) }
        for table in ["orders", "order_events", "outbox"] {
            #expect(try await database.rows("select count(*) from \(table)") == ["1"])
        }
    }

    @Test @ReactorActor func `a reader of events misses none whose writer took its position first and committed last`()
        async throws
    {
        let database = try await TestDatabase()
        let (first, second) = (try await database.connect(), try await database.connect())
        defer {
            first.close()
            second.close()
        }
        try await database.execute("begin", on: first)
        try await database.submit(1, on: first)
        // Nobody waits for anybody.
        try await database.submit(2, on: second)
        let events = "select position, order_id from order_events_after(0, 0, 10)"
        #expect(try await database.rows("select position from order_events") == ["2"])
        #expect(try await database.rows("select settled_event_position()") == ["0"])
        #expect(try await database.rows(events) == [])
        try await database.execute("commit", on: first)
        #expect(
            try await database.rows(events) == ["1|\(TestDatabase.id(1))", "2|\(TestDatabase.id(2))"]
        )
    }

    @Test @ReactorActor func `a position that a rollback gave up holds no reader back`() async throws {
        let database = try await TestDatabase()
        try await database.execute("begin")
        try await database.submit(1)
        try await database.execute("rollback")
        try await database.submit(2)
        #expect(try await database.rows("select order_id from order_events_after(0, 0, 10)") == [TestDatabase.id(2)])
    }

    @Test @ReactorActor func `a reader that goes on while many write gets every event once, in order`() async throws {
        let database = try await TestDatabase()
        let writers = Writers()
        for writer in 0..<4 {
            Reactor.spawn {
                do {
                    let session = try await database.connect()
                    defer { session.close() }
                    for number in 1...50 {
                        // One in five is undone, and some take longer over their commit.
                        try await database.execute("begin", on: session)
                        try await database.submit(writer * 1000 + number, on: session)
                        if number % 7 == writer { try await database.execute("select pg_sleep(0.01)", on: session) }
                        try await database.execute(number % 5 == 0 ? "rollback" : "commit", on: session)
                    }
                } catch {
                    Issue.record(error)
                }
                writers.ended += 1
            }
        }
        var positions: [Int] = []
        var isOver = false
        while !isOver {
            isOver = writers.ended == 4
            let page = try await database.rows("select position from order_events_after(\(positions.last ?? 0), 0, 7)")
            positions += page.compactMap { Int($0) }
            isOver = isOver && page.isEmpty
        }
        #expect(
            try await database.rows("select position from order_events order by position") == positions.map(String.init)
        )
        #expect(positions.count == 160)
    }

    @ReactorActor
    private final class Writers {
        var ended = 0
    }

    @Test @ReactorActor func `an order is cancelled only while it can be taken back`() async throws {
        let database = try await TestDatabase()
        for number in 1...3 { try await database.submit(number) }
        func cancel(_ number: Int) async throws -> [String] {
            try await database.rows(
                "select withdraw_order('\(TestDatabase.id(number))', null, 'OrderCancelled', '{}')"
            )
        }
        #expect(try await cancel(1) == ["t"])
        #expect(try await cancel(1) == ["f"])
        #expect(try await cancel(9) == ["null"])
        try await database.execute(
            """
            select outbox_enter('\(TestDatabase.id(7))', '1 hour');
            select outbox_claim('exchange', '\(TestDatabase.id(7))', 0, 1);
            """
        )
        #expect(try await cancel(2) == ["f"])
        #expect(try await cancel(3) == ["t"])
        #expect(
            try await database.rows("select status from orders order by id") == ["cancelled", "pending", "cancelled"]
        )
        #expect(try await database.rows("select key from outbox") == [TestDatabase.id(2)])
        #expect(try await database.rows("select * from order_differences()") == [])
    }

    @Test @ReactorActor func `orders that have expired end, but for those that somebody is placing`() async throws {
        let database = try await TestDatabase()
        for number in 1...3 {
            try await database.submit(number, expiresAt: "date_trunc('milliseconds', now()) + '50 milliseconds'")
        }
        try await database.submit(4)
        try await database.execute(
            """
            select outbox_enter('\(TestDatabase.id(7))', '1 hour');
            select outbox_claim('exchange', '\(TestDatabase.id(7))', 0, 1);
            select pg_sleep(0.1);
            """
        )
        let expire = "select looked_at, expired from expire_orders('-infinity', '\(TestDatabase.id(0))', 10)"
        #expect(try await database.rows(expire) == ["3|2"])
        #expect(
            try await database.rows("select status from orders order by id")
                == ["pending", "expired", "expired", "pending"]
        )
        #expect(try await database.rows(expire) == ["1|0"])
        #expect(try await database.rows("select count(*) from outbox") == ["2"])
    }

    @Test @ReactorActor func `executions decide the status, in whatever order they come`() async throws {
        let database = try await TestDatabase()
        try await database.submit(1)
        let steps: [(type: String, data: String, status: String, filled: Int)] = [
            ("PlacementUnknown", "{}", "pending", 0),
            ("OrderExecuted", #"{"execution_id":"a","quantity":4,"price":150}"#, "partially_filled", 4),
            ("OrderPlaced", "{}", "partially_filled", 4),
            ("OrderExecuted", #"{"execution_id":"b","quantity":6,"price":150}"#, "filled", 10),
            ("ExecutionCorrected", #"{"execution_id":"b","quantity":1,"previous_quantity":6}"#, "partially_filled", 5),
            ("ExecutionCorrected", #"{"execution_id":"b","quantity":0,"previous_quantity":1}"#, "partially_filled", 4),
            ("ExecutionCorrected", #"{"execution_id":"a","quantity":0,"previous_quantity":4}"#, "placed", 0),
            ("OrderExecuted", #"{"execution_id":"c","quantity":11,"price":150}"#, "filled", 11),
        ]
        for step in steps {
            try await database.append(step.type, step.data, to: 1)
            #expect(
                try await database.rows("select status, filled_quantity from orders") == [
                    "\(step.status)|\(step.filled)"
                ]
            )
            #expect(try await database.rows("select * from order_differences()") == [])
        }
    }

    @Test @ReactorActor func `rebuilding gives the rows that random histories led to`() async throws {
        let database = try await TestDatabase()
        for number in 1...20 { try await database.submit(number) }
        let types = [
            "PlacementFailed", "PlacementUnknown", "OrderPlaced", "OrderRejected", "OrderCancelled", "OrderExpired",
            "OrderExecuted", "ExecutionCorrected",
        ]
        var random = SystemRandomNumberGenerator()
        for _ in 0..<60 {
            let events = (1...Int.random(in: 1...8, using: &random)).map { _ in
                (
                    id: TestDatabase.id(Int.random(in: 1...20, using: &random)),
                    type: types.randomElement(using: &random) ?? "",
                    quantity: Int.random(in: 0...6, using: &random),
                    previous: Int.random(in: 0...6, using: &random)
                )
            }
            let data = events.map { #"'{"quantity":\#($0.quantity),"previous_quantity":\#($0.previous)}'"# }
            try await database.execute(
                """
                select orders_append_events(
                    '{\(events.map(\.id).joined(separator: ","))}', '{\(events.map(\.type).joined(separator: ","))}',
                    array[\(data.joined(separator: ","))]::jsonb[]
                )
                """
            )
        }
        #expect(try await database.rows("select * from order_differences()") == [])
        let rows = "select * from orders order by id"
        let before = try await database.rows(rows)
        #expect(try await database.rows("select rebuild_orders()") == ["0"])
        try await database.execute(
            """
            update orders set status = 'filled', version = version + 1 where id < '\(TestDatabase.id(5))';
            delete from orders where id > '\(TestDatabase.id(17))';
            """
        )
        #expect(try await database.rows("select rebuild_orders()") == ["7"])
        #expect(try await database.rows(rows) == before)
    }

    @Test @ReactorActor func `keys are forgotten after their day, and an old one may be used anew before`() async throws
    {
        let database = try await TestDatabase()
        try await database.execute(
            """
            insert into order_keys (owner, key, order_id, created_at) values
                ('', 'old', '\(TestDatabase.id(1))', now() - interval '24 hours 1 minute'),
                ('', 'older', '\(TestDatabase.id(1))', now() - interval '25 hours 1 minute'),
                ('', 'new', '\(TestDatabase.id(1))', now())
            """
        )
        #expect(try await database.rows("select forget_order_keys(10)") == ["1"])
        #expect(try await database.rows("select key from order_keys order by key") == ["new", "old"])
        let taken = try await database.rows(
            """
            select verdict from submit_orders(
                '{\(TestDatabase.id(2))}', array[now()], '{market}', '{buy}', '{DE000A0Q4RZ3}', '{null}', '{1}',
                '{null}', '{null}', '{old}'
            )
            """
        )
        #expect(taken == ["created"])
    }
}
