import Glibc
import JSONWire
import Reactor
import Supervision
import TestSupport
import Testing

extension System {
    /// `POST /orders`.
    func order(_ role: Role, _ body: String = System.limitOrder, key: String? = nil, at path: String = "/orders")
        async throws -> TestResponse
    {
        try await request(
            "POST",
            path,
            on: endpoint(role),
            fields: ["Content-Type: application/json"] + (key.map { ["Idempotency-Key: \($0)"] } ?? []),
            body: body
        )
    }

    nonisolated static let limitOrder =
        #"{"type":"limit","side":"buy","instrument":"DE000A0Q4RZ3","limit_price":150.00,"quantity":10}"#
    nonisolated static let failed = #"{"message":"Internal server error while placing the order"}"#
}

extension TestResponse {
    var json: JSONValue? { try? JSONValue(parsing: body, limits: JSONLimits(bytes: 1 << 20)) }
    fileprivate var id: String? { json?["id"]?.string }
}

extension EndToEndTests {
    /// CONTRACT §4, as far as the exchange has no part in it.
    @Suite struct OrderTests {
        private let system: System

        init() throws { system = try #require(RunningSystem.current) }

        @Test(arguments: Role.allCases) @ReactorActor
        func `an order that is answered is stored with its event and its message`(role: Role) async throws {
            let response = try await system.order(role, at: "/v1/orders/")
            #expect(response.status == 201)
            let id = try #require(response.id)
            let created = try #require(response.json?["created_at"]?.string)
            #expect(response["location"] == "/orders/\(id)")
            #expect(
                response.body == """
                    {"id":"\(id)","created_at":"\(created)","type":"limit","side":"buy","instrument":"DE000A0Q4RZ3",\
                    "limit_price":150.00,"quantity":10,"status":"pending"}
                    """
            )
            #expect(try await system.sql("select limit_price from orders where id = '\(id)'") == ["150.00"])
            #expect(
                try await system.sql(
                    "select version from order_events where order_id = '\(id)' and type = 'OrderSubmitted'"
                ) == ["1"]
            )
            #expect(try await system.sql("select count(*) from outbox where key = '\(id)'") == ["1"])
            #expect(try await system.ask(role, "/orders/\(id)").body == response.body)
            let history = try await system.ask(role, "/orders/\(id)/events")
            #expect(history.json?["data"]?.array?.first?["type"] == "OrderSubmitted")
            #expect(history.json?["data"]?.array?.first?["data"]?["limit_price"] == .number("150.00"))
            #expect(history.json?["next"] == .null)
        }

        @Test(arguments: Role.allCases) @ReactorActor
        func `a key is one order, and its repetition says so`(role: Role) async throws {
            let first = try await system.order(role, key: "key-\(role)")
            let again = try await system.order(role, System.limitOrder + " ", key: "key-\(role)")
            #expect(again.status == 201)
            #expect(again.body == first.body)
            #expect(first["idempotency-replayed"] == nil)
            #expect(again["idempotency-replayed"] == "true")
            #expect(again["location"] == first["location"])
            let other = try await system.order(
                role,
                #"{"type":"market","side":"buy","instrument":"DE000A0Q4RZ3","quantity":10}"#,
                key: "key-\(role)"
            )
            #expect(other.status == 422)
            #expect(other.json?["code"] == "VALIDATION_FAILED")
        }

        @Test(arguments: Role.allCases) @ReactorActor
        func `an order that was never executed is cancelled, once`(role: Role) async throws {
            let id = try #require(try await system.order(role).id)
            // While a worker tries, and finds nobody at the exchange, it may have been sent.
            try await eventually("the cancellation") {
                try await system.ask(role, "/orders/\(id)", "DELETE").status == 200
            }
            for _ in 1...2 {
                let response = try await system.ask(role, "/orders/\(id)", "DELETE")
                #expect(response.status == 200)
                #expect(response.json?["status"] == "cancelled")
            }
            #expect(try await system.sql("select count(*) from outbox where key = '\(id)'") == ["0"])
            let nobody = try await system.ask(role, "/orders/01a1fd76-c4ba-78d7-ac0f-73e05585ea05", "DELETE")
            #expect(nobody.status == 404)
        }

        @Test @ReactorActor func `an order that nobody has claimed expires at its time`() async throws {
            let now = Timestamp(unixTime: Reactor.unixTime + .seconds(1))
            let body = System.limitOrder.dropLast() + #","expires_at":"\#(now)"}"#
            let response = try await system.order(.gateway, String(body))
            #expect(response.json?["expires_at"]?.string == now.description)
            let id = try #require(response.id)
            try await eventually("the expiry") {
                try await system.ask(.gateway, "/orders/\(id)").json?["status"] == "expired"
            }
            #expect(try await system.ask(.gateway, "/orders/\(id)", "DELETE").status == 200)
        }

