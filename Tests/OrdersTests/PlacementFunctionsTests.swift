import Postgres
import Reactor
import TestSupport
import Testing

@testable import Orders

/// The functions of `sql/0011_placements.sql` on a real PostgreSQL.
@Suite struct PlacementFunctionsTests {
    /// What came of an order's message.
    private struct Outcome {
        let order: Int
        let verdict: String
        var attempts = 1
        var delay = 0
        var uncertain: Int?
        var text: String? = "words"
    }

    init() { loop }

    /// Orders 1 to `count`, the first `claimed` of them claimed by the relay 1.
    @ReactorActor
    private static func make(_ count: Int, claimed: Int) async throws -> TestDatabase {
        let database = try await TestDatabase()
        for number in 1...count { try await database.submit(number) }
        for relay in 1...2 {
            try await database.execute("select outbox_enter('\(TestDatabase.id(relay))', '1 hour')")
        }
        let rows = try await database.rows(
            "select key from outbox_claim('exchange', '\(TestDatabase.id(1))', 0, \(claimed))"
        )
        #expect(rows.count == claimed)
        return database
    }

    /// The numbers of the orders that were placed after they had ended.
    @ReactorActor
    private static func settle(_ outcomes: [Outcome], by relay: Int = 1, _ database: TestDatabase) async throws
        -> [String]
    {
        func list(_ values: [String?]) -> String { "{\(values.map { $0 ?? "null" }.joined(separator: ","))}" }
        let ids = outcomes.map {
            "coalesce((select id from outbox where key = '\(TestDatabase.id($0.order))'), 1000000 + \($0.order))"
        }
        return try await database.rows(
            """
            select right(o::text, 1) from settle_placements(
                '\(TestDatabase.id(relay))', array[\(ids.joined(separator: ","))]::bigint[],
                '\(list(outcomes.map { TestDatabase.id($0.order) }))', '\(list(outcomes.map(\.verdict)))',
                '\(list(outcomes.map { "\($0.attempts)" }))', '\(list(outcomes.map { "\($0.delay)" }))',
                '\(list(outcomes.map { outcome in outcome.uncertain.map { "\($0)" } }))',
                '\(list(outcomes.map(\.text)))'
            ) as o
            """
        )
    }

    @ReactorActor
    private static func events(_ database: TestDatabase, _ number: Int = 1) async throws -> [String] {
        try await database.rows(
            """
            select type, data - 'type' from order_events
            where order_id = '\(TestDatabase.id(number))' and version > 1 order by version
            """
        )
    }

    @ReactorActor
    private static func statuses(_ database: TestDatabase) async throws -> [String] {
        try await database.rows("select status from orders order by id")
    }

