import Reactor
import TestSupport
import Testing

extension EndToEndTests {
    /// `/metrics` of every process, as Prometheus and an operator read it.
    @Suite struct MetricsTests {
        private let system: System
        private static let average = "/prices/average"

        init() throws { system = try #require(RunningSystem.current) }

        @Test @ReactorActor func `every process answers metrics that Prometheus likes`() async throws {
            _ = try await system.ask(.gateway, Question.all[0].target)
            let targets = system.targets()
            #expect(targets.mapValues(\.count) == ["gateway": 1, "api": 1, "worker": 2, "simulator": 1])
            for (role, endpoints) in targets {
                for endpoint in endpoints {
                    // Twice, because the first answer is itself a request.
                    _ = try await system.metrics(of: endpoint)
                    let metrics = try await system.metrics(of: endpoint)
                    #expect(metrics.faults == [], "\(role)")
                    #expect(metrics.value("tickloop_build_info", ["service": role]) == 1)
                    #expect(metrics.value("process_threads") == 1, "\(role)")
                    #expect(metrics.value("process_open_fds").map { $0 > 3 } == true, "\(role)")
                    #expect(metrics.value("process_resident_memory_bytes").map { $0 > 1e6 && $0 < 1e9 } == true)
                    #expect(metrics.value("process_cpu_seconds_total").map { $0 > 0 } == true)
                    #expect(metrics.value("tickloop_loop_turn_duration_seconds_count").map { $0 > 0 } == true)
                    #expect(metrics.value("tickloop_http_requests_total", ["route": "/metrics"]).map { $0 > 0 } == true)
                }
            }
        }

        @Test(arguments: Role.allCases) @ReactorActor
        func `requests are counted by route, method and status`(role: Role) async throws {
            let endpoint = system.endpoint(role)
            let requests: [(method: String, target: String, route: String, status: String)] = [
                ("GET", Question.all[0].target, Self.average, "200"), ("GET", Self.average, Self.average, "400"),
                ("HEAD", "/v1\(Question.all[0].target)", Self.average, "200"),
                ("DELETE", Self.average, Self.average, "405"), ("OPTIONS", "/health/", "/health", "204"),
                ("GET", "/nowhere", "other", "404"),
            ]
            let before = try await system.metrics(of: endpoint)
            for request in requests { _ = try await system.ask(role, request.target, request.method) }
            let after = try await system.metrics(of: endpoint)
            for (method, _, route, status) in requests {
                let labels = ["route": route, "method": method, "status": status]
                for (name, labels) in [
                    ("tickloop_http_requests_total", labels),
                    ("tickloop_http_request_duration_seconds_count", ["route": route, "method": method]),
                ] {
                    // At least: other tests ask the same system.
                    let growth = (after.value(name, labels) ?? 0) - (before.value(name, labels) ?? 0)
                    #expect(growth >= 1, "\(name) \(labels)")
                }
            }
            for code in ["MISSING_PARAMETER", "METHOD_NOT_ALLOWED", "NOT_FOUND"] {
                let name = "tickloop_http_errors_total"
                let growth = (after.value(name, ["code": code]) ?? 0) - (before.value(name, ["code": code]) ?? 0)
                #expect(growth >= 1, "\(code)")
            }
        }

        @Test(arguments: Role.allCases) @ReactorActor
        func `no client can make a label`(role: Role) async throws {
            var generator = SystemRandomNumberGenerator()
            for _ in 0..<50 {
                let path = "/\(generator.next())/\(generator.next())"
                _ = try await system.ask(role, path, "M\(generator.next() % 1000)")
                _ = try await system.ask(role, "/tasks/\(generator.next())")
                _ = try await system.ask(role, "\(Self.average)?x=\(generator.next())")
            }
            let metrics = try await system.metrics(of: system.endpoint(role))
            #expect(metrics.faults == [])
            let requests = try #require(metrics["tickloop_http_requests_total"]).samples
            let known = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "other"]
            #expect(requests.allSatisfy { known.contains($0.labels["method"] ?? "") })
            #expect(
                requests.allSatisfy {
                    $0.labels["route"].map { $0 == "other" || !$0.contains { $0.isNumber } } ?? false
                }
            )
            #expect(metrics.value("tickloop_http_requests_total", ["route": "other", "method": "other"]) ?? 0 >= 50)
        }

        @Test(arguments: Role.allCases) @ReactorActor
        func `what is refused before it is a request is counted by its reason`(role: Role) async throws {
            let endpoint = system.endpoint(role)
            let before = try await system.metrics(of: endpoint)
            for bytes in [
                "what\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
                "GET /\(String(repeating: "x", count: 9000)) HTTP/1.1\r\nHost: a\r\n\r\n",
            ] {
                let socket = try await TestSocket(to: endpoint)
                defer { socket.close() }
                socket.send(bytes)
                _ = try await socket.takeResponse()
            }
            let after = try await system.metrics(of: endpoint)
            for (reason, count) in ["malformed": 2.0, "too_large": 1] {
                let name = "tickloop_http_refused_total"
                let growth =
                    (after.value(name, ["reason": reason]) ?? 0) - (before.value(name, ["reason": reason]) ?? 0)
                #expect(growth >= count, "\(reason)")
            }
        }
    }
}
