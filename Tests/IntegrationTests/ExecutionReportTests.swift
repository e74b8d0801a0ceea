import Glibc
import JSONWire
import Reactor
import Supervision
import TestSupport
import Testing

extension System {
    /// Changes how the exchange's stream of reports behaves.
    func reports(_ behaviour: String) async throws {
        let response = try await request(
            "PUT",
            "/exchange/reports/behaviour",
            on: simulator,
            fields: ["Content-Type: application/json"],
            body: behaviour
        )
        #expect(response.status == 200, "\(response.body)")
    }

    /// Waits until all orders are executed in full, and expects what is stored to be what the exchange has.
    func expectFilled(_ ids: [String]) async throws {
        let list = ids.map { "'\($0)'" }.joined(separator: ",")
        try await eventually("the execution of \(ids.count) orders", within: .seconds(90)) {
            try await sql("select count(*) from orders where id in (\(list)) and status = 'filled'")
                == ["\(ids.count)"]
        }
        try await expectKept()
    }

    /// Expects what is stored to be what the exchange has, once it has been told of everything.
    func expectKept() async throws {
        var lines: [String] = []
        try await eventually("the last report", within: .seconds(60)) {
            lines = try await tool("orders", "check", "--json", "--ledger", "http://\(simulator)").lines
            let findings = try JSONValue(parsing: lines.last ?? "", limits: JSONLimits(bytes: 1 << 20))
            return findings["unreported"] == 0 && findings["unsettled"] == 0
        }
        #expect(lines.last?.hasPrefix(#"{"kept":true,"#) == true, "\(lines)")
    }

    /// The worker that follows the exchange.
    func follower() async throws -> String {
        var name: String?
        try await eventually("one worker that follows the exchange") {
            var found: [String] = []
            for (index, endpoint) in (targets()["worker"] ?? []).enumerated() {
                guard let metrics = try? await metrics(of: endpoint) else { continue }
                if metrics.value("tickloop_orders_reports_following") == 1 { found.append("worker-\(index + 1)") }
            }
            name = found.count == 1 ? found[0] : nil
            return name != nil
        }
        return try #require(name)
    }
}

/// What the exchange executes becomes events and statuses, whatever its stream and the processes do.
@Suite(.placingSystem, .serialized) struct ExecutionReportTests {
    private static let calm = #"{"drop_rate":0,"repeat_rate":0,"swap_rate":0,"correction_rate":0,"silent":false}"#
    private let system: System

