import JSONWire
import Reactor
import Supervision
import TestSupport
import Testing

extension EndToEndTests {
    @Suite struct OrdersCommandTests {
        private let system: System

        init() throws { system = try #require(RunningSystem.current) }

        @Test @ReactorActor func `orders are listed, shown and checked from the command line`() async throws {
            // Others put orders with ids of their own into the same tables.
            let instrument = "LISTED000001"
            let answer = try await system.order(
                .gateway,
                System.limitOrder.replacing("DE000A0Q4RZ3", with: instrument)
            )
            let id = try #require(answer.json?["id"]?.string)
            let list = try await system.tool("orders", "list", "--instrument", instrument)
            #expect(list.status == .exited(0))
            #expect(list.lines.first?.hasPrefix("order ") == true)
            #expect(list.lines.contains { $0.hasPrefix(id) && $0.contains("150.00") })
            let json = try await system.tool("orders", "list", "--limit", "1", "--json")
            #expect(json.lines.count == 1)
            #expect(try JSONValue(parsing: json.lines[0], limits: JSONLimits(bytes: 10_000))["id"]?.string != nil)

            let shown = try await system.tool("orders", "show", id)
            #expect(shown.status == .exited(0))
            #expect(shown.lines.contains { $0.contains("OrderSubmitted") && $0.contains(instrument) })
            let check = try await system.tool("orders", "check")
            #expect(check.status == .exited(0), "\(check.lines)")
            #expect(check.lines.last == "Every promise is kept.")
        }

        @Test @ReactorActor func `what there is not is said in words, and what fails with its cause and advice`()
            async throws
        {
            let nobody = "01a1fd76-c4ba-78d7-ac0f-73e05585ea05"
            for command in ["show", "hold", "release", "retry"] {
                let tool = try await system.tool("orders", command, nobody)
                #expect(tool.status == .exited(1))
                #expect(tool.lines == ["There is no order \(nobody)."])
            }
            let none = try await system.tool("orders", "list", "--instrument", "NOBODY000000")
            #expect(none.lines == ["There are no such orders."])
            let end = try await system.tool("orders", "events", "--after", "999999999")
            #expect(end.lines == ["Nothing has happened since."])
            let ledger = try await system.tool("orders", "check", "--ledger", "http://127.0.0.1:9")
            #expect(ledger.status == .exited(2))
            #expect(ledger.lines.last?.contains("Is --ledger where the exchange is, and does it run?") == true)
            #expect(try await system.tool("orders", "check", "--log", "/nowhere/log").status == .exited(2))
            #expect(try await system.tool("orders", "show", "x").status == .exited(64))
        }
    }
}
