import Glibc
import JSONWire
import Reactor
import Supervision
import TestSupport
import Testing

/// CONTRACT §8 and issue 11: limits that operators change while the gateways run. Two gateways and an API whose admin
/// listener is asked; nothing behind the gateways, which costs a request a 502 and is counted all the same.
@Suite(.serialized) struct LimitChangeTests {
    init() { loop }

    @ReactorActor
    private final class Processes {
        let gateways: [Endpoint]
        let admin: Endpoint
        let environment: [String: String]
        private var running: [TickloopProcess] = []

        /// - Parameters:
        ///   - file: The configuration of the gateways.
        ///   - limitCount: How many limits that has.
        init(redis: TestRedis, file: String? = nil, limitCount: Int = 2) async throws {
            let ports = try (0..<5).map { _ in try FreePort.choose() }
            gateways = ports[0..<2].map { .tcp(host: "127.0.0.1", port: $0) }
            admin = .tcp(host: "127.0.0.1", port: ports[2])
            environment = ["TICKLOOP_REDIS_URL": redis.address.localURL, "TICKLOOP_ADMIN_URL": "http://\(admin)"]
            for (port, name) in [(ports[0], "gateway"), (ports[1], "gateway"), (ports[3], "api")] {
                var own = environment
                own["TICKLOOP_SERVER_LISTEN"] = "127.0.0.1:\(port)"
                own["TICKLOOP_ADMIN_LISTEN"] = "127.0.0.1:\(ports[2])"
                // Nobody is there.
                own["TICKLOOP_UPSTREAM_ADDRESS"] = "127.0.0.1:\(ports[4])"
                own["TICKLOOP_SIMULATOR_URL"] = "http://127.0.0.1:\(ports[4])"
                own["TICKLOOP_DATABASE_URL"] = "postgres://nobody@127.0.0.1:\(ports[4])/nothing"
                let words = name == "gateway" ? file.map { ["--config", $0] } ?? [] : []
                running.append(try TickloopProcess([name] + words, environment: own, folder: packageFolder))
            }
            for endpoint in gateways + [.tcp(host: "127.0.0.1", port: ports[3])] {
                try await eventually("a service", within: .seconds(60)) {
                    (try? await request("GET", "/health", on: endpoint).status) == 200
                }
            }
            try await eventually("the gateways to tell their limits", within: .seconds(60)) {
                try await self.limits().count == limitCount
            }
        }

        /// Has the gateways read their file again.
        func hangUp() { for process in running[0..<2] { process.send(SIGHUP) } }

        /// How many gateways have said something so often.
        func count(saying words: String, times: Int = 1) -> Int {
            running[0..<2].count { $0.lines.count { $0.contains(words) } >= times }
        }

        func stop() async throws {
            for process in running {
                process.send(15)
                #expect(try await process.waitForEnd(within: .seconds(60)) == .exited(0))
            }
        }

        func change(_ method: String, _ target: String = "/admin/limits", _ body: String? = nil) async throws
            -> TestResponse
        {
            let fields = ["X-Operator: ana"] + (body == nil ? [] : ["Content-Type: application/json"])
            return try await request(method, target, on: admin, fields: fields, body: body)
        }

        func limits() async throws -> [JSONValue] {
            let answer = try await request("GET", "/admin/limits", on: admin)
            guard answer.status == 200 else { return [] }
            return try JSONValue(parsing: answer.body, limits: JSONLimits(bytes: 1 << 20))["data"]?.array ?? []
        }

        /// What each gateway says that it allows at a path; nil where it says nothing.
        func allowed(_ target: String) async throws -> [String?] {
            var found: [String?] = []
            for gateway in gateways {
                found.append(try await request("GET", target, on: gateway)["ratelimit-limit"])
            }
            return found
        }

        func waitUntil(_ target: String, allows limit: String?) async throws {
            try await eventually("\(limit ?? "anything") at \(target)") {
                try await self.allowed(target) == [limit, limit]
            }
        }
    }

