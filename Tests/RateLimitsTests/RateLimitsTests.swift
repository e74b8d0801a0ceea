import Logging
import Reactor
import Redis
import Supervision
import TestSupport
import Testing

@testable import RateLimits

/// Puts the loop on a thread of its own before the first test that needs it.
let loop: Void = Reactor.runInBackground()

@Suite struct ClientAddressTests {
    struct Case: Sendable {
        let peer: String
        let forwarded: [String]
        let client: String
    }

    private static let trusted = ["10.0.0.0/8", "127.0.0.1", "fd00::/8"].compactMap { AddressRange($0) }
    private static let cases = [
        Case(peer: "192.0.2.1", forwarded: [], client: "192.0.2.1"),
        // Nobody is believed who is not trusted.
        Case(peer: "192.0.2.1", forwarded: ["198.51.100.7"], client: "192.0.2.1"),
        Case(peer: "10.1.2.3", forwarded: ["198.51.100.7"], client: "198.51.100.7"),
        // The right-most that is not trusted; what is left of it may be invented.
        Case(peer: "10.1.2.3", forwarded: ["203.0.113.9, 198.51.100.7 ,10.9.9.9"], client: "198.51.100.7"),
        Case(peer: "10.1.2.3", forwarded: ["203.0.113.9", "198.51.100.7", "10.9.9.9"], client: "198.51.100.7"),
        Case(peer: "10.1.2.3", forwarded: ["10.4.4.4, 10.5.5.5"], client: "10.4.4.4"),
        Case(peer: "10.1.2.3", forwarded: ["203.0.113.9, unknown"], client: "10.1.2.3"),
        Case(peer: "10.1.2.3", forwarded: [""], client: "10.1.2.3"),
        Case(peer: "10.1.2.3", forwarded: ["198.51.100.7:1234"], client: "198.51.100.7"),
        Case(peer: "10.1.2.3", forwarded: ["[2001:db8:1:2:3::4]:1234"], client: "2001:db8:1:2::/64"),
        // All addresses of a network are one client, and an IPv4 address is one however it is written.
        Case(peer: "2001:db8:1:2:3:4:5:6", forwarded: [], client: "2001:db8:1:2::/64"),
        Case(peer: "::ffff:192.0.2.1", forwarded: [], client: "192.0.2.1"),
        Case(peer: "::ffff:10.1.2.3", forwarded: ["::ffff:198.51.100.7"], client: "198.51.100.7"),
        Case(peer: "fd00::1", forwarded: ["2001:db8::1"], client: "2001:db8::/64"),
        Case(peer: "127.0.0.1", forwarded: ["198.51.100.7"], client: "198.51.100.7"),
        Case(peer: "127.0.0.2", forwarded: ["198.51.100.7"], client: "127.0.0.2"),
    ]

    @Test(arguments: cases) func `a client is found behind the proxies that are trusted`(_ one: Case) throws {
        let peer = try #require(SocketAddress(numericHost: one.peer, port: 1))
        #expect(ClientAddress.key(peer: peer, forwarded: one.forwarded, trusted: Self.trusted) == one.client)
    }

    @Test func `without an address it is local`() {
        #expect(ClientAddress.key(peer: .unix(path: ""), forwarded: ["1.2.3.4"], trusted: Self.trusted) == "local")
        #expect(ClientAddress.key(peer: nil, forwarded: [], trusted: []) == "local")
    }

