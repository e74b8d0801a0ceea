import Postgres
import Reactor
import TestSupport
import Testing

@testable import MarketData

@Suite(.serialized) struct PriceEventFunctionsTests {
    init() { loop }

    private func apply(_ ids: [Int], on database: TestDatabase) async throws -> [String] {
        let list = ids.map(String.init).joined(separator: ",")
        return try await database.rows(
            "select * from apply_price_events('{\(list)}', 'price-events', 'ma_calculators', null, null)"
        )
    }

    @Test @ReactorActor func `an event has its effect once, and the average is of the newest five`() async throws {
        let database = try await TestDatabase()
        try await database.store("A", ["1", "2", "3", "4", "5", "6", "8"])
        #expect(try await apply([1], on: database) == ["A|5.2|5|1"])
        #expect(try await apply([1], on: database) == [])
        #expect(try await apply([7, 6, 6, 2, 99], on: database) == ["A|5.2|5|3"])
        #expect(try await database.rows("select price_id, updates from symbol_averages") == ["7|4"])
        #expect(try await database.rows("select price_id from price_events_due order by 1") == ["3", "4", "5"])
    }

    @Test @ReactorActor func `newest is by quote time, then by id, and imported prices count`() async throws {
        let database = try await TestDatabase()
        try await database.execute(
            """
            insert into prices (symbol, recorded_at, price)
            select 'A', '2024-03-20T10:30:00Z', n from generate_series(1, 9) as n
            """
        )
        try await database.store("A", ["100"])
        #expect(try await apply([10], on: database) == ["A|26|5|1"])
        try await database.execute(
            "insert into prices (symbol, recorded_at, price) values ('A', '2024-03-20T10:29:59Z', 1000)"
        )
        try await database.store("A", ["110"])
        #expect(try await apply([12], on: database) == ["A|46.8|5|1"])
    }

    @Test @ReactorActor func `of two that make one average at once, the second sees what the first saw, and more`()
        async throws
    {
        let database = try await TestDatabase()
        try await database.store("A", ["1"])
        let other = try await database.connect()
        defer { other.close() }
        try await database.execute("begin; select apply_price_events('{1}', 's', 'g', null, null)", on: other)
        let second = Task { @ReactorActor () -> [String]? in
            try? await database.store("A", ["3"], from: 1)
            return try? await apply([2], on: database)
        }
        try await database.waitForLockWait()
        try await database.execute("commit", on: other)
        #expect(await second.value == ["A|2|2|1"])
    }

    @Test @ReactorActor func `a lost event is made again, one that waits in the outbox or is dead is not`() async throws
    {
        let database = try await TestDatabase()
        try await database.store("A", ["1", "2", "3"])
        #expect(try await database.rows("select renew_price_events(10)") == ["0"])
        #expect(try await database.rows("select lose_price_events()") == ["3"])
        #expect(try await database.rows("select renew_price_events(10)") == ["0"])

        try await database.execute("select outbox_remove(array(select id from outbox order by id limit 2))")
        try await database.execute("select bury_price_events('{2}')")
        #expect(try await database.rows("select lose_price_events()") == ["2"])
        #expect(try await database.rows("select renew_price_events(10)") == ["1"])
        #expect(try await database.rows("select payload -> 'id' from outbox order by id") == ["3", "1"])
        #expect(try await database.rows("select renew_price_events(10)") == ["0"])
    }

    @Test @ReactorActor func `the position of a group only moves forward`() async throws {
        let database = try await TestDatabase()
        for (milliseconds, number) in [(5, 7), (5, 6), (4, 9), (6, 0)] {
            try await database.execute("select apply_price_events('{}', 's', 'g', \(milliseconds), \(number))")
        }
        #expect(try await database.rows("select milliseconds, number from stream_positions") == ["6|0"])
    }

    @Test @ReactorActor func `the newest prices of a symbol are read from the end of the index, not sorted`()
        async throws
    {
        let database = try await TestDatabase()
        try await database.execute(
            """
            insert into prices (symbol, recorded_at, price)
            select 'S' || n % 10, '2024-03-20T10:30:00Z'::timestamptz + n / 1000 * interval '1 s', 1 + n % 7
            from generate_series(1, 20000) as n;
            analyze prices
            """
        )
        let plan = try await database.rows(
            """
            explain (costs off)
            select price from prices where symbol = 'S1' order by recorded_at desc, id desc limit 5
            """
        )
        #expect(plan.contains { $0.contains("Index Scan Backward using prices_symbol_recorded_at_id") }, "\(plan)")
        #expect(!plan.contains { $0.contains("Sort") }, "\(plan)")
    }
}
