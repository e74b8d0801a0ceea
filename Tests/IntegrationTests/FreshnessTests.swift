import Reactor
import Supervision
import TestSupport
import Testing

extension EndToEndTests {
    /// A committed change of `prices` is in the next answer.
    @Suite struct FreshnessTests {
        private let system: System
        private static let day = "1999-12-31"

        init() throws { system = try #require(RunningSystem.current) }

        private func target(_ symbol: String) -> String {
            "/prices/average?start_date=\(Self.day)&end_date=\(Self.day)&symbol=\(symbol)"
        }

        private func answer(_ mean: String?) -> String { Question.answer(mean.map { [(Self.day, $0)] } ?? []) }

        /// Statements in their order, each with the mean that follows from it.
        private func changes(of symbol: String) -> [(statement: String, mean: String?)] {
            let values = "values ('\(symbol)', '\(Self.day)T00:00:00Z', 1), ('\(symbol)', '\(Self.day)T23:59:59Z', 2)"
            let mine = "where symbol = '\(symbol)'"
            return [
                ("insert into prices (symbol, recorded_at, price) \(values)", "1.5"),
                ("update prices set price = 2.000001 \(mine) and price = 2", "1.500001"),
                ("update prices set recorded_at = '2000-01-01T00:00:00Z' \(mine) and price = 1", "2.000001"),
                ("begin; update prices set price = 9 \(mine); rollback", "2.000001"),
                ("delete from prices \(mine) and price > 1", nil),
                ("update prices set recorded_at = '\(Self.day)T12:00:00Z', price = -0.0000005 \(mine)", "-0.000001"),
                ("delete from prices \(mine)", nil),
            ]
        }

        @Test(arguments: Role.allCases) @ReactorActor
        func `the answer after a commit has what was committed`(role: Role) async throws {
            let symbol = "FRESH.\(role.rawValue)"
            for change in changes(of: symbol) {
                try await system.sql(change.statement)
                let response = try await system.ask(role, target(symbol))
                #expect(response.body == answer(change.mean), "\(change.statement)")
            }
        }

        @Test @ReactorActor func `an answer that is kept is right again when its time is up`() async throws {
            let lifetime = Duration.milliseconds(500)
            let endpoint = Endpoint.tcp(host: "127.0.0.1", port: try FreePort.choose())
            let gateway = try TickloopProcess(
                ["gateway"],
                environment: [
                    "TICKLOOP_SERVER_LISTEN": "\(endpoint)", "TICKLOOP_UPSTREAM_ADDRESS": "\(system.endpoint(.api))",
                    "TICKLOOP_CACHE_AVERAGE_TTL_MS": "500",
                ],
                folder: packageFolder
            )
            try await gateway.waitUntilReady(.http(endpoint))
            var mean: String?
            for change in changes(of: "KEPT") {
                // The answer from before is kept now.
                let before = try await request("GET", target("KEPT"), on: endpoint)
                #expect(before.body == answer(mean))
                try await system.sql(change.statement)
                mean = change.mean
                try await Reactor.sleep(for: lifetime)
                let after = try await request("GET", target("KEPT"), on: endpoint)
                #expect(after.body == answer(mean), "\(change.statement)")
            }
            try await gateway.kill()
        }

        @Test @ReactorActor func `questions to the cache are counted by their result`() async throws {
            let endpoint = Endpoint.tcp(host: "127.0.0.1", port: try FreePort.choose())
            let gateway = try TickloopProcess(
                ["gateway"],
                environment: [
                    "TICKLOOP_SERVER_LISTEN": "\(endpoint)", "TICKLOOP_UPSTREAM_ADDRESS": "\(system.endpoint(.api))",
                    "TICKLOOP_CACHE_AVERAGE_TTL_MS": "600000",
                ],
                folder: packageFolder
            )
            try await gateway.waitUntilReady(.http(endpoint))
            for symbol in ["ONE", "TWO", "ONE", "ONE", "TWO"] {
                _ = try await request("GET", target(symbol), on: endpoint)
            }
            let metrics = try await system.metrics(of: endpoint)
            let lookups = "tickloop_cache_lookups_total"
            #expect(metrics.value(lookups, ["result": "miss"]) == 2)
            #expect(metrics.value(lookups, ["result": "hit"]) == 3)
            #expect(metrics.value("tickloop_cache_entries") == 2)
            #expect(metrics.value("tickloop_cache_evictions_total") == 0)
            try await gateway.kill()
        }
    }
}
