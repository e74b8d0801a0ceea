import JSONWire
import Logging
import Reactor
import Redis
import Supervision
import TestSupport
import Testing

@testable import RateLimits

/// Puts the loop on a thread of its own before the first test that needs it.
let loop: Void = Reactor.runInBackground()

@Suite struct RateReachTests {
    @Test(
        arguments: [
            ("/prices/latest", true), ("GET /prices/latest", true), ("POST /prices/latest", false), ("/prices/", true),
            ("POST /prices/", true), ("PUT /prices/", false), ("/", true), ("/orders/{id}", true), ("/orders/7", false),
            ("/prices", false), ("/shop/", true), ("/shop/a/", true), ("/shop/a/b", true), ("PUT /shop/a/b", true),
            ("/sh/", false), ("/shops/", false),
        ] as [(String, Bool)]
    )
    func `a limit is about a route, or about what is passed on`(scope: String, isMet: Bool) throws {
        let reach = try #require(
            RateReach([
                "routes": ["GET /prices/latest", "POST /prices/poll", "GET /orders/{id}"], "prefixes": ["/shop/a/"],
            ])
        )
        #expect(reach.meets(try #require(RateRule.Scope(scope))) == isMet)
        let told = try JSONValue(parsing: reach.json, limits: JSONLimits(bytes: 1000))
        #expect(RateReach(told) == reach)
    }
}

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
        // Members without anything are none.
        Case(peer: "10.1.2.3", forwarded: ["198.51.100.7,,"], client: "198.51.100.7"),
        Case(peer: "10.1.2.3", forwarded: ["203.0.113.9, ,198.51.100.7 ,\t, 10.9.9.9", " "], client: "198.51.100.7"),
        Case(peer: "10.1.2.3", forwarded: [",", ""], client: "10.1.2.3"),
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

@Suite struct RateRuleTests {
    struct Case: Sendable {
        let scope: String
        let path: String
        let isCovered: Bool

        init(_ scope: String, _ path: String, _ isCovered: Bool) {
            self.scope = scope
            self.path = path
            self.isCovered = isCovered
        }
    }

    @Test(arguments: [
        Case("/prices/latest", "/prices/latest", true), Case("/prices/latest", "/prices/latest/x", false),
        Case("/prices/", "/prices/latest", true), Case("/prices/", "/prices", true), Case("/prices/", "/price", false),
        Case("/", "/anything", true), Case("/orders/{id}", "/orders/{id}", true),
        Case("/orders/{id}", "/orders", false),
        Case("/shop/a", "/shop/a/", false), Case("/shop/", "/shop/\u{301}x", true),
        Case("/shop/", "/shop\u{301}", false), Case("/shop/K", "/shop/\u{212A}", false),
    ]) func `a path is covered by itself and by what it begins with`(_ one: Case) throws {
        #expect(try #require(RateRule.Scope(one.scope)).covers(path: one.path) == one.isCovered)
    }

    @Test func `a method is covered by itself, and HEAD by GET`() throws {
        let scope = try #require(RateRule.Scope("GET /a"))
        #expect(scope.covers(method: "GET") && scope.covers(method: "HEAD") && !scope.covers(method: "POST"))
        #expect(try #require(RateRule.Scope("/a")).covers(method: "POST"))
    }

