import Glibc
import JSONWire
import Reactor
import Supervision
import TestSupport
import Testing

/// The admin listener of a whole system: what the console is told, what it does, and whom it refuses (issue 13, 4).
@Suite(.serialized, .breakableSystem) struct ConsoleTests {
    private static let dead = "01a1fd76-c4ba-78d7-ac0f-73e05585ea05"

    private var system: System {
        get throws { try #require(RunningSystem.current) }
    }

    @ReactorActor private func admin() throws -> Endpoint {
        try #require(UpEnvironment(try system.environmentFile).endpoint("TICKLOOP_ADMIN_URL"))
    }

    @ReactorActor private func act(_ target: String, _ body: String? = nil, _ fields: [String] = ["X-Operator: ana"])
        async throws -> TestResponse
    {
        let type = body == nil ? [] : ["Content-Type: application/json"]
        return try await request("POST", target, on: try admin(), fields: fields + type, body: body)
    }

    @ReactorActor private func get(_ target: String) async throws -> JSONValue {
        let answer = try await request("GET", target, on: try admin())
        #expect(answer.status == 200, "\(answer.body)")
        return try JSONValue(parsing: answer.body, limits: JSONLimits(bytes: 1 << 22))
    }

    @Test @ReactorActor func `every process and every part is shown`() async throws {
        try await eventually("all processes", within: .seconds(60)) {
            let told = try await get("/admin/snapshot")["processes"]?["data"]?.array ?? []
            let roles = told.compactMap { $0["told"]?["role"]?.string }.sorted()
            return roles == ["api", "gateway", "worker", "worker"]
        }
        let snapshot = try await get("/admin/snapshot")
        for part in ["queue", "events", "orders", "polling", "limits", "processes", "audit"] {
            #expect(snapshot[part]?["data"] != nil, "\(part): \(snapshot[part]?.description ?? "")")
        }
        let process = try #require(snapshot["processes"]?["data"]?.array?.first?["told"])
        let figures = try #require(process["figures"])
        let memory = figures["process_resident_memory_bytes"]?.string.flatMap { Int($0) } ?? 0
        #expect(memory > 1_000_000)
        #expect(figures["tickloop_loop_turn_duration_seconds_count"] != nil)
        #expect(process["version"]?.string?.isEmpty == false)
    }

    @Test @ReactorActor func `the page is whole, and asks for nothing from elsewhere`() async throws {
        let page = try await request("GET", "/console", on: try admin())
        #expect(page.status == 200)
        #expect(page["content-security-policy"]?.hasPrefix("default-src 'none'; script-src 'self'") == true)
        #expect(page["content-security-policy"]?.contains("frame-ancestors 'none'") == true)
        for file in ["/console/console.css", "/console/console.js"] {
            #expect(page.body.contains("\"\(file)\""))
            let answer = try await request("GET", file, on: try admin())
            #expect(answer.status == 200 && !answer.body.contains("://"))
        }
        let gateway = try #require(UpEnvironment(try system.environmentFile).endpoint("TICKLOOP_GATEWAY_URL"))
        for path in ["/console", "/admin/snapshot"] {
            #expect(try await request("GET", path, on: gateway).status == 404)
        }
    }

    @Test @ReactorActor func `an event tells of a change, and the audit log of who made it`() async throws {
        let socket = try await TestSocket(to: try admin())
        defer { socket.close() }
        socket.send("GET /admin/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
        #expect(try await socket.take(through: "\r\n\r\n").contains("text/event-stream"))
        func waitForEvent(_ words: String) async throws {
            let end = Reactor.now + .seconds(30)
            while Reactor.now < end {
                if try await socket.take(through: "\n\n").contains(words) { return }
            }
            Issue.record("no event with \(words)")
        }
        try await waitForEvent("\"paused\":false")
        #expect(try await act("/admin/queue/pause").body == #"{"paused":true}"#)
        try await waitForEvent("\"paused\":true")
        #expect(try await act("/admin/queue/resume").body == #"{"paused":false}"#)
        try await waitForEvent("\"paused\":false")
        let entries = try await get("/admin/audit?limit=2")["data"]?.array ?? []
        #expect(entries.map { $0["action"]?.string } == ["queue.resume", "queue.pause"])
        #expect(entries.allSatisfy { $0["who"]?.string == "ana" && $0["from"]?.string == "127.0.0.1" })
        #expect(entries.map { $0["result"]?.string } == ["resumed", "paused"])
        #expect(try await get("/admin/audit?after=0-0")["data"] == .array([]))
    }

    @Test @ReactorActor func `dead price events are replayed and dropped, one and all`() async throws {
        let redis = try system.redis
        for number in 1...3 {
            try await redis.run(
                "XADD",
                "price-events-dlq",
                "\(number)-0",
                "key",
                "AAPL",
                "id",
                "x",
                "value",
                "{}",
                "original_id",
                "9-0",
                "attempts",
                "3",
                "error",
                "unreadable"
            )
        }
        let letters = try await get("/admin/snapshot")["events"]?["data"]?["dead_letters"]?.array ?? []
        #expect(letters.map { $0["id"]?.string } == ["1-0", "2-0", "3-0"])
        #expect(letters.allSatisfy { $0["error"]?.string == "unreadable" && $0["payload"]?.string == "{}" })
        #expect(try await act("/admin/events/dead/drop", #"{"id":"1-0"}"#).body == #"{"dropped":1}"#)
        #expect(try await act("/admin/events/dead/drop", #"{"id":"1-0"}"#).status == 404)
        #expect(try await act("/admin/events/dead/replay", #"{"id":"2-0"}"#).body == #"{"replayed":1}"#)
        #expect(try await act("/admin/events/dead/drop", #"{"all":true}"#).status == 200)
        for body in ["{}", #"{"id":"2-0","all":true}"#, #"{"id":"x"}"#, #"{"id":"2-0","y":1}"#] {
            #expect(try await act("/admin/events/dead/drop", body).status == 422)
        }
    }

    @Test @ReactorActor func `dead tasks are shown with error and arguments, replayed and dropped`() async throws {
        let redis = try system.redis
        // As a worker gives them up.
        for number in 0..<3 {
            let id = "01a1fd76-c4ba-78d7-ac0f-73e05585ea0\(number)"
            let envelope =
                #"{"id":"\#(id)","name":"nobody.knows","arguments":{"n":\#(number)},"attempt":3,"created_at":1}"#
            let outcome = #"-{"kind":"internal","code":"BROKEN","message":"it broke","retryable":false}"#
            try await redis.run(
                "XADD",
                "q:{tasks}:dead",
                "\(number + 1)-0",
                "e",
                envelope,
                "outcome",
                outcome,
                "entry",
                "1-0",
                "attempts",
                "3"
            )
        }
        let queue = try await get("/admin/snapshot")["queue"]?["data"]
        #expect(queue?["dead"]?.integer == 3)
        let letter = queue?["dead_letters"]?.array?.first
        #expect(letter?["code"]?.string == "BROKEN" && letter?["message"]?.string == "it broke")
        #expect(letter?["name"]?.string == "nobody.knows" && letter?["arguments"]?.string == #"{"n":0}"#)
        let first = #"{"id":"01a1fd76-c4ba-78d7-ac0f-73e05585ea00"}"#
        #expect(try await act("/admin/queue/dead/drop", first).body == #"{"dropped":1}"#)
        #expect(try await act("/admin/queue/dead/drop", first).status == 404)
        #expect(try await act("/admin/queue/pause").status == 200)
        let second = #"{"id":"01a1fd76-c4ba-78d7-ac0f-73e05585ea01"}"#
        #expect(try await act("/admin/queue/dead/replay", second).body == #"{"replayed":1}"#)
        #expect(try await act("/admin/queue/dead/drop", #"{"all":true}"#).body == #"{"dropped":1}"#)
        #expect(try await act("/admin/queue/dead/replay", #"{"id":7}"#).status == 422)
        #expect(try await act("/admin/queue/resume").status == 200)
        let log = try await get("/admin/audit?limit=20")["data"]?.array ?? []
        let results = log.filter { $0["action"]?.string == "queue.drop" }.map { $0["result"]?.string }
        #expect(results.prefix(3) == ["1 dropped", "NOT_FOUND", "1 dropped"])
    }

    @Test @ReactorActor func `an order that waits is held, released and given up, and the command says the same`()
        async throws
    {
        let api = try #require(UpEnvironment(try system.environmentFile).endpoint("TICKLOOP_API_URL"))
        let placed = try await request(
            "POST",
            "/orders",
            on: api,
            fields: ["Content-Type: application/json"],
            body: #"{"type":"market","side":"buy","instrument":"DE000A0Q4RZ3","quantity":1}"#
        )
        #expect(placed.status == 201)
        let json = try JSONValue(parsing: placed.body, limits: JSONLimits(bytes: 4096))
        let id = try #require(json["id"]?.string)
        func state() async throws -> String? {
            let stuck = try await get("/admin/snapshot")["orders"]?["data"]?["stuck"]?.array ?? []
            return stuck.first { $0["id"]?.string == id }?["now"]?.string
        }
        // Nobody answers at the exchange: it is tried and tried again, and between two attempts it can be held.
        try await eventually("a hold", within: .seconds(60)) {
            try await act("/admin/orders/\(id)/hold").status == 200
        }
        #expect(try await state() == "held")
        #expect(try await act("/admin/orders/\(id)/retry").status == 422)
        let variables = ["TICKLOOP_ADMIN_URL": "http://\(try admin())"]
        func tool(_ words: String...) async throws -> (status: WaitStatus, lines: [String]) {
            let tool = try TickloopProcess(["admin"] + words, environment: variables, folder: packageFolder)
            return (try await tool.waitForEnd(within: .seconds(60)), tool.lines)
        }
        #expect(try await act("/admin/orders/\(id)/give-up", "{}").status == 422)
        let surrender = try await tool("order", "give-up", id, "--reason", "a trial", "--as", "bo")
        #expect(surrender.status == .exited(0))
        #expect(surrender.lines == ["\(id): give-up done"])
        #expect(try await state() == nil)
        #expect(try await tool("audit", "--limit", "1").lines.first?.contains(#""who":"bo""#) == true)
        #expect(try await act("/admin/orders/\(id)/hold").status == 422)
        #expect(try await act("/admin/orders/\(Self.dead)/hold").status == 404)
        #expect(try await act("/admin/orders/x/hold").status == 404)
    }

    @Test @ReactorActor func `pages from elsewhere, and whoever does not say who he is, change nothing`() async throws {
        let refused: [[String]] = [
            [], ["X-Operator: ana", "Origin: https://evil.example"], ["X-Operator: ana", "Origin: null"],
            ["Origin: http://\(try admin())"],
        ]
        for fields in refused { #expect(try await act("/admin/queue/pause", nil, fields).status == 403) }
        let socket = try await TestSocket(to: try admin())
        defer { socket.close() }
        socket.send("GET /admin/snapshot HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n")
        #expect(try await socket.takeResponse().status == 403)
        #expect(try await get("/admin/snapshot")["queue"]?["data"]?["paused"] == false)
    }
}
