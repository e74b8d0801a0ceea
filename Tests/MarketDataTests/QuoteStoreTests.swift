import Postgres
import Reactor
import TestSupport
import Testing

@testable import MarketData

@Suite(.serialized) struct QuoteStoreTests {
    init() { loop }

    @Test @ReactorActor func `a stored quote has its raw answer, its message and a place in the rollups`() async throws
    {
        let database = try await TestDatabase()
        let pool = try await database.readyPool(connections: 1)
        defer { pool.close() }
        let store = QuoteStore(pool, logger: quiet)
        let quote = FetchedQuote("M&M.NS", "150.250", at: "2024-03-20T10:30:00.5Z", currency: nil)
        let stored = try await store.store(quote, deadline: soon)

        #expect(
            try await database.rows("select id, symbol, recorded_at, price, provider, currency from prices")
                == ["\(stored.priceID)|M&M.NS|2024-03-20 10:30:00.5+00|150.25|yfinance|null"]
        )
        // When it was asked is told by the database's clock.
        #expect(
            try await database.rows(
                "select clock_timestamp() - fetched_at between interval '60 s' and interval '1 h' from prices"
            ) == ["t"]
        )
        let age = try await StoredPrices(pool).newest(of: quote.quote.symbol, by: ["yfinance"], deadline: soon)?.age
        #expect(try #require(age) >= .seconds(60))
        #expect(
            try await database.rows(
                """
                select r.id, convert_from(r.body, 'UTF8')
                from raw_responses as r join prices as p on p.raw_response_id = r.id
                """
            ) == ["\(stored.rawResponseID)|\(quote.raw)"]
        )
        #expect(
            try await database.rows(
                """
                select payload - 'id' - 'raw_response_id', payload -> 'id', payload -> 'raw_response_id'
                from outbox where destination = 'price-events'
                """
            ) == [
                """
                {"price": 150.25, "source": "yfinance", "symbol": "M&M.NS", "timestamp": "2024-03-20T10:30:00.5Z"}\
                |\(stored.priceID)|\(stored.rawResponseID)
                """
            ]
        )
        #expect(try await database.rows("select * from prices_rollup_differences()") == [])
    }

    @Test @ReactorActor func `what gathers during a commit is committed together, and each gets its own ids`()
        async throws
    {
        let database = try await TestDatabase()
        let pool = try await database.readyPool(connections: 1)
        defer { pool.close() }
        let store = QuoteStore(pool, logger: quiet)
        let all = (1...300).map { number in
            Task { @ReactorActor in try? await store.store(FetchedQuote("S\(number)", "\(number)"), deadline: soon) }
        }
        var ids: [String] = []
        for (index, task) in all.enumerated() {
            let stored = await task.value
            ids.append("\(stored?.priceID ?? 0)|\(stored?.rawResponseID ?? 0)|S\(index + 1)|\(index + 1)")
        }
        #expect(
            try await database.rows("select id, raw_response_id, symbol, price from prices order by price") == ids
        )
        #expect(try await database.rows("select count(distinct xmin::text) from prices") == ["2"])
        #expect(store.storedCount == 300)
        #expect(try await database.rows("select * from prices_rollup_differences()") == [])
    }

    @Test @ReactorActor func `a value that the database refuses fails alone`() async throws {
        let database = try await TestDatabase()
        try await database.execute("alter table prices add check (price <> 13)")
        let pool = try await database.readyPool(connections: 1)
        defer { pool.close() }
        let store = QuoteStore(pool, logger: quiet)
        let all = (10...16).map { number in
            Task { @ReactorActor () -> QuoteStoreError? in
                do throws(QuoteStoreError) {
                    _ = try await store.store(FetchedQuote("A", "\(number)"), deadline: soon)
                    return nil
                } catch {
                    return error
                }
            }
        }
        var errors: [QuoteStoreError?] = []
        for task in all { errors.append(await task.value) }
        #expect(errors == [nil, nil, nil, .refused, nil, nil, nil])
        #expect(
            try await database.rows("select string_agg(price::text, ',' order by price) from prices") == [
                "10,11,12,14,15,16"
            ]
        )
        #expect(try await database.rows("select count(*) from outbox") == ["6"])
        #expect(try await database.rows("select count(*) from raw_responses") == ["6"])
    }

    @Test @ReactorActor func `whoever waits too long is told, and the quote is stored when the month is free`()
        async throws
    {
        let database = try await TestDatabase()
        let pool = try await database.readyPool(connections: 1)
        defer { pool.close() }
        let store = QuoteStore(pool, logger: quiet)
        let other = try await database.connect()
        defer { other.close() }
        try await database.execute(
            "begin; insert into prices (symbol, recorded_at, price) values ('A', '2024-03-01Z', 1)",
            on: other
        )
        await #expect(throws: QuoteStoreError.unavailable) {
            try await store.store(FetchedQuote("A", "2"), deadline: Reactor.now + .milliseconds(50))
        }
        try await database.waitForLockWait()
        try await database.execute("commit", on: other)
        _ = try await store.store(FetchedQuote("A", "3"), deadline: soon)
        #expect(try await database.rows("select price from prices order by price") == ["1", "2", "3"])
        #expect(try await database.rows("select * from prices_rollup_differences()") == [])
    }

    @Test @ReactorActor func `the price of 0 that providers send when they have none is refused`() async throws {
        let database = try await TestDatabase()
        await #expect(throws: (any Error).self) { try await database.store("A", ["0"]) }
        #expect(try await database.rows("select count(*) from prices") == ["0"])
    }
}