    @Test @ReactorActor func `each outcome is an event, and moves the order and its message on`() async throws {
        let database = try await Self.make(6, claimed: 6)
        let outcomes = [
            Outcome(order: 1, verdict: "placed"), Outcome(order: 2, verdict: "rejected", text: "no"),
            Outcome(order: 3, verdict: "expired"), Outcome(order: 4, verdict: "failed", delay: 3_600_000, text: "away"),
            Outcome(order: 5, verdict: "unknown", delay: 3_600_000, uncertain: 60_000, text: "silence"),
            Outcome(order: 6, verdict: "returned", attempts: 0),
        ]
        #expect(try await Self.settle(outcomes, database) == [])
        #expect(
            try await Self.statuses(database) == ["placed", "rejected", "expired", "pending", "pending", "pending"]
        )
        #expect(try await Self.events(database, 1) == ["OrderPlaced|{}"])
        #expect(try await Self.events(database, 2) == [#"OrderRejected|{"reason": "no"}"#])
        #expect(try await Self.events(database, 3) == ["OrderExpired|{}"])
        #expect(try await Self.events(database, 4) == [#"PlacementFailed|{"error": "away", "attempts": 1}"#])
        #expect(try await Self.events(database, 5) == [#"PlacementUnknown|{"error": "silence", "attempts": 1}"#])
        #expect(try await Self.events(database, 6) == [])
        #expect(
            try await database.rows(
                """
                select right(m.key::text, 1), a.owner is null, a.attempts, a.due_at > now() + interval '59 minutes',
                    round(extract(epoch from now() - a.uncertain_at)) between 59 and 90
                from outbox as m join outbox_attempts as a on a.message_id = m.id order by m.id
                """
            ) == ["4|t|1|t|null", "5|t|1|t|t", "6|t|0|f|null"]
        )
        #expect(try await database.rows("select * from order_differences()") == [])
    }

    @Test @ReactorActor func `an outcome that is stored already changes nothing`() async throws {
        let database = try await Self.make(4, claimed: 4)
        let outcomes = ["placed", "rejected", "expired", "failed"].enumerated().map { index, verdict in
            Outcome(order: index + 1, verdict: verdict, delay: 3_600_000)
        }
        for _ in 1...2 { #expect(try await Self.settle(outcomes, database) == []) }
        #expect(try await database.rows("select count(*) from order_events where version > 1") == ["4"])
        #expect(try await Self.statuses(database) == ["placed", "rejected", "expired", "pending"])
    }

    @Test @ReactorActor func `who does not claim the message any more can only say that it is placed`() async throws {
        let database = try await Self.make(5, claimed: 5)
        let outcomes = ["rejected", "expired", "failed", "unknown"].enumerated().map { index, verdict in
            Outcome(order: index + 1, verdict: verdict)
        }
        #expect(try await Self.settle(outcomes, by: 2, database) == [])
        #expect(try await database.rows("select count(*) from order_events where version > 1") == ["0"])
        #expect(
            try await database.rows("select count(*) from outbox_attempts where owner = '\(TestDatabase.id(1))'")
                == ["5"]
        )
        // A fact, whoever says so.
        #expect(try await Self.settle([Outcome(order: 5, verdict: "placed")], by: 2, database) == [])
        #expect(try await Self.statuses(database) == ["pending", "pending", "pending", "pending", "placed"])
        #expect(try await database.rows("select count(*) from outbox") == ["4"])
    }

    @Test @ReactorActor func `attempts are recorded more seldom the more there are`() async throws {
        let database = try await Self.make(1, claimed: 1)
        let recorded = try await database.rows(
            "select n from generate_series(0, 1200) as n where is_recorded_attempt(n)"
        )
        #expect(recorded == ["1", "2", "5", "10", "20", "50", "100", "200", "500", "1000"])
        for attempts in 1...12 {
            let verdict = attempts.isMultiple(of: 2) ? "unknown" : "failed"
            _ = try await Self.settle(
                [Outcome(order: 1, verdict: verdict, attempts: attempts, uncertain: verdict == "unknown" ? 1 : nil)],
                database
            )
            try await database.execute("select outbox_claim('exchange', '\(TestDatabase.id(1))', 0, 1)")
        }
        #expect(
            try await database.rows(
                "select type, data ->> 'attempts' from order_events where version > 1 order by version"
            ) == ["PlacementFailed|1", "PlacementUnknown|2", "PlacementFailed|5", "PlacementUnknown|10"]
        )
    }

    @Test @ReactorActor func `an order that had ended and was placed all the same is an alarm, once`() async throws {
        let database = try await Self.make(4, claimed: 4)
        for (number, type) in [(1, "OrderCancelled"), (2, "OrderExpired"), (3, "OrderRejected")] {
            try await database.append(type, to: number)
        }
        let outcomes = (1...4).map { Outcome(order: $0, verdict: "placed") }
        #expect(try await Self.settle(outcomes, database) == ["1", "2", "3"])
        #expect(try await Self.statuses(database) == ["placed", "placed", "placed", "placed"])
        #expect(try await Self.settle(outcomes, database) == [])
        #expect(try await database.rows("select * from order_differences()") == [])
    }
}
