import Logging
import Reactor
import Redis
import Supervision
import TestSupport
import Testing

@testable import SharedCache

@Suite struct SharedCacheTests {
    private struct Failed: Error, Equatable {}

    init() { loop }

    @ReactorActor private func client() async throws -> RedisClient {
        let address = try await TestServers.redisDatabase()
        let configuration = RedisConfiguration(endpoint: address.endpoint, database: address.database)
        let redis = RedisClient(configuration, logger: quiet)
        redis.start()
        #expect(await redis.waitUntilReady(within: .seconds(30)))
        return redis
    }

    private static func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

    @Test @ReactorActor
    func `what was made is given again, also by another process, until it is asked for by another key`()
        async throws
    {
        let redis = try await client()
        let (one, other) = (SharedCache(redis, .init(name: "test")), SharedCache(redis, .init(name: "test")))
        let first = await one.value(of: "1 a") { SharedCache.Entry(key: "1 a", value: Array("x".utf8)) }
        #expect(!first.isHit)
        let second = try await other.value(of: "1 a") { throw Failed() }
        #expect(second.isHit && Self.text(second.value) == "x")
        await #expect(throws: Failed.self) { _ = try await other.value(of: "2 a") { throw Failed() } }
        #expect(one.counters.misses == 1 && other.counters.hits == 1 && other.counters.misses == 1)
    }

    @Test @ReactorActor func `what was made of a later version is kept under that one`() async throws {
        let redis = try await client()
        let cache = SharedCache(redis, .init(name: "test"))
        _ = await cache.value(of: "1 a") { SharedCache.Entry(key: "2 a", value: Array("new".utf8)) }
        #expect(try await cache.value(of: "2 a") { throw Failed() }.isHit)
        await #expect(throws: Failed.self) { _ = try await cache.value(of: "1 a") { throw Failed() } }
    }

    @Test @ReactorActor func `callers that miss at the same time share one making, and not its failure`() async throws {
        let redis = try await client()
        let cache = SharedCache(redis, .init(name: "test"))
        for fails in [false, true] {
            let gate = Promise<Void, Failed>()
            var made = 0
            var answers: [String] = []
            for _ in 0..<5 {
                Reactor.spawn {
                    let answer = try? await cache.value(of: "\(fails)") {
                        made += 1
                        // The first one waits; those that make their own need not.
                        if made == 1 { try await gate.value }
                        return SharedCache.Entry(key: "\(fails)", value: [1])
                    }
                    answers.append(answer == nil ? "failed" : "made")
                }
            }
            try await eventually("one is making it and four wait") { made == 1 && cache.waitingCount == 4 }
            if fails { gate.fail(Failed()) } else { gate.succeed(()) }
            try await eventually("all answers") { answers.count == 5 }
            #expect(answers.filter { $0 == "failed" }.count == (fails ? 1 : 0))
            if !fails { #expect(made == 1 && cache.counters.merged == 4) }
        }
    }

    @Test @ReactorActor func `all entries together have a bound, and the oldest go`() async throws {
        let redis = try await client()
        var configuration = SharedCache.Configuration(name: "test")
        configuration.bytesMax = 10_000
        let cache = SharedCache(redis, configuration)
        for number in 0..<20 {
            _ = await cache.value(of: "\(number)") {
                SharedCache.Entry(key: "\(number)", value: Array(repeating: 0x61, count: 2000))
            }
        }
        try await eventually("four are left") {
            try await redis.command(["LLEN", "cache:test:order"]).integer == 4
        }
        #expect(try await redis.command(["DBSIZE"]).integer == 6)
        let bytes = try await redis.command(["GET", "cache:test:bytes"]).integer ?? 0
        #expect(bytes > 8000 && bytes <= 10_000)
        #expect(try await cache.value(of: "19") { throw Failed() }.isHit)
    }

    @Test @ReactorActor func `without Redis everything is made, and with no lifetime Redis is not asked`() async throws
    {
        let redis = RedisClient(RedisConfiguration(endpoint: .unix(path: "/nowhere")), logger: quiet)
        let cache = SharedCache(redis, .init(name: "test"))
        let answer = await cache.value(of: "a") { SharedCache.Entry(key: "a", value: [1]) }
        #expect(answer.value == [1] && !answer.isHit)
        #expect(cache.counters.failures == 2)

        var off = SharedCache.Configuration(name: "test")
        off.lifetime = .zero
        let none = SharedCache(redis, off)
        _ = await none.value(of: "a") { SharedCache.Entry(key: "a", value: [1]) }
        #expect(none.counters.failures == 0 && none.counters.misses == 0)
    }
}
