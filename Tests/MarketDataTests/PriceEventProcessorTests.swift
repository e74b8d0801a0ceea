import JSONWire
import Logging
import Postgres
import Reactor
import Redis
import Supervision
import RedisStreams
import TestSupport
import Testing

@testable import MarketData

@Suite(.serialized) struct PriceEventProcessorTests {
    init() { loop }

    /// A processor with a Redis database and a PostgreSQL database of its own.
    @ReactorActor
    private final class Fixture {
        let database: TestDatabase
        let pool: PostgresPool
        let redis: RedisClient
        private(set) var processors: [PriceEventProcessor] = []

        init() async throws {
            database = try await TestDatabase()
            pool = try await database.readyPool(connections: 2)
            let address = try await TestServers.redisDatabase()
            var configuration = RedisConfiguration(endpoint: address.endpoint, clientName: "test")
            configuration.database = address.database
            configuration.commandTimeout = .seconds(30)
            configuration.stallTimeout = .seconds(30)
            redis = RedisClient(configuration, logger: quiet)
            redis.start()
            try #require(await redis.waitUntilReady(within: .seconds(10)))
        }

        func start(_ name: String) {
            processors.append(PriceEventProcessor(pool, redis: redis, name: name, logger: quiet))
        }

        func stop() async {
            for processor in processors { await processor.stop(within: .seconds(5)) }
            redis.close()
            pool.close()
        }

        func entries(_ key: String) async throws -> [[String: String]] {
            let reply = try await redis.command(["XRANGE", .string(key), "-", "+"])
            return (reply.array ?? []).map { ($0.array?.last?.fields ?? [:]).compactMapValues(\.text) }
        }

        func awaitEffects() async throws {
            try await eventually("every event has had its effect", within: .seconds(60)) {
                try await self.database.rows("select count(*) from price_events_due where renew_at < 'infinity'") == [
                    "0"
                ]
            }
        }
    }

    @Test @ReactorActor func `each price becomes an event, and the event an average, with two processes at it`()
        async throws
    {
        let fixture = try await Fixture()
        fixture.start("a")
        fixture.start("b")
        for number in 0..<20 { try await fixture.database.store("A\(number % 4)", ["\(number + 1)"], from: number) }
        try await fixture.awaitEffects()
        #expect(
            try await fixture.database.rows(
                "select symbol, moving_average, points, updates from symbol_averages order by 1"
            )
                == ["A0|9|5|5", "A1|10|5|5", "A2|11|5|5", "A3|12|5|5"]
        )
        let events = try await fixture.entries("price-events")
        #expect(events.count == 20)
        // The stream has an order for each symbol, and none between them.
        let first = try #require(events.first { $0["key"] == "A0" })
        let id = try #require(first["id"])
        #expect(
            first["value"] == """
                {"symbol":"A0","price":1,"timestamp":"2024-03-20T10:30:00Z","source":"yfinance","raw_response_id":\(id)}
                """
        )
        #expect(try await fixture.database.rows("select count(*) from outbox") == ["0"])
        await fixture.stop()
    }

    @Test @ReactorActor func `a Redis that lost everything costs no average, and each effect happens once`()
        async throws
    {
        let fixture = try await Fixture()
        fixture.start("a")
        try await fixture.database.store("A", ["1", "2", "3"])
        try await fixture.awaitEffects()
        // Sent and lost: nobody but the table knows of it.
        try await fixture.database.store("A", ["4"], from: 3)
        try await fixture.database.execute("select outbox_remove(array(select id from outbox))")
        _ = try await fixture.redis.command(["FLUSHDB"])
        try await fixture.database.store("A", ["5"], from: 4)
        try await fixture.awaitEffects()
        #expect(
            try await fixture.database.rows("select moving_average, points, updates from symbol_averages") == ["3|5|5"]
        )
        await fixture.stop()
    }

    @Test @ReactorActor func `an event that fails is a dead letter, the others are not held up, and it comes back`()
        async throws
    {
        let fixture = try await Fixture()
        try await fixture.database.execute(
            "alter table symbol_averages add constraint poison check (symbol <> 'POISON' or points = 0)"
        )
        fixture.start("a")
        for symbol in ["A", "POISON", "B"] { try await fixture.database.store(symbol, ["1"]) }
        _ = try await fixture.redis.command(["XADD", "price-events", "*", "key", "X", "value", "not JSON"])
        try await eventually("two dead letters", within: .seconds(60)) {
            try await fixture.entries("price-events-dlq").count == 2
        }
        let letters = try await fixture.entries("price-events-dlq")
        let poison = try #require(letters.first { $0["key"] == "POISON" })
        #expect(poison["error"] == "the database refuses its effect: SQLSTATE 23514")
        #expect(poison["attempts"] == "3")
        let unread = try #require(letters.first { $0["key"] == "X" })
        #expect(unread["error"] == "not the event of a price")
        #expect(unread["original_id"]?.hasSuffix("-0") == true)
        try await fixture.awaitEffects()
        #expect(
            try await fixture.database.rows("select symbol from symbol_averages where points > 0 order by 1") == [
                "A", "B",
            ]
        )
        #expect(try await fixture.database.rows("select symbol from price_events_due") == ["POISON"])

        try await fixture.database.execute("alter table symbol_averages drop constraint poison")
        let letter = DeadLetters(stream: "price-events", deadLetters: "price-events-dlq", redis: fixture.redis)
        #expect(try await letter.replayAll() == 2)
        try await eventually("the average", within: .seconds(60)) {
            try await fixture.database.rows("select moving_average from symbol_averages where symbol = 'POISON'") == [
                "1"
            ]
        }
        #expect(try await fixture.database.rows("select count(*) from price_events_due") == ["0"])
        // What fails again is still known by its first id.
        try await eventually("the dead letter that nobody can read", within: .seconds(60)) {
            try await fixture.entries("price-events-dlq").count == 1
        }
        #expect(try await fixture.entries("price-events-dlq") == [unread])
        await fixture.stop()
    }
}
