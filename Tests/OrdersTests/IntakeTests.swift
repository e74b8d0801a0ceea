import JSONWire
import Postgres
import Reactor
import TestSupport
import Testing

@testable import Orders

/// The intake on a real PostgreSQL.
@Suite struct IntakeTests {
    init() { loop }

    @ReactorActor
    private func withIntake(_ body: @ReactorActor (TestDatabase, Intake, PostgresPool) async throws -> Void)
        async throws
    {
        let database = try await TestDatabase()
        let pool = database.pool()
        defer { pool.close() }
        try await eventually("a connection") { pool.isReady }
        try await body(database, Intake(pool, logger: quiet), pool)
    }

    /// Answers of requests that were made at the same time, by their number.
    @ReactorActor
    private final class Answers {
        var all: [Int: IntakeAnswer] = [:]
    }

    /// Makes requests at the same time.
    @ReactorActor
    private func together(
        _ numbers: ClosedRange<Int>,
        _ request: @escaping @ReactorActor (Int) async -> IntakeAnswer
    ) async throws -> [Int: IntakeAnswer] {
        let answers = Answers()
        for number in numbers { Reactor.spawn { answers.all[number] = await request(number) } }
        try await eventually("all answers", within: .seconds(120)) { answers.all.count == numbers.count }
        return answers.all
    }

    nonisolated private static func form(_ quantity: Int, expiresAt: Timestamp? = nil) -> OrderForm {
        OrderForm(
            kind: .limit,
            side: .buy,
            instrument: "DE000A0Q4RZ3",
            limitPrice: FixedDecimal("90071992547409.93", places: 2),
            quantity: quantity,
            expiresAt: expiresAt
        )
    }

    @Test @ReactorActor func `many orders at once are few commits, each order once, and are read back as they came`()
        async throws
    {
        try await withIntake { database, intake, pool in
            let answers = try await together(1...600) { number in
                await intake.take(Self.form(number), key: number % 3 == 0 ? "k\(number)" : nil, deadline: soon)
            }
            let ids = answers.values.compactMap { if case .created(let id) = $0 { id } else { nil } }
            #expect(Set(ids).count == 600)
            #expect(intake.counters.commits < 20)
            #expect(try await database.rows("select count(*), max(position) from order_events") == ["600|600"])
            #expect(try await database.rows("select count(*) from outbox") == ["600"])
            #expect(try await database.rows("select * from order_differences()") == [])
            let order = try #require(try await OrderReader(database: pool).order(ids[0], of: nil, deadline: soon))
            #expect(order.createdAt == ids[0].createdAt)
            #expect(order.form.limitPrice?.description == "90071992547409.93")
            #expect(order.status == .pending)
        }
    }

    @Test @ReactorActor func `a key is one order, from whichever process it comes, and its members are compared`()
        async throws
    {
        try await withIntake { database, intake, pool in
            let other = Intake(pool, logger: quiet)
            let answers = try await together(1...40) { number in
                let form = Self.form(1 + number % 2)
                return await (number % 3 == 0 ? intake : other).take(form, key: "k\"\\,{}", deadline: soon)
            }.values
            let created = answers.compactMap { if case .created(let id) = $0 { id } else { nil } }
            #expect(created.count == 1)
            #expect(answers.count { $0 == .replayed(created[0]) } == 19)
            #expect(answers.count { $0 == .otherMembers } == 20)
            let count = try await database.rows("select count(*) from orders")
            #expect(count == ["1"])
        }
    }

    @Test @ReactorActor func `a repetition is told the first answer also when the order has expired since`()
        async throws
    {
        try await withIntake { database, intake, _ in
            let soonPast = Timestamp(unixTime: .milliseconds(Int64(Reactor.unixTime / .milliseconds(1)) + 300))
            let first = await intake.take(Self.form(1, expiresAt: soonPast), key: "a", deadline: soon)
            guard case .created(let id) = first else {
                Issue.record("\(first)")
                return
            }
            try await eventually("the time") { Reactor.unixTime > soonPast.unixTime }
            #expect(await intake.take(Self.form(1, expiresAt: soonPast), key: "a", deadline: soon) == .replayed(id))
            #expect(await intake.take(Self.form(1, expiresAt: soonPast), key: "b", deadline: soon) == .past)
            #expect(try await database.rows("select key from order_keys") == ["a"])
        }
    }

    @Test @ReactorActor func `one order that the database refuses does not take the others along`() async throws {
        try await withIntake { database, intake, _ in
            try await database.execute("alter table orders add constraint unlucky check (quantity <> 13)")
            let answers = try await together(1...20) { number in
                await intake.take(Self.form(number), deadline: soon)
            }
            #expect(answers[13] == .failed)
            let count = try await database.rows("select count(*) from orders")
            #expect(count == ["19"])
        }
    }

    @Test @ReactorActor func `without a database an order fails, and nothing is kept of it`() async throws {
        try await withIntake { _, intake, pool in
            pool.close()
            #expect(await intake.take(Self.form(1), deadline: soon) == .failed)
            #expect(intake.requestCount == 0)
        }
    }
}
