import JSONWire
import Prices
import Reactor
import Redis
import Supervision
import TestSupport
import Testing

@testable import MarketData

/// Who fetches a price, of two processes.
@Suite struct PriceFlightsTests {
    init() { loop }

    private static func price(_ text: String) throws -> LatestPrice {
        let time = Timestamp(unixTime: .seconds(1_710_930_600))
        let quote = Quote(
            symbol: try #require(Symbol("M&M.NS")),
            price: try #require(QuotePrice(text)),
            currency: "INR",
            time: time,
            provider: "p"
        )
        return LatestPrice(quote, fetchedAt: Timestamp(unixTime: .milliseconds(1_710_930_601_250)))
    }

    @ReactorActor
    private func connect() async throws -> (RedisClient, PriceFlights, PriceFlights) {
        let client = RedisClient(try await TestServers.redisDatabase().clientConfiguration, logger: quiet)
        client.start()
        try #require(await client.waitUntilReady(within: .seconds(60)))
        return (client, PriceFlights(client), PriceFlights(client))
    }

    @Test func `a price is kept with the time of its fetching, and answered without`() throws {
        let price = try Self.price("150.25")
        #expect(
            String(decoding: price.body, as: UTF8.self)
                == #"{"symbol":"M&M.NS","price":150.25,"timestamp":"2024-03-20T10:30:00Z","provider":"p"}"#
        )
        #expect(LatestPrice(cached: price.cached) == price)
        for text in ["", "{}", #"{"symbol":"A","price":1}"#, #"{"fetched_at":"2024-03-20T10:30:01.250Z"}x"#] {
            #expect(LatestPrice(cached: Array(text.utf8)) == nil)
        }
    }

    @Test(arguments: [
        QuoteOutcome.unknownSymbol, .noData, .refused(retryAfter: .milliseconds(1500)),
        .malformed(reason: "its JSON is broken: ends early"), .unreachable(reason: "connection lost", isTimeout: false),
        .unreachable(reason: "timed out", isTimeout: true),
    ])
    func `those who wait in other processes are told the same`(outcome: QuoteOutcome) throws {
        for result in [FlightResult.failure(outcome), .notStored, .price(try Self.price("0.1"))] {
            #expect(FlightResult(encoded: String(decoding: result.encoded, as: UTF8.self)[...]) == result)
        }
    }

    @Test @ReactorActor func `one leads, others follow and hear of it, and later ones begin anew`() async throws {
        let (redis, one, other) = try await connect()
        let symbol = try #require(Symbol("M&M.NS"))
        guard case .lead(let token) = try await one.start(symbol, "p", lease: .seconds(60)) else {
            Issue.record("nobody leads")
            return
        }
        #expect(try await other.start(symbol, "p", lease: .seconds(60)) == .follow(token: token))
        let heard = Promise<FlightResult?, Never>()
        Reactor.spawn {
            heard.succeed(try? await other.follow(symbol, "p", token: token, deadline: soon))
        }
        await one.end(symbol, "p", token: token, .failure(.noData), lifetime: .seconds(60))
        #expect(await heard.result.get() == .failure(.noData))
        // A failure is nobody's answer who came later.
        guard case .lead(let next) = try await other.start(symbol, "p", lease: .seconds(60)) else {
            Issue.record("nobody leads")
            return
        }
        #expect(try await one.follow(symbol, "p", token: token, deadline: soon) == nil)
        let price = try Self.price("150.25")
        await other.end(symbol, "p", token: next, .price(price), lifetime: .seconds(60))
        #expect(try await one.cached(symbol, "p") == price)
        #expect(try await one.start(symbol, "p", lease: .seconds(60)) == .cached(price))
        redis.close()
    }

    @Test @ReactorActor func `the flight of a process that died ends with its lease`() async throws {
        let (redis, one, other) = try await connect()
        let symbol = try #require(Symbol("A"))
        guard case .lead(let token) = try await one.start(symbol, "p", lease: .milliseconds(50)) else {
            Issue.record("nobody leads")
            return
        }
        #expect(try await other.follow(symbol, "p", token: token, deadline: soon) == nil)
        guard case .lead = try await other.start(symbol, "p", lease: .seconds(60)) else {
            Issue.record("nobody takes over")
            return
        }
        // What the first says after that is kept, and ends nothing.
        await one.end(symbol, "p", token: token, .failure(.noData), lifetime: .seconds(60))
        guard case .follow = try await one.start(symbol, "p", lease: .seconds(60)) else {
            Issue.record("the second flight was ended")
            return
        }
        redis.close()
    }
}

extension RedisAddress {
    var clientConfiguration: RedisConfiguration {
        RedisConfiguration(endpoint: endpoint, database: database, clientName: "tests")
    }
}
