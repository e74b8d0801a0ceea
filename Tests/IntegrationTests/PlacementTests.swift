import Glibc
import JSONWire
import Reactor
import Supervision
import TestSupport
import Testing

extension System {
    /// Changes how the simulated exchange behaves.
    func exchange(_ behaviour: String) async throws {
        let response = try await request(
            "PUT",
            "/exchange/behaviour",
            on: simulator,
            fields: ["Content-Type: application/json"],
            body: behaviour
        )
        #expect(response.status == 200, "\(response.body)")
    }

    /// How often the exchange has accepted each order.
    func ledger() async throws -> [String: Int] {
        var counts: [String: Int] = [:]
        var after: Int? = 0
        while let number = after {
            let page = try await request("GET", "/exchange/ledger?after=\(number)&limit=1000", on: simulator)
            let json = try JSONValue(parsing: page.body, limits: JSONLimits(bytes: 1 << 20))
            for execution in json["executions"]?.array ?? [] {
                counts[execution["order_id"]?.string ?? "", default: 0] += 1
            }
            after = json["next"]?.integer
        }
        return counts
    }

    /// Makes orders, one after the other, that are all taken.
    func orders(_ count: Int) async throws -> [String] {
        var ids: [String] = []
        for _ in 0..<count {
            let response = try await order(.gateway)
            #expect(response.status == 201, "\(response.body)")
            let json = try JSONValue(parsing: response.body, limits: JSONLimits(bytes: 1 << 16))
            ids.append(try #require(json["id"]?.string))
        }
        return ids
    }

    /// Waits until all orders have the status, and expects each to be in the ledger once.
    func expectOnce(_ ids: [String], within limit: Duration = .seconds(90)) async throws {
        let list = ids.map { "'\($0)'" }.joined(separator: ",")
        try await eventually("the placement of \(ids.count) orders", within: limit) {
            try await sql(
                "select count(*) from orders where id in (\(list)) "
                    + "and status in ('placed', 'partially_filled', 'filled')"
            ) == ["\(ids.count)"]
        }
        let ledger = try await ledger()
        #expect(ids.filter { ledger[$0] != 1 } == [])
        #expect(try await sql("select key from outbox where key in (\(list))") == [])
        #expect(try await sql("select * from order_differences()") == [])
    }
}

/// CONTRACT §4: a 201 is placed once, whatever is killed when.
@Suite(.placingSystem, .serialized) struct PlacementTests {
    private static let good =
        #"{"failure_rate":0,"latency_ms":50,"hang_rate":0,"reset_rate":0,"lost_answer_rate":0,"garbled_rate":0}"#
    private let system: System