    init() throws { system = try #require(RunningSystem.current) }

    @ReactorActor
    private func calm() async throws {
        try await system.exchange(
            #"{"failure_rate":0,"latency_ms":20,"lost_answer_rate":0,"deduplication":"by_id","fills":true}"#
        )
        try await system.reports(Self.calm)
    }

    @Test @ReactorActor func `an order is filled in parts, and its history says how and at what price`() async throws {
        try await calm()
        let ids = try await system.orders(8)
        try await system.expectFilled(ids)
        let answer = try await system.ask(.gateway, "/orders/\(ids[0])")
        let order = try JSONValue(parsing: answer.body, limits: JSONLimits(bytes: 1 << 16))
        #expect(order["status"] == "filled")
        #expect(order["filled_quantity"] == order["quantity"])
        let events = try await system.ask(.gateway, "/orders/\(ids[0])/events")
        let history = try JSONValue(parsing: events.body, limits: JSONLimits(bytes: 1 << 16))["data"]?.array ?? []
        #expect(history.compactMap { $0["type"]?.string }.first == "OrderSubmitted")
        let executions = history.filter { $0["type"]?.string == "OrderExecuted" }.compactMap { $0["data"] }
        #expect(executions.compactMap { $0["quantity"]?.integer }.reduce(0, +) == order["quantity"]?.integer)
        #expect(executions.allSatisfy { $0["price"]?.numberText == "150.00" && $0["execution_id"]?.string != nil })
        let followers = try await system.sum("tickloop_orders_reports_following", of: "worker")
        #expect(followers == 1)
    }

    @Test @ReactorActor
    func `reports left out, repeated and swapped, answers lost and executions corrected end in the exchange's state`()
        async throws
    {
        try await calm()
        try await system.exchange(#"{"failure_rate":0.1,"lost_answer_rate":0.2}"#)
        try await system.reports(#"{"drop_rate":0.2,"repeat_rate":0.2,"swap_rate":0.2,"correction_rate":0.3}"#)
        let ids = try await system.orders(60)
        try await system.expectFilled(ids)
        let corrections = try await system.sql("select count(*) from order_events where type = 'ExecutionCorrected'")
        #expect(corrections != ["0"])
        #expect(try await system.sum("tickloop_orders_reports_fetched_total", of: "worker") > 0)
        #expect(try await system.sum("tickloop_orders_reports_repeated_total", of: "worker") > 0)
        try await calm()
    }

    @Test @ReactorActor func `who follows is killed or stopped, the exchange killed: no fill is lost or doubled`()
        async throws
    {
        try await calm()
        var ids = try await system.orders(10)
        let first = try await system.follower()
        let pid = try system.signal(first, SIGKILL)
        ids += try await system.orders(10)
        try await eventually("another \(first)") { self.system.pid(first).map { $0 != pid } ?? false }
        let exchange = try system.signal("simulator-1", SIGKILL)
        try await eventually("another exchange") { self.system.pid("simulator-1").map { $0 != exchange } ?? false }
        ids += try await system.orders(10)
        let second = try await system.follower()
        let stopped = try system.signal(second, SIGSTOP)
        ids += try await system.orders(10)
        try await eventually("another holder of the lease", within: .seconds(60)) {
            try await system.sql(
                """
                select (select lease_until > now() from order_feed), count(*) from orders where status <> 'filled'
                """
            ) == ["t|0"]
        }
        #expect(kill(stopped, SIGCONT) == 0)
        try await calm()
        ids += try await system.orders(10)
        try await system.expectFilled(ids)
        _ = try await system.follower()
    }

    @Test @ReactorActor func `a stream that says nothing is begun anew, and nothing is lost meanwhile`() async throws {
        try await calm()
        _ = try await system.follower()
        let before = try await system.sum("tickloop_orders_report_streams_total", of: "worker")
        try await system.reports(#"{"silent":true}"#)
        let ids = try await system.orders(5)
        try await eventually("another stream", within: .seconds(60)) {
            try await system.sum("tickloop_orders_report_streams_total", of: "worker") > before
        }
        try await system.reports(#"{"silent":false}"#)
        try await system.expectFilled(ids)
    }

    @Test @ReactorActor func `what no report said is found by the snapshot, though the stream is in good health`()
        async throws
    {
        try await calm()
        try await system.expectFilled(try await system.orders(1))
        try await system.reports(#"{"silent":true}"#)
        let ids = try await system.orders(5)
        try await eventually("executions that nobody was told of", within: .seconds(60)) {
            let page = try await request("GET", "/exchange/executions?limit=10000", on: system.simulator)
            let rows = try JSONValue(parsing: page.body, limits: JSONLimits(bytes: 1 << 20))["executions"]?.array ?? []
            let filled = rows.filter { ids.contains($0["order_id"]?.string ?? "") }
                .compactMap { $0["quantity"]?.integer }.reduce(0, +)
            return filled == 50
        }
        // As if all had been taken in: who follows next begins behind them.
        let last = try await request("GET", "/exchange/executions?limit=1", on: system.simulator)
        let through = try JSONValue(parsing: last.body, limits: JSONLimits(bytes: 1 << 20))["through"]?.integer
        let pid = try system.signal(try await system.follower(), SIGSTOP)
        try await system.sql(
            """
            update order_feed
            set taken_through = \(try #require(through)), lease_until = '-infinity', owner = null
            """
        )
        #expect(kill(pid, SIGKILL) == 0)
        try await system.reports(#"{"silent":false}"#)
        try await system.expectFilled(ids)
        #expect(try await system.sum("tickloop_orders_report_differences_total", of: "worker") > 0)
    }

    @Test @ReactorActor func `more executed than ordered is an alarm, and everything goes on`() async throws {
        try await calm()
        let id = try await system.orders(1)[0]
        try await system.expectFilled([id])
        try await system.exchange(#"{"deduplication":"none"}"#)
        let again = try await request(
            "POST",
            "/exchange/orders",
            on: system.simulator,
            fields: ["Content-Type: application/json"],
            body: #"{"order_id":"\#(id)","type":"limit","side":"buy","instrument":"DE000A0Q4RZ3","limit_price":150,"#
                + #""quantity":10}"#
        )
        #expect(again.status == 201, "\(again.body)")
        try await eventually("the other fills", within: .seconds(60)) {
            try await system.sql("select status, filled_quantity from orders where id = '\(id)'") == ["filled|20"]
        }
        let labels = ["kind": "overfilled"]
        var alarms = 0.0
        for endpoint in system.targets()["worker"] ?? [] {
            alarms += try await system.metrics(of: endpoint).value("tickloop_orders_report_alarms_total", labels) ?? 0
        }
        #expect(alarms == 1)
        #expect(try await system.sql("select * from order_differences()") == [])
        try await calm()
        let next = try await system.orders(1)
        try await eventually("the next order", within: .seconds(60)) {
            try await system.sql("select status from orders where id = '\(next[0])'") == ["filled"]
        }
    }
}