    @Test @ReactorActor func `all gateways follow a change, also of what is passed on, and also after Redis was away`()
        async throws
    {
        let redis = try await TestServers.startRedis(isDurable: true)
        let processes = try await Processes(redis: redis)
        #expect(try await processes.limits().map { $0["source"]?.string } == ["configuration", "configuration"])
        #expect(try await processes.allowed("/prices/moving-average?symbol=AAPL") == [nil, nil])

        let set = try await processes.change("PUT", "/admin/limits", #"{"route":"/prices/","requests":700}"#)
        #expect(set.status == 200, "\(set.body)")
        #expect(set.body == #"{"by":"both","route":"/prices/","address":null,"requests":700,"per_s":60}"#)
        try await processes.waitUntil("/prices/moving-average?symbol=AAPL", allows: "700")
        // Within every rule: the one that leaves least is told.
        #expect(try await processes.allowed("/prices/latest?symbol=AAPL").compactMap { $0 } == ["5", "5"])

        _ = try await processes.change("PUT", "/admin/limits", #"{"by":"route","route":"/categories/","requests":2}"#)
        try await processes.waitUntil("/categories/1", allows: "2")
        try await eventually("a refusal, through any spelling") {
            try await request("GET", "/categories/%31", on: processes.gateways[1]).status == 429
        }

        await redis.stop()
        #expect(try await processes.change("PUT", "/admin/limits", #"{"route":"/","requests":1}"#).status == 503)
        // The last that was heard holds.
        #expect(try await processes.allowed("/prices/moving-average?symbol=AAPL") == ["700", "700"])
        try await redis.start()
        try await eventually("Redis again", within: .seconds(60)) {
            try await processes.change("PUT", "/admin/limits", #"{"route":"/prices/","requests":800}"#).status == 200
        }
        try await processes.waitUntil("/prices/moving-average?symbol=AAPL", allows: "800")

        // What Redis does not know any more is no limit, and the gateways tell theirs again.
        _ = try await redis.run("flushall")
        try await processes.waitUntil("/prices/moving-average?symbol=AAPL", allows: nil)
        #expect(try await processes.limits().map { $0["source"]?.string } == ["configuration", "configuration"])
        _ = try await processes.change("PUT", "/admin/limits", #"{"route":"/prices/","requests":900}"#)
        try await processes.waitUntil("/prices/moving-average?symbol=AAPL", allows: "900")

        #expect(try await processes.change("DELETE", "/admin/limits?route=/prices/").status == 200)
        try await processes.waitUntil("/prices/moving-average?symbol=AAPL", allows: nil)
        #expect(try await processes.change("DELETE", "/admin/limits?route=/prices/").status == 404)
        try await processes.stop()
    }

    @Test @ReactorActor func `SIGHUP takes the limits of the file, below what operators have changed`() async throws {
        let redis = try await TestServers.startRedis(isDurable: false)
        let file = "\(try TestFolder.make())/gateway.toml"
        func write(_ requests: Int) throws {
            try Files.write("[[limits.rate]]\nroute = \"/prices/latest\"\nrequests = \(requests)\n", to: file)
        }
        try write(100)
        let processes = try await Processes(redis: redis, file: file, limitCount: 1)
        let target = "/prices/latest?symbol=AAPL"
        #expect(try await processes.allowed(target) == ["100", "100"])

        try write(200)
        processes.hangUp()
        try await processes.waitUntil(target, allows: "200")
        try await eventually("operators to see it") {
            try await processes.limits().map { $0["requests"]?.integer } == [200]
        }
        let body = #"{"route":"/prices/latest","requests":300}"#
        #expect(try await processes.change("PUT", "/admin/limits", body).status == 200)
        try await processes.waitUntil(target, allows: "300")
        try write(400)
        processes.hangUp()
        try await eventually("both to have read it") {
            processes.count(saying: "configuration read again", times: 2) == 2
        }
        #expect(try await processes.allowed(target) == ["300", "300"])
        #expect(try await processes.change("DELETE", "/admin/limits?route=/prices/latest").status == 200)
        try await processes.waitUntil(target, allows: "400")

        try write(-1)
        processes.hangUp()
        try await eventually("both to refuse it") { processes.count(saying: "nothing has changed") == 2 }
        #expect(try await processes.allowed(target) == ["400", "400"])
        // A limit that the file has no more is none.
        try Files.write("[[limits.rate]]\nroute = \"/orders\"\nrequests = 7\n", to: file)
        processes.hangUp()
        try await processes.waitUntil(target, allows: nil)
        try await processes.waitUntil("/orders", allows: "7")
        try await processes.stop()
    }

    @Test @ReactorActor func `every fault is named, whoever is not at home is refused, and the command says the same`()
        async throws
    {
        let redis = try await TestServers.startRedis(isDurable: false)
        let processes = try await Processes(redis: redis)
        let faulty = try await processes.change(
            "PUT",
            "/admin/limits",
            #"{"by":"all","route":"latest","address":"10.0.0.1/8","requests":-1,"per_s":0,"x":1}"#
        )
        #expect(faulty.status == 422)
        let details = try JSONValue(parsing: faulty.body, limits: JSONLimits(bytes: 1 << 20))["details"]?.array ?? []
        #expect(details.map { $0["field"]?.string } == ["by", "route", "address", "requests", "per_s", "x"])
        #expect(try await processes.change("PUT", "/admin/limits", "{").status == 400)
        for route in ["/prices/latests", "POST /prices/latest", "/v1/orders", "/orders/7", "/shop/", "PUT /prices/"] {
            let unmet = try await processes.change("PUT", "/admin/limits", #"{"route":"\#(route)","requests":1}"#)
            #expect(unmet.status == 422, "\(route)")
            #expect(unmet.body.contains(#""field":"route""#), "\(unmet.body)")
        }
        #expect(try await processes.change("DELETE", "/admin/limits?route=x&z=1").status == 400)

        let admin = processes.admin
        for fields in [
            ["Origin: http://evil.example", "X-Operator: ana"], ["Content-Type: application/json"],
        ] {
            let refused = try await request(
                "PUT",
                "/admin/limits",
                on: admin,
                fields: fields,
                body: #"{"route":"/","requests":1}"#
            )
            #expect(refused.status == 403)
        }
        // Nothing of it is the public's.
        #expect(try await request("GET", "/admin/limits", on: processes.gateways[0]).status == 404)

        func tool(_ words: String...) async throws -> (status: WaitStatus, lines: [String]) {
            let tool = try TickloopProcess(
                ["gateway", "limits"] + words,
                environment: processes.environment,
                folder: packageFolder
            )
            return (try await tool.waitForEnd(within: .seconds(60)), tool.lines)
        }
        let set = try await tool("set", "GET /orders", "--requests", "9", "--per", "30", "--by", "address")
        #expect(set.status == .exited(0))
        #expect(set.lines == ["GET /orders  9 in 30 s  by address"])
        try await processes.waitUntil("/orders", allows: "9")
        #expect(try await tool().lines.last == "GET /orders  9 in 30 s  by address  (changed)")
        #expect(try await tool("reset", "GET /orders", "--by", "address").lines == ["taken back"])
        let wrong = try await tool("set", "orders", "--requests", "20000")
        #expect(wrong.status == .exited(1))
        #expect(wrong.lines.count == 2)
        try await processes.stop()
    }
}
