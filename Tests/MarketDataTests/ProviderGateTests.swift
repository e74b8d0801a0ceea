import Reactor
import Redis
import Supervision
import TestSupport
import Testing

@testable import MarketData

/// Whether a provider may be asked, as two processes see it.
@Suite struct ProviderGateTests {
    init() { loop }

    @ReactorActor
    private func connect() async throws -> (RedisClient, RedisAddress) {
        let address = try await TestServers.redisDatabase()
        let client = RedisClient(address.clientConfiguration, logger: quiet)
        client.start()
        try #require(await client.waitUntilReady(within: .seconds(60)))
        return (client, address)
    }

    @ReactorActor
    private func gates(
        _ budget: CallBudget = CallBudget(),
        _ policy: ProviderGate.Policy = ProviderGate.Policy(),
        on redis: RedisClient
    ) -> (ProviderGate, ProviderGate) {
        let one = ProviderGate("p", budget, probeTime: .seconds(60), policy: policy, redis: redis)
        return (one, ProviderGate("p", budget, probeTime: .seconds(60), policy: policy, redis: redis))
    }

    @Test(arguments: ["second", "minute", "day"]) @ReactorActor
    func `a budget is one for all`(window: String) async throws {
        let (redis, _) = try await connect()
        var budget = CallBudget()
        switch window {
        case "second": budget.perSecond = 3
        case "minute": budget.perMinute = 3
        default: budget.perDay = 3
        }
        let (one, other) = gates(budget, on: redis)
        var verdicts: [ProviderGate.Verdict] = []
        // Well within a second even on a slow machine: all are sent together.
        for gate in [one, other, one, other] { verdicts.append(await gate.ask(for: "A")) }
        #expect(verdicts.prefix(3).allSatisfy { $0 == .ask(isProbe: false) })
        guard case .wait(let duration) = verdicts[3] else {
            // A pause of a second between two of them, and it is another second.
            #expect(window == "second")
            return
        }
        let longest: Duration = window == "second" ? .seconds(1) : window == "minute" ? .seconds(60) : .seconds(86_400)
        #expect(duration > .zero && duration <= longest)
        let left = await other.look(timeout: .seconds(10))
        #expect(left?.leftPerMinute == (window == "minute" ? 0 : nil))
        #expect(left?.leftPerDay == (window == "day" ? 0 : nil))
        redis.close()
    }

    @Test @ReactorActor func `a used-up budget of a second comes back with the next call's second`() async throws {
        let (redis, _) = try await connect()
        var budget = CallBudget()
        budget.perSecond = 1
        let (one, other) = gates(budget, on: redis)
        #expect(await one.ask(for: "A") == .ask(isProbe: false))
        try await eventually("another call") { await other.ask(for: "A") == .ask(isProbe: false) }
        redis.close()
    }

    @Test @ReactorActor func `a refusal cools the whole provider down, and one probe ends it`() async throws {
        let (redis, _) = try await connect()
        let policy = ProviderGate.Policy(firstCooldown: .milliseconds(200), longestCooldown: .seconds(5))
        let (one, other) = gates(CallBudget(), policy, on: redis)
        #expect(await one.ask(for: "A") == .ask(isProbe: false))
        #expect(await one.wasRefused(isProbe: false, retryAfter: nil) == .milliseconds(200))
        // Another that was under way counts for nothing.
        #expect(await other.wasRefused(isProbe: false, retryAfter: nil) <= .milliseconds(200))
        try await eventually("a probe") { await other.ask(for: "B") == .ask(isProbe: true) }
        // Nobody else while it is under way.
        guard case .wait = await one.ask(for: "C") else {
            Issue.record("two probes at a time")
            return
        }
        #expect(await other.wasRefused(isProbe: true, retryAfter: nil) == .milliseconds(400))
        try await eventually("a probe") { await one.ask(for: "B") == .ask(isProbe: true) }
        // A probe without an answer: as long again, not longer.
        await one.probeFailed()
        let state = await one.look(timeout: .seconds(10))
        #expect(state.map { $0.cooldown <= .milliseconds(400) } == true)
        try await eventually("a probe") { await other.ask(for: "B") == .ask(isProbe: true) }
        await other.probeSucceeded()
        #expect(await one.ask(for: "A") == .ask(isProbe: false))
        #expect(await one.wasRefused(isProbe: false, retryAfter: nil) == .milliseconds(200))
        redis.close()
    }

    @Test @ReactorActor func `a provider that names the time is left alone for it`() async throws {
        let (redis, _) = try await connect()
        let (one, _) = gates(on: redis)
        #expect(await one.wasRefused(isProbe: false, retryAfter: .seconds(30)) == .seconds(30))
        guard case .wait(let duration) = await one.ask(for: "A") else {
            Issue.record("it is asked")
            return
        }
        #expect(duration > .seconds(1) && duration <= .seconds(30))
        redis.close()
    }

    @Test @ReactorActor func `an unknown symbol costs no second call`() async throws {
        let (redis, _) = try await connect()
        let (one, other) = gates(on: redis)
        await one.remember(unknown: "TYPO")
        #expect(await other.ask(for: "TYPO") == .unknownSymbol)
        #expect(await other.ask(for: "AAPL") == .ask(isProbe: false))
        redis.close()
    }

    @Test @ReactorActor func `without Redis nobody is asked`() async throws {
        let (redis, _) = try await connect()
        let (one, _) = gates(on: redis)
        redis.close()
        #expect(await one.ask(for: "A") == .away)
        #expect(await one.look(timeout: .seconds(1)) == nil)
    }
}