    init() throws { system = try #require(RunningSystem.current) }

    @Test @ReactorActor func `an order is placed, and its history says how`() async throws {
        try await system.exchange(Self.good)
        let ids = try await system.orders(3)
        try await system.expectOnce(ids)
        for id in ids {
            let types = try await system.sql("select type from order_events where order_id = '\(id)' order by version")
            #expect(types.first == "OrderSubmitted")
            #expect(types.contains("OrderPlaced"))
        }
    }

    @Test @ReactorActor func `lost and garbled answers, refusals and cut connections place each order once`()
        async throws
    {
        try await system.exchange(
            #"{"failure_rate":0.2,"latency_ms":20,"reset_rate":0.1,"lost_answer_rate":0.2,"garbled_rate":0.2}"#
        )
        let ids = try await system.orders(60)
        try await system.expectOnce(ids)
        try await system.exchange(Self.good)
    }

    @Test @ReactorActor func `a dead exchange shows in no answer, costs few events, and gets its orders afterwards`()
        async throws
    {
        try await system.exchange(#"{"failure_rate":1}"#)
        let ids = try await system.orders(60)
        try await eventually("the breaker") { try await system.sum("tickloop_outbox_open", of: "worker") >= 1 }
        let list = ids.map { "'\($0)'" }.joined(separator: ",")
        let most = try await system.sql(
            """
            select max(events) from (
                select count(*) as events from order_events where order_id in (\(list)) group by order_id
            ) as counts
            """
        )
        #expect(Int(most.first ?? "") ?? .max <= 10)
        try await system.exchange(Self.good)
        try await system.expectOnce(ids)
    }

    @Test @ReactorActor func `a refused instrument is rejected with the reason of the exchange`() async throws {
        try await system.exchange(#"{"failure_rate":0,"latency_ms":0,"refused_instruments":["REFUSED00001"]}"#)
        let response = try await system.order(
            .api,
            #"{"type":"market","side":"sell","instrument":"REFUSED00001","quantity":1}"#
        )
        #expect(response.status == 201)
        try await eventually("the rejection") {
            try await system.sql("select status from orders where instrument = 'REFUSED00001'") == ["rejected"]
        }
        #expect(
            try await system.sql("select data ->> 'reason' from order_events where type = 'OrderRejected'")
                == ["REFUSED00001 is not traded here"]
        )
        try await system.exchange(#"{"refused_instruments":[]}"#)
    }

    @Test @ReactorActor func `workers and the exchange killed with calls in flight place each order once`() async throws
    {
        try await system.exchange(#"{"failure_rate":0,"latency_ms":300}"#)
        var ids: [String] = []
        for victim in ["worker-1", "worker-2", "simulator-1"] {
            ids += try await system.orders(15)
            let pid = try system.signal(victim, SIGKILL)
            try await eventually("another \(victim)") { self.system.pid(victim).map { $0 != pid } ?? false }
        }
        ids += try await system.orders(15)
        try await system.expectOnce(ids)
    }

    @Test @ReactorActor func `a worker stopped past its lease, and continued, places nothing twice`() async throws {
        try await system.exchange(#"{"failure_rate":0,"latency_ms":2000}"#)
        // So that it is the first who claims them.
        let other = try system.signal("worker-2", SIGSTOP)
        var ids = try await system.orders(10)
        try await eventually("claims") {
            try await system.sql("select count(*) > 0 from outbox_attempts where owner is not null") == ["t"]
        }
        let pid = try system.signal("worker-1", SIGSTOP)
        #expect(kill(other, SIGCONT) == 0)
        ids += try await system.orders(5)
        try await system.expectOnce(ids)
        #expect(kill(pid, SIGCONT) == 0)
        ids += try await system.orders(5)
        try await system.expectOnce(ids)
    }

    @Test @ReactorActor func `an order is cancelled or placed, and never both`() async throws {
        // The breaker may be open still from what came before.
        try await system.exchange(Self.good)
        try await system.expectOnce(try await system.orders(1))
        try await system.exchange(#"{"failure_rate":0.3,"latency_ms":10}"#)
        var cancelled: [String] = []
        var placed: [String] = []
        for number in 0..<40 {
            let id = try await system.orders(1)[0]
            if number % 4 == 0 {
                try await eventually("a claim") {
                    try await system.sql(
                        "select from outbox as m left join outbox_attempts as a on a.message_id = m.id "
                            + "where m.key = '\(id)' and a.message_id is null"
                    ).isEmpty
                }
            }
            if number % 8 == 2 {
                try await eventually("a placement") {
                    try await system.sql("select status from orders where id = '\(id)'") != ["pending"]
                }
            }
            let response = try await system.ask(.gateway, "/orders/\(id)", "DELETE")
            #expect([200, 409].contains(response.status), "\(response.body)")
            if response.status == 200 { cancelled.append(id) } else { placed.append(id) }
        }
        #expect(!cancelled.isEmpty)
        #expect(!placed.isEmpty)
        try await system.expectOnce(placed)
        let ledger = try await system.ledger()
        #expect(cancelled.filter { ledger[$0] != nil } == [])
        try await system.exchange(Self.good)
    }
}

extension SuiteTrait where Self == RunningSystem {
    /// The suite shares one running system with an exchange in it.
    static var placingSystem: Self {
        RunningSystem(ownsServers: false, settings: ["TICKLOOP_EXCHANGE_BASE_URL": "simulator"])
    }
}
