import JSONWire
import Reactor
import Supervision
import TestSupport
import Testing

/// CONTRACT §3, limits: two gateways that share one Redis, and nothing behind them, which costs a valid request a 502
/// and is counted all the same.
@Suite(.serialized) struct RateLimitTests {
    init() { loop }

    @ReactorActor
    private final class Gateways {
        let endpoints: [Endpoint]
        private let processes: [TickloopProcess]

        init(redis: String, _ settings: [String: String] = [:]) async throws {
            var endpoints: [Endpoint] = []
            var processes: [TickloopProcess] = []
            let nobody = try FreePort.choose()
            for _ in 0..<2 {
                let port = try FreePort.choose()
                let own = [
                    "TICKLOOP_SERVER_LISTEN": "127.0.0.1:\(port)", "TICKLOOP_REDIS_URL": redis,
                    "TICKLOOP_UPSTREAM_ADDRESS": "127.0.0.1:\(nobody)",
                ]
                processes.append(
                    try TickloopProcess(["gateway"], environment: own.merging(settings) { $1 }, folder: packageFolder)
                )
                endpoints.append(.tcp(host: "127.0.0.1", port: port))
            }
            self.endpoints = endpoints
            self.processes = processes
            for endpoint in endpoints {
                try await eventually("a gateway", within: .seconds(60)) {
                    (try? await request("GET", "/health", on: endpoint).status) == 200
                }
            }
        }

        func ask(_ gateway: Int, _ target: String, _ fields: [String] = []) async throws -> TestResponse {
            try await request("GET", target, on: endpoints[gateway], fields: fields)
        }

        func stop() async throws {
            for process in processes {
                process.send(15)
                _ = try await process.waitForEnd(within: .seconds(60))
            }
        }
    }

    @Test @ReactorActor func `the sixth in a minute is refused, through whichever gateway and however it is spelt`()
        async throws
    {
        let gateways = try await Gateways(redis: try await TestServers.redisDatabase().localURL)
        // Refused as invalid: they do not count.
        for gateway in [0, 1, 0, 1, 0, 1] {
            let answer = try await gateways.ask(gateway, "/prices/latest")
            #expect(answer.status == 400)
            #expect(answer["ratelimit-limit"] == nil)
        }
        let spellings = [
            "/prices/latest", "/v1/prices/latest", "/prices/latest/", "/v1/prices/latest/", "/prices/latest",
        ]
        for (number, path) in spellings.enumerated() {
            // Nobody is trusted, so what is forwarded makes no other client.
            let answer = try await gateways.ask(
                number % 2,
                "\(path)?symbol=AAPL",
                ["X-Forwarded-For: 198.51.100.\(number)"]
            )
            #expect(answer.status == 502)
            #expect(answer["ratelimit-limit"] == "5")
            #expect(answer["ratelimit-remaining"] == "\(4 - number)")
            #expect(answer["ratelimit-policy"] == "\"default\";q=5;w=60")
            #expect(answer["ratelimit"]?.hasPrefix("\"default\";r=\(4 - number);t=") == true)
        }
        for gateway in 0..<2 {
            let answer = try await gateways.ask(gateway, "/prices/latest?symbol=AAPL")
            #expect(answer.status == 429)
            #expect(answer.body == #"{"code":"RATE_LIMITED","message":"Rate limit exceeded: 5 per 1 minute"}"#)
            let seconds = answer["retry-after"].flatMap { Int($0) } ?? 0
            #expect((1...60).contains(seconds))
            #expect(answer["ratelimit-remaining"] == "0")
            #expect(answer["ratelimit-reset"] == "\(seconds)")
        }
        // Another route is not limited.
        #expect(try await gateways.ask(0, "/prices/moving-average?symbol=AAPL").status == 502)
        try await gateways.stop()
    }

    @Test @ReactorActor func `behind a trusted proxy each client has its own limit, also while Redis is away`()
        async throws
    {
        let nobody = try FreePort.choose()
        let gateways = try await Gateways(
            redis: "redis://127.0.0.1:\(nobody)/0",
            ["TICKLOOP_SERVER_TRUSTED_PROXIES": "127.0.0.0/8", "TICKLOOP_LIMITS_RATE_1_REQUESTS": "2"]
        )
        func ask(_ client: String) async throws -> UInt16 {
            UInt16(
                try await gateways.ask(0, "/prices/latest?symbol=AAPL", ["X-Forwarded-For: 192.0.2.1, \(client)"])
                    .status
            )
        }
        #expect(try await ask("2001:db8::1") == 502)
        #expect(try await ask("2001:db8::2") == 502)
        #expect(try await ask("2001:db8::3") == 429)
        #expect(try await ask("2001:db8:0:1::1") == 502)
        #expect(try await ask("198.51.100.7") == 502)
        #expect(try await ask("::ffff:198.51.100.7") == 502)
        #expect(try await ask("198.51.100.7") == 429)
        try await gateways.stop()
    }

    @Test @ReactorActor func `what only the internal API finds to be invalid does not count either`() async throws {
        let system = try await System(ownsServers: false, settings: ["TICKLOOP_LIMITS_RATE_1_REQUESTS": "2"])
        func ask(_ query: String) async throws -> TestResponse {
            try await system.ask(.gateway, "/prices/latest?symbol=AAPL\(query)")
        }
        for _ in 0..<3 {
            let answer = try await ask("&provider=nobody")
            #expect(answer.status == 400)
            #expect(answer["ratelimit-limit"] == nil)
        }
        #expect(try await ask("")["ratelimit-remaining"] == "1")
        #expect(try await ask("&provider=nobody").status == 400)
        #expect(try await ask("")["ratelimit-remaining"] == "0")
        #expect(try await ask("").status == 429)
        try await system.stop()
    }
}
