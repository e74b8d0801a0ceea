import Postgres
import Reactor
import TestSupport
import Testing

/// What the functions of the outbox read while an old snapshot keeps dead rows (`sql/0020_outbox_lookups.sql`).
@Suite struct OutboxLookupTests {
    private static let dead = 30_000
    /// What 100 messages may cost: some pages for each in each slot. A plan that reads an index whole for each of them
    /// reads three times this at least.
    private static let limitPages = 5_000

    init() { loop }

    /// Messages that are settled and cannot be vacuumed, of which vacuum says that there are none, and 200 that wait.
    @ReactorActor private func fill(_ database: TestDatabase) async throws {
        let add = { (prefix: String, count: Int) in
            """
            select outbox_add(
                'exchange',
                array(select ('\(prefix)' || lpad(n::text, 12, '0'))::uuid from generate_series(1, \(count)) as n),
                array_fill('{}'::jsonb, array[\(count)]),
                array(select '\(prefix)' || n from generate_series(1, \(count)) as n)
            )
            """
        }
        try await database.execute(add("00000000-0000-0000-0001-", Self.dead))
        try await database.execute("select outbox_remove(array(select id from outbox))")
        try await database.execute("vacuum (analyze) outbox")
        try await database.execute("vacuum (analyze) outbox_attempts")
        #expect(try await database.rows("select reltuples from pg_class where relname = 'outbox_0'") == ["0"])
        try await database.execute(add("00000000-0000-0000-0000-", 200))
    }

    /// How many pages a statement reads, as the settlements do: without scans of whole tables.
    @ReactorActor private func pages(_ sql: String, _ database: TestDatabase) async throws -> Int {
        try await database.execute("set enable_seqscan = off")
        let plan = try await database.rows("explain (analyze, buffers, costs off, timing off) \(sql)")
        let line = try #require(plan.first { $0.contains("Buffers: shared") }, "\(plan)")
        return line.split(separator: " ").reduce(0) { sum, word in
            guard word.hasPrefix("hit=") || word.hasPrefix("read=") else { return sum }
            return sum + (Int(word.drop { $0 != "=" }.dropFirst()) ?? 0)
        }
    }

    @Test @ReactorActor func `under an old snapshot, nobody reads through the messages that are settled`() async throws
    {
        let database = try await TestDatabase()
        let report = try await database.connect()
        defer { report.close() }
        try await report.execute("begin isolation level repeatable read; select count(*) from orders", deadline: soon)
        try await fill(database)
        try await database.enter(1)

        let (first, owner) = (Self.dead + 1, TestDatabase.key(1))
        let ids = "array(select n from generate_series(\(first), \(first) + 99) as n)"
        let keys = "array(select key from outbox where id = any (\(ids)))"
        let statements = [
            "select outbox_claim('exchange', '\(owner)', \(first - 1), 100)",
            "select from outbox as m where m.id = any (\(ids)) order by m.id for update",
            "select outbox_owned('\(owner)', \(ids))",
            """
            select from outbox as m
            where m.destination = 'exchange' and m.key = any (\(keys)) order by m.id + 0 for update
            """,
            """
            select outbox_hand_back(
                '\(owner)', \(ids), array_fill(1, array[100]), array_fill(0::bigint, array[100]),
                array_fill(null::bigint, array[100])
            )
            """,
            "select outbox_withdraw('exchange', '\(TestDatabase.key(150))')",
            "select outbox_postpone('exchange', '\(TestDatabase.key(151))', 'infinity')",
            "select outbox_remove(\(ids))",
        ]
        for sql in statements {
            let read = try await pages(sql, database)
            #expect(read < Self.limitPages, "\(read) pages: \(sql)")
        }
    }
}
