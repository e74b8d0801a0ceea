import JSONWire
import Postgres
import Prices
import Reactor
import TestSupport
import Testing

@testable import MarketData

/// A provider that says what the test wants.
@ReactorActor
final class ScriptedProvider: QuoteProvider {
    let name = "scripted"
    var calls = 0
    var outcomes: [String: QuoteOutcome] = [:]

    func quote(_ symbol: Symbol, deadline: Instant) async -> QuoteOutcome {
        calls += 1
        if let outcome = outcomes[symbol.text] { return outcome }
        guard let price = QuotePrice("\(calls)") else { return .noData }
        let time = Timestamp(unixTime: Reactor.unixTime)
        return .price(
            Quote(symbol: symbol, price: price, currency: "USD", time: time, provider: name),
            raw: "{}"
        )
    }
}

@Suite(.serialized) struct PollerTests {
    init() { loop }

    @Test @ReactorActor func `a symbol that fails does not stop the others, and its error is listed`() async throws {
        let database = try await TestDatabase()
        let (pool, storage) = (
            try await database.readyPool(connections: 2), try await database.readyPool(connections: 1)
        )
        defer {
            pool.close()
            storage.close()
        }
        let provider = ScriptedProvider()
        provider.outcomes["BAD"] = .unknownSymbol
        try await database.execute("select create_polling_job('{A,BAD,B}', 3600, null, 10, now())")
        try await database.execute("update polling_jobs set next_run_at = now()")
        let poller = Poller(pool, store: QuoteStore(storage, logger: quiet), logger: quiet) {
            $0 == nil ? provider : nil
        }
        try await eventually("the run has ended") {
            try await database.rows("select runs from polling_jobs") == ["1"]
        }
        #expect(
            try await database.rows("select failures, missed, skipped, last_error from polling_jobs")
                == ["1|0|0|BAD: the provider does not know the symbol"]
        )
        #expect(try await database.rows("select symbol from prices order by 1") == ["A", "B"])
        #expect(try await database.rows("select count(*) from outbox where destination = 'price-events'") == ["2"])
        await poller.stop(within: .seconds(5))
    }

    @Test @ReactorActor func `three workers run each due moment once`() async throws {
        let database = try await TestDatabase()
        let pool = try await database.readyPool(connections: 2)
        let storage = try await database.readyPool(connections: 1)
        defer {
            pool.close()
            storage.close()
        }
        let provider = ScriptedProvider()
        let store = QuoteStore(storage, logger: quiet)
        try await database.execute(
            "select create_polling_job('{A,B,C}', 1, 'scripted', 10, now()) from generate_series(1, 5)"
        )
        let pollers = (0..<3).map { _ in Poller(pool, store: store, logger: quiet) { _ in provider } }
        try await eventually("some runs", within: .seconds(60)) {
            try await database.rows("select min(runs) >= 3 from polling_jobs") == ["t"]
        }
        for poller in pollers { await poller.stop(within: .seconds(10)) }
        // Every due moment that has come was run once, or is counted.
        #expect(
            try await database.rows(
                """
                select bool_and(
                    runs + missed + skipped
                        = round(extract(epoch from next_run_at - created_at - polling_offset(id, interval_s)))
                ) from polling_jobs
                """
            ) == ["t"]
        )
        #expect(try await database.rows("select sum(runs) * 3 from polling_jobs") == [String(store.storedCount)])
    }
}
