import Postgres
import Reactor
import TestSupport
import Testing

@testable import MarketData

@Suite struct RawAnswerUpkeepTests {
    init() { loop }

    @Test @ReactorActor func `answers go when they are too old, and the prices that were read from them stay`()
        async throws
    {
        let database = try await TestDatabase()
        let pool = try await database.readyPool()
        defer { pool.close() }
        try await database.store("OLD", ["1", "2"])
        try await database.execute(
            """
            insert into raw_responses (provider, symbol, fetched_at, body)
            select 'a', 'OLD', now() - interval '40 days', '' from generate_series(1, 4500);
            insert into raw_responses (provider, symbol, fetched_at, body)
            values ('a', 'NEW', now() - interval '29 days', '')
            """
        )
        let upkeep = RawAnswerUpkeep(pool, keepingDays: 30, logger: quiet)
        await upkeep.drop()
        #expect(try await database.rows("select distinct symbol from raw_responses") == ["NEW"])
        #expect(upkeep.droppedCount == 4502)
        #expect(try await database.rows("select count(*) from prices where symbol = 'OLD'") == ["2"])
    }
}