    @Test(arguments: ["", "a", "GET", "GET a", "get /a", "GET  /a", " /a", "GET /a b", "/a\n", "/ä"])
    func `what is no route is none`(text: String) { #expect(RateRule.Scope(text) == nil) }

    @Test func `what is counted together follows the grouping`() throws {
        let scope = try #require(RateRule.Scope("/"))
        let groups = RateRule.Grouping.allCases.map { grouping in
            RateRule(grouping, scope, requests: 1).group(client: "1.2.3.4", route: "/a")
        }
        #expect(groups == ["1.2.3.4 /a", "1.2.3.4", "/a"])
    }

    @Test func `a rule concerns the clients that it names`() throws {
        let rule = RateRule(
            .address,
            try #require(RateRule.Scope("/")),
            clients: AddressRange("10.0.0.0/8"),
            requests: 1
        )
        #expect(rule.concerns([10, 1, 2, 3]) && !rule.concerns([11, 1, 2, 3]) && !rule.concerns(nil))
        #expect(rule.name == "address / from 10.0.0.0/8")
    }

    @Test func `a change takes the place of what has its name, and others stand behind`() throws {
        func rule(_ scope: String, _ requests: Int) throws -> RateRule {
            RateRule(.both, try #require(RateRule.Scope(scope)), requests: requests)
        }
        let configured = try [rule("/a", 5), rule("/b", 6)]
        let changed = try configured.changed(by: [rule("/b", 0), rule("/c", 7)])
        #expect(changed == (try [rule("/a", 5), rule("/b", 0), rule("/c", 7)]))
        let back = changed.compactMap { rule in
            (try? JSONValue(parsing: rule.json, limits: JSONLimits(bytes: 1024))).flatMap { RateRule($0) }
        }
        #expect(back == changed)
    }
}

@Suite struct RateRuleNewsTests {
    @Test(
        arguments: [
            ([], [("/a", 1)], #"["/a"]"#, nil), ([("/a", 1), ("/b", 1)], [("/a", 1), ("/b", 2)], #"["/b"]"#, nil),
            ([("/a", 1), ("/b", 1)], [("/b", 1)], nil, #"["/a"]"#),
            ([("/a", 1), ("/b", 1)], [("/b", 0), ("/c", 1)], #"["/b", "/c"]"#, #"["/a"]"#),
            ([("/a", 1)], [("/a", 1)], nil, nil),
        ] as [([(String, Int)], [(String, Int)], String?, String?)]
    )
    func `only what is new is said`(
        before: [(String, Int)],
        after: [(String, Int)],
        changed: String?,
        takenBack: String?
    ) throws {
        func rules(_ rules: [(String, Int)]) throws -> [RateRule] {
            try rules.map { RateRule(.both, try #require(RateRule.Scope($0.0)), requests: $0.1) }
        }
        let news = try rules(after).news(since: rules(before))
        #expect(news["changed"]?.description == changed)
        #expect(news["taken_back"]?.description == takenBack)
        #expect(news.count == [changed, takenBack].compactMap { $0 }.count)
    }
}

@Suite(.serialized) struct RateLimitsTests {
    init() { loop }

    @ReactorActor private func limits(_ redis: RedisClient, _ rules: (String, Int)...) throws -> RateLimits {
        let unique = "/test\(Int.random(in: 0..<1 << 40))"
        return RateLimits(
            try rules.map { RateRule(.both, try #require(RateRule.Scope(unique + $0.0)), requests: $0.1) },
            redis: redis,
            trusted: []
        )
    }

    @ReactorActor private func count(_ limits: RateLimits, _ client: String = "a") async -> [RateVerdict] {
        let promise = Promise<[RateVerdict], Never>()
        limits.count(limits.limits, client: client, route: "/") { promise.succeed($0) }
        switch await promise.result {
        case .success(let verdicts): return verdicts
        }
    }

    @ReactorActor private func redis() async throws -> RedisClient {
        let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        var configuration = RedisConfiguration(
            endpoint: try await TestServers.redis().address.endpoint,
            clientName: "limits"
        )
        configuration.commandTimeout = .seconds(30)
        let redis = RedisClient(configuration, logger: quiet)
        redis.start()
        try #require(await redis.waitUntilReady(within: .seconds(10)))
        return redis
    }

    @Test @ReactorActor func `Redis counts for all, by its own clock`() async throws {
        let redis = try await redis()
        defer { redis.close() }
        let limits = try limits(redis, ("", 5))
        var verdicts: [RateVerdict] = []
        for _ in 0..<7 { verdicts += await count(limits) }
        #expect(verdicts.map(\.isAllowed) == [true, true, true, true, true, false, false])
        #expect(verdicts.map(\.remaining) == [4, 3, 2, 1, 0, 0, 0])
        #expect(verdicts.allSatisfy { $0.reset > .zero && $0.reset <= .seconds(60) })
        #expect(await count(limits, "b").allSatisfy(\.isAllowed))
        #expect(limits.counters.countedHere == 0)

        // What is taken back makes room, once.
        for _ in 0..<2 { limits.takeBack(limits.limits, [verdicts[2]], client: "a", route: "/") }
        #expect(await count(limits).allSatisfy(\.isAllowed))
        #expect(await count(limits).allSatisfy { !$0.isAllowed })
    }

    @Test(arguments: [true, false]) @ReactorActor func `what one rule refuses, no other counts`(
        isShared: Bool
    ) async throws {
        let shared = try await redis()
        defer { shared.close() }
        let away = RedisClient(
            RedisConfiguration(endpoint: .tcp(host: "127.0.0.1", port: 1), clientName: "limits"),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        )
        let limits = try limits(isShared ? shared : away, ("/a", 10), ("/b", 2))
        var remaining: [[Int]] = []
        for _ in 0..<4 { remaining.append(await count(limits).map(\.remaining)) }
        #expect(remaining.prefix(2) == [[9, 1], [8, 0]])
        let last = await count(limits)
        #expect(last.map(\.isAllowed) == [true, false])
        #expect(last.map(\.remaining) == [8, 0])
        #expect((limits.counters.countedHere == 0) == isShared)

        let other = await count(limits, "b")
        limits.takeBack(limits.limits, other, client: "b", route: "/")
        #expect(await count(limits, "b").map(\.remaining) == [9, 1])
    }

    @Test @ReactorActor func `a gateway logs which limits were changed, and no others`() async throws {
        let server = try await TestServers.startRedis(isDurable: false)
        let log = TestLog()
        let redis = RedisClient(
            RedisConfiguration(endpoint: server.address.endpoint, clientName: "limits"),
            logger: log.logger
        )
        redis.start()
        try #require(await redis.waitUntilReady(within: .seconds(10)))
        defer { redis.close() }
        let store = RateRules(redis: redis)
        let follower = RateRulesFollower(
            RateLimits([], redis: redis, trusted: []),
            configured: [],
            within: RateReach([], passingOn: ["/"]),
            redis: redis,
            logger: log.logger
        )
        follower.start()
        defer { follower.close() }
        var said: [String] { log.lines.filter { $0.message == "limits changed" }.map { "\($0.metadata)" } }
        let (a, b) = (try #require(RateRule.Scope("/a")), try #require(RateRule.Scope("/b")))
        for (number, rule) in [RateRule(.both, a, requests: 1), RateRule(.both, b, requests: 2)].enumerated() {
            #expect(try await store.set(rule))
            try await eventually("the gateway to follow") { said.count == number + 1 }
        }
        #expect(try await store.reset("/a"))
        try await eventually("the gateway to follow") { said.count == 3 }
        #expect(
            said == [#"["changed": ["/a"]]"#, #"["changed": ["/b"]]"#, #"["taken_back": ["/a"]]"#]
        )
    }

    @Test @ReactorActor func `a rule that stays keeps what it has counted`() throws {
        let away = RedisClient(
            RedisConfiguration(endpoint: .tcp(host: "127.0.0.1", port: 1), clientName: "limits"),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        )
        let limits = try limits(away, ("", 2))
        let kept = limits.limits[0]
        let other = RateRule(.route, try #require(RateRule.Scope("/other/")), requests: 3)
        limits.replace([other, kept.rule])
        #expect(limits.limits.map(\.rule) == [other, kept.rule])
        #expect(limits.limits[1] === kept)
        limits.replace([RateRule(.route, other.scope, requests: 0)])
        #expect(limits.limits.isEmpty && !limits.isActive)
    }
}