        @Test @ReactorActor func `pages join to the whole list, newest first, without a gap and without a double`()
            async throws
        {
            let instrument = "PAGES0000001"
            let body = #"{"type":"market","side":"sell","instrument":"\#(instrument)","quantity":1}"#
            var ids: [String] = []
            for _ in 1...7 { ids.append(try #require(try await system.order(.gateway, body).id)) }
            var found: [String] = []
            var next: String?
            repeat {
                let target =
                    "/orders?instrument=\(instrument)&status=pending&limit=3" + (next.map { "&after=\($0)" } ?? "")
                let page = try #require(try await system.ask(.gateway, target).json)
                found += (page["data"]?.array ?? []).compactMap { $0["id"]?.string }
                next = page["next"]?.string
            } while next != nil
            #expect(found == ids.reversed())
        }

        @Test @ReactorActor func `who places orders, and who streams what happens, is told of a commit`() async throws {
            func publications() async throws -> Int {
                let line = try await system.redis.run("INFO", "commandstats").first { $0.hasPrefix("cmdstat_publish:") }
                return line.flatMap { Int($0.split(separator: ",")[0].split(separator: "=")[1]) } ?? 0
            }
            let channels = ["tickloop:orders:waiting", "tickloop:orders:events"]
            try await eventually("listeners of both channels") {
                let listeners = try await system.redis.run("PUBSUB", "NUMSUB", channels[0], channels[1])
                return listeners.count { Int($0).map { $0 > 0 } ?? false } == 2
            }
            let before = try await publications()
            _ = try await system.order(.gateway)
            try await eventually("two hints") { try await publications() >= before + 2 }
        }

        @Test @ReactorActor func `all events join without a gap`() async throws {
            let start = try #require(
                Int(try await system.sql("select coalesce(max(position), 0) from order_events")[0])
            )
            for _ in 1...5 { _ = try await system.order(.gateway) }
            var positions: [Int] = []
            var next: JSONValue? = .number("\(start)")
            while let after = next?.numberText {
                let page = try #require(try await system.ask(.gateway, "/orders/events?after=\(after)&limit=2").json)
                positions += (page["data"]?.array ?? []).compactMap { $0["position"]?.numberText.flatMap { Int($0) } }
                next = page["next"]
            }
            #expect(positions.count >= 5)
            #expect(try await system.areAll(positions, after: start))
        }
    }
}

extension FaultTests {
    @Test @ReactorActor func `orders need no Redis`() async throws {
        try await system.waitUntilReady()
        await system.redis.stop()
        for role in Role.allCases {
            let response = try await system.order(role)
            #expect(response.status == 201, "\(response.body)")
        }
        try await system.redis.start()
    }

    @Test @ReactorActor func `an order without a database is the promised 500, and the next after its return is taken`()
        async throws
    {
        try await system.waitUntilReady()
        let before = system.lines.count
        func said() -> ArraySlice<String> { system.lines.dropFirst(before) }
        await system.postgres.kill()
        for role in (0..<10).flatMap({ _ in Role.allCases }) {
            let response = try await system.order(role)
            #expect(response.status == 500)
            #expect(response.body == System.failed)
        }
        try await system.postgres.start()
        try await eventually("an order") { try await system.order(.gateway).status == 201 }
        // The log tells of it, and not of each order.
        try await eventually("the API to say so") {
            said().contains { $0.hasPrefix("api-1") && $0.contains("postgres_ready") }
        }
        for words in ["request failed", "orders were not committed"] {
            #expect(said().count { $0.contains(words) } <= 4, "\(said())")
        }
    }

    @Test @ReactorActor func `every order that was answered is there after the internal API was killed`() async throws {
        try await system.waitUntilReady()
        let log = OrderLog()
        for client in 1...8 {
            Reactor.spawn { [system] in
                var number = 0
                while !log.isOver {
                    number += 1
                    let key = number % 4 == 0 ? "killed-\(client)-\(number)" : nil
                    guard let response = try? await system.order(.gateway, key: key) else { continue }
                    log.record(response)
                }
                log.ended += 1
            }
        }
        try await eventually("orders") { log.ids.count > 50 }
        let pid = try system.signal("api-1", SIGKILL)
        try await system.waitForSuccessor(of: pid, as: "api-1")
        let before = log.ids.count
        try await eventually("more orders") { log.ids.count > before + 50 }
        log.isOver = true
        try await eventually("the clients' end") { log.ended == 8 }
        #expect(log.wrong == [])
        let stored = Set(try await system.sql("select o.id from orders as o join outbox as m on m.key = o.id"))
        #expect(log.ids.subtracting(stored) == [])
        #expect(try await system.sql("select * from order_differences()") == [])
    }
}

/// What clients were told.
@ReactorActor
private final class OrderLog {
    var ids: Set<String> = []
    var wrong: [String] = []
    var isOver = false
    var ended = 0

    func record(_ response: TestResponse) {
        if response.status == 201, let id = response.id {
            ids.insert(id)
        } else if !(response.status == 500 && response.body == System.failed || response.status == 503) {
            wrong.append("\(response.status) \(response.body)")
        }
    }
}
