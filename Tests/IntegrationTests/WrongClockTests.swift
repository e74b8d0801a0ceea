import JSONWire
import Reactor
import Supervision
import TestSupport
import Testing

/// Processes whose clocks are an hour wrong: what counts is the clock of the one place that all of them share.
@Suite(.serialized) struct WrongClockTests {
    init() { loop }

    private static let shifts = [Duration.seconds(-3600), .seconds(3600)]

    @Test(arguments: shifts)
    @ReactorActor
    func `an order expires by the database's clock`(shift: Duration) async throws {
        let settings = try WrongClock.environment(ahead: shift).merging(["TICKLOOP_EXCHANGE_BASE_URL": "simulator"]) {
            $1
        }
        let system = try await System(ownsServers: false, settings: settings)
        func behave(_ body: String) async throws {
            let fields = ["Content-Type: application/json"]
            let answer = try await request(
                "PUT",
                "/exchange/behaviour",
                on: system.simulator,
                fields: fields,
                body: body
            )
            #expect(answer.status == 200, "\(answer.body)")
        }
        func place(expiringIn interval: String) async throws -> TestResponse {
            let moment = try await system.sql("select rfc3339(clock_timestamp() + interval '\(interval)')")[0]
            return try await request(
                "POST",
                "/orders",
                on: system.endpoint(.gateway),
                fields: ["Content-Type: application/json"],
                body: """
                    {"type":"market","side":"buy","instrument":"DE000A0Q4RZ3","quantity":1,"expires_at":"\(moment)"}
                    """
            )
        }
        func waitUntil(_ order: TestResponse, is states: String...) async throws {
            let path = try #require(order["location"])
            try await eventually("\(states)", within: .seconds(60)) {
                let answer = try await system.ask(.gateway, path)
                let json = try JSONValue(parsing: answer.body, limits: JSONLimits(bytes: 1 << 16))
                return states.contains(json["status"]?.string ?? "")
            }
        }

        try await behave(#"{"failure_rate":0,"latency_ms":10}"#)
        let good = try await place(expiringIn: "10 min")
        #expect(good.status == 201, "\(good.body)")
        try await waitUntil(good, is: "placed", "filled")
        // Nobody takes it until it has expired.
        try await behave(#"{"failure_rate":1}"#)
        let late = try await place(expiringIn: "8 s")
        #expect(late.status == 201, "\(late.body)")
        try await waitUntil(late, is: "expired")
        let past = try await place(expiringIn: "-1 s")
        #expect(past.status == 422)
        #expect(past.body.contains("expires_at must be in the future"), "\(past.body)")
        try await system.stop()
    }

    @Test(arguments: shifts)
    @ReactorActor
    func `the age of a price is the same, whichever process fetched it and whichever tells it`(shift: Duration)
        async throws
    {
        let system = try await System(ownsServers: false)
        let addresses = UpEnvironment(system.environmentFile)
        var settings = try WrongClock.environment(ahead: shift)
        for name in ["TICKLOOP_DATABASE_URL", "TICKLOOP_REDIS_URL", "TICKLOOP_SIMULATOR_URL"] {
            settings[name] = addresses[name]
        }
        // One keeps what it fetches in Redis, one does not.
        let (keeping, forgetting) = (try await API(settings), try await API(settings, ttl: 0))
        func ask(_ endpoint: Endpoint, _ symbol: String) async throws -> String {
            let answer = try await request("GET", "/prices/latest?symbol=\(symbol)", on: endpoint)
            let age = answer["age"].flatMap { Int($0) }
            // Whatever the machine is busy with, it is not an hour.
            let isRight = age.map { $0 < 600 } ?? false
            return "\(answer.status) \(answer["x-cache"] ?? "") \(isRight ? "fresh" : answer["age"] ?? "")"
        }

        let right = system.endpoint(.api)
        #expect(try await ask(keeping.endpoint, "ONE") == "200 MISS fresh")
        #expect(try await ask(right, "ONE") == "200 HIT fresh")
        #expect(try await ask(keeping.endpoint, "ONE") == "200 HIT fresh")
        #expect(try await ask(right, "TWO") == "200 MISS fresh")
        #expect(try await ask(keeping.endpoint, "TWO") == "200 HIT fresh")

        #expect(try await ask(forgetting.endpoint, "THREE") == "200 MISS fresh")
        let answer = try await request(
            "PUT",
            "/providers/yfinance/behaviour",
            on: system.simulator,
            fields: ["Content-Type: application/json"],
            body: #"{"answer":"server_error"}"#
        )
        #expect(answer.status == 200)
        for endpoint in [right, keeping.endpoint] { #expect(try await ask(endpoint, "THREE") == "200 STALE fresh") }
        let stored = "select bool_and(clock_timestamp() - fetched_at between '0' and '10 min') from prices"
        #expect(try await system.sql(stored + " where provider is not null") == ["t"])
        for api in [keeping, forgetting] { try await api.stop() }
        try await system.stop()
    }

    /// One more internal API.
    @ReactorActor
    private final class API {
        let endpoint: Endpoint
        private let process: TickloopProcess

        init(_ settings: [String: String], ttl: Int = 3600) async throws {
            let endpoint = Endpoint.tcp(host: "127.0.0.1", port: try FreePort.choose())
            self.endpoint = endpoint
            var settings = settings
            settings["TICKLOOP_SERVER_LISTEN"] = endpoint.description
            settings["TICKLOOP_CACHE_LATEST_TTL_S"] = "\(ttl)"
            process = try TickloopProcess(["api"], environment: settings, folder: packageFolder)
            try await eventually("an API", within: .seconds(60)) {
                (try? await request("GET", "/ready", on: endpoint).status) == 200
            }
        }

        func stop() async throws {
            process.send(15)
            #expect(try await process.waitForEnd(within: .seconds(60)) == .exited(0))
        }
    }
}
