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

    private static let asked = Instant.origin + .seconds(1000)

    private static func quote(_ text: String) throws -> Quote {
        Quote(
            symbol: try #require(Symbol("M&M.NS")),
            price: try #require(QuotePrice(text)),
            currency: "INR",
            time: Timestamp(unixTime: .seconds(1_710_930_600)),
            provider: "p"
        )
    }

    private static func price(_ text: String) throws -> LatestPrice {
        LatestPrice(try quote(text), askedAt: asked)
    }

    @ReactorActor
    private func connect() async throws -> (RedisClient, PriceFlights, PriceFlights) {
        let client = RedisClient(try await TestServers.redisDatabase().clientConfiguration, logger: quiet)
        client.start()
        try #require(await client.waitUntilReady(within: .seconds(60)))
        return (client, PriceFlights(client), PriceFlights(client))
    }

    @Test func `a price is kept with its age, which Redis tells, and answered without`() throws {
        let price = try Self.price("150.25")
        #expect(
            String(decoding: price.body, as: UTF8.self)
                == #"{"symbol":"M&M.NS","price":150.25,"timestamp":"2024-03-20T10:30:00Z","provider":"p"}"#
        )
        // Kept for a minute when it is a quarter of a second old: with 20 s left it is 40 s older, whose clock ever
        // shows what.
        let kept = price.kept(for: .seconds(60), at: Self.asked + .milliseconds(250))
        let other = Instant.origin + .seconds(5_000_000)
        let read = try #require(LatestPrice(kept: kept, for: .seconds(20), at: other))
        #expect(read.body == price.body)
        #expect(read.age(at: other + .seconds(1)) == .milliseconds(41_250))
        for text in [
            "", "{}", #"{"symbol":"A","price":1}"#, #"{"age_at_end_ms":1}"#, #"{"age_at_end_ms":,"a":1}"#,
            #"{"age_at_end_ms":9999999999999,"a":1}"#, #"{"age_at_end_ms":1,"a":1}x"#,
        ] {
            #expect(LatestPrice(kept: Array(text.utf8), for: .zero, at: other) == nil, "\(text)")
        }
    }

    @Test(arguments: [
        QuoteOutcome.unknownSymbol, .noData, .refused(retryAfter: .milliseconds(1500)),
        .malformed(reason: "its JSON is broken: ends early"), .unreachable(reason: "connection lost", isTimeout: false),
        .unreachable(reason: "timed out", isTimeout: true),
    ])
    func `those who wait in other processes are told the same`(outcome: QuoteOutcome) throws {
        for result in [FlightResult.failure(outcome), .notStored, .price(try Self.price("0.1"))] {
            let text = String(decoding: result.encoded(at: Self.asked), as: UTF8.self)
            #expect(FlightResult(encoded: text[...], at: Self.asked) == result)
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
        let price = LatestPrice(try Self.quote("150.25"), askedAt: Reactor.now - .seconds(7))
        await other.end(symbol, "p", token: next, .price(price), lifetime: .seconds(60))
        let kept = try #require(try await one.kept(symbol, "p"))
        #expect(kept.body == price.body)
        #expect((.seconds(7)..<soon - Reactor.now).contains(kept.age(at: Reactor.now)))
        guard case .kept(let same) = try await one.start(symbol, "p", lease: .seconds(60)) else {
            Issue.record("the price is not kept")
            return
        }
        #expect(same.body == price.body)
        // Without an end its age is not known.
        _ = try await redis.command(["PERSIST", "price:M&M.NS:p"])
        #expect(try await one.kept(symbol, "p") == nil)
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