    @Test(arguments: ["", "10.0.0.1/8", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/08", "10.0.0.0/8/8", "host", "::/129"])
    func `what is no range is none`(text: String) {
        #expect(AddressRange(text) == nil)
    }

    @Test(arguments: ["0.0.0.0/0", "192.0.2.1/32", "::/0", "2001:db8::/33"])
    func `a range is read as it is written`(text: String) {
        #expect(AddressRange(text)?.description == text)
    }
}

@Suite struct SlidingWindowTests {
    private let start = Instant.origin + .seconds(1000)

    @Test func `the sixth in any minute is refused, wherever the minute begins`() {
        var windows = SlidingWindows(RatePolicy(requests: 5, seconds: 60), clientsMax: 10)
        let times = [0, 50, 51, 52, 53].map { start + .seconds($0) }
        #expect(times.map { windows.admit("a", now: $0).remaining } == [4, 3, 2, 1, 0])
        let refused = windows.admit("a", now: start + .seconds(59))
        #expect(refused == RateVerdict(isAllowed: false, remaining: 0, reset: .seconds(1)))
        #expect(windows.admit("b", now: start + .seconds(59)).isAllowed)
        // The first counts no longer; what was refused never did. Around the edge of a minute there are still five.
        #expect(windows.admit("a", now: start + .seconds(60)).isAllowed)
        #expect(!windows.admit("a", now: start + .seconds(61)).isAllowed)
        #expect(!windows.admit("a", now: start + .milliseconds(109_999)).isAllowed)
        #expect(windows.admit("a", now: start + .seconds(110)).isAllowed)
    }

    @Test func `clients are bounded, and those that have been silent for longest are forgotten`() {
        var windows = SlidingWindows(RatePolicy(requests: 1, seconds: 60), clientsMax: 4)
        for number in 0..<4 { _ = windows.admit("\(number)", now: start + .seconds(number)) }
        _ = windows.admit("new", now: start + .seconds(5))
        #expect(windows.clientCount <= 4)
        #expect(!windows.admit("3", now: start + .seconds(6)).isAllowed)
    }

    @Test(arguments: [(60, "1 minute"), (1, "1 second"), (90, "90 seconds"), (7200, "2 hours"), (86_400, "1 day")])
    func `a window is said in words`(seconds: Int, words: String) {
        #expect(RatePolicy(requests: 1, seconds: seconds).windowWords == words)
    }
}

@Suite(.serialized) struct RateLimiterTests {
    init() { loop }

    @ReactorActor private func limiter(_ redis: RedisClient, _ requests: Int = 5) -> RateLimiter {
        RateLimiter(
            "test\(Int.random(in: 0..<1 << 40))",
            RatePolicy(requests: requests, seconds: 60),
            redis: redis,
            trusted: []
        )
    }

    @ReactorActor private func count(_ limiter: RateLimiter, _ client: String = "a") async -> RateVerdict {
        let promise = Promise<RateVerdict, Never>()
        limiter.count(client) { promise.succeed($0) }
        switch await promise.result {
        case .success(let verdict): return verdict
        }
    }

    @Test @ReactorActor func `Redis counts for all, by its own clock`() async throws {
        let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        var configuration = RedisConfiguration(
            endpoint: try await TestServers.redis().address.endpoint,
            clientName: "limits"
        )
        configuration.commandTimeout = .seconds(30)
        let redis = RedisClient(configuration, logger: quiet)
        redis.start()
        defer { redis.close() }
        try #require(await redis.waitUntilReady(within: .seconds(10)))
        let limiter = limiter(redis)
        var verdicts: [RateVerdict] = []
        for _ in 0..<7 { verdicts.append(await count(limiter)) }
        #expect(verdicts.map(\.isAllowed) == [true, true, true, true, true, false, false])
        #expect(verdicts.map(\.remaining) == [4, 3, 2, 1, 0, 0, 0])
        #expect(verdicts.allSatisfy { $0.reset > .zero && $0.reset <= .seconds(60) })
        #expect(await count(limiter, "b").isAllowed)
        #expect(limiter.counters.countedHere == 0)

        // What is taken back makes room, once.
        for _ in 0..<2 { limiter.takeBack(verdicts[2], of: "a") }
        #expect(await count(limiter).isAllowed)
        #expect(await count(limiter).isAllowed == false)
    }

    @Test @ReactorActor func `while Redis is away the process counts for itself`() async throws {
        let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let redis = RedisClient(
            RedisConfiguration(endpoint: .tcp(host: "127.0.0.1", port: 1), clientName: "limits"),
            logger: quiet
        )
        let limiter = limiter(redis, 2)
        var allowed: [Bool] = []
        for _ in 0..<3 { allowed.append(await count(limiter).isAllowed) }
        #expect(allowed == [true, true, false])
        #expect(limiter.counters.countedHere == 3)

        let other = await count(limiter, "b")
        limiter.takeBack(other, of: "b")
        #expect(await count(limiter, "b").remaining == 1)
    }
}
