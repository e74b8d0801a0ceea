import Glibc
import Reactor
import Supervision
import TestSupport
import Testing

/// Metrics on an address of their own.
@Suite struct MetricsAddressTests {
    init() { loop }

    @Test @ReactorActor func `metrics can be kept from those who may reach the rest`() async throws {
        let port = try FreePort.choose()
        let ours = Endpoint.tcp(host: "127.0.0.1", port: try FreePort.choose(except: [port]))
        let publics = Endpoint.tcp(host: "127.0.0.1", port: port)
        let simulator = try TickloopProcess(
            ["simulator"],
            environment: [
                "TICKLOOP_SERVER_LISTEN": publics.description, "TICKLOOP_SERVER_METRICS_LISTEN": ours.description,
            ]
        )
        try await simulator.waitUntilReady(.http(publics))
        try await simulator.waitUntilReady(.http(ours, path: "/metrics"))
        #expect(try await request("GET", "/metrics", on: publics).status == 404)
        #expect(try await request("GET", "/health", on: ours).status == 404)
        let metrics = MetricsText(try await request("GET", "/metrics", on: ours).body)
        #expect(metrics.faults == [])
        // What the other server counts, not this one.
        #expect(metrics.value("tickloop_http_requests_total", ["route": "/ready"]).map { $0 >= 1 } == true)
        #expect(metrics.value("tickloop_http_requests_total", ["route": "other", "status": "404"]) == 1)
        simulator.send(SIGTERM)
        #expect(try await simulator.waitForEnd() == .exited(0))
    }
}

/// The tool of Prometheus that judges metrics, alerts and configurations; not everywhere.
private enum Promtool {
    private static let program = Executable.find("promtool")
    static var isInstalled: Bool { program != nil }

    /// - Throws: With the most telling line of its output, when it finds a fault.
    @ReactorActor
    static func run(_ words: String..., input: String = "") async throws {
        var command = Command(try #require(program), words, workingDirectory: packageFolder)
        command.standardInput = "\(try TestFolder.make())/input"
        try Files.write(input, to: command.standardInput)
        try await ChildProcess.run(command, name: "promtool \(words.joined(separator: " "))")
    }
}

/// What `etc/prometheus` has for a Prometheus.
@Suite(.enabled(if: Promtool.isInstalled, "promtool is not there: Debian's package prometheus has it"))
struct PrometheusFilesTests {
    init() { loop }

    @Test(arguments: [
        ["check", "config", "etc/prometheus/prometheus.yml"], ["check", "config", "containers/prometheus.yml"],
        ["check", "rules", "etc/prometheus/alerts.yml"],
        ["test", "rules", "etc/prometheus/alerts_test.yml"],
    ])
    @ReactorActor
    func `Prometheus takes the configuration and the alerts, which fire when they should`(words: [String]) async throws
    {
        try await Promtool.run(words[0], words[1], words[2])
    }
}

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

        @Test(.enabled(if: Promtool.isInstalled, "promtool is not there: Debian's package prometheus has it"))
        @ReactorActor
        func `promtool finds no fault with the metrics of any process`() async throws {
            // Also with what is only told once there was one of it.
            for target in [Question.all[0].target, "/nowhere", Self.average] {
                _ = try await system.ask(.gateway, target)
            }
            for endpoint in system.targets().values.joined() {
                let response = try await request("GET", "/metrics", on: endpoint)
                try await Promtool.run("check", "metrics", input: response.body)
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

        /// What a request for averages moves, by role: the hops that it takes.
        private static let hops: [(role: String, names: [String])] = [
            (
                "gateway",
                ["tickloop_upstream_requests_total", "tickloop_upstream_request_duration_seconds_count"]
            ),
            (
                "api",
                [
                    "tickloop_queue_submitted_total", "tickloop_queue_outcomes_total",
                    "tickloop_redis_command_duration_seconds_count",
                ]
            ),
            (
                "worker",
                [
                    "tickloop_task_fetched_total", "tickloop_task_attempts_total",
                    "tickloop_task_wait_duration_seconds_count", "tickloop_task_run_duration_seconds_count",
                    "tickloop_database_statements_total", "tickloop_database_statement_duration_seconds_count",
                    "tickloop_redis_command_duration_seconds_count",
                ]
            ),
        ]

        @Test @ReactorActor func `a request is measured at every hop`() async throws {
            for (role, names) in Self.hops {
                for name in names {
                    let before = try await system.sum(name, of: role)
                    #expect(try await system.ask(.gateway, Question.all[1].target).status == 200)
                    #expect(try await system.sum(name, of: role) >= before + 1, "\(role): \(name)")
                }
            }
        }

        @Test(arguments: ["etc/grafana/tickloop.json", "etc/prometheus/alerts.yml", "etc/README.md"]) @ReactorActor
        func `what is written for operators names only what there is`(file: String) async throws {
            var names: Set<String> = []
            for endpoint in system.targets().values.joined() {
                for family in try await system.metrics(of: endpoint).families {
                    names.formUnion([family.name] + family.samples.map(\.name))
                }
            }
            let text = try #require(Files.text("\(packageFolder)/\(file)"))
            let used = Set(
                text.split { !($0 == "_" || $0.isLetter && $0.isLowercase && $0.isASCII) }.map { String($0) }
            )
            .filter { $0.hasPrefix("tickloop_") || $0.hasPrefix("process_") }
            #expect(used.count > 10)
            // Told where there is a collector for traces, which is not here.
            names.insert("tickloop_spans_total")
            #expect(used.subtracting(names).sorted() == [])
        }

        @Test @ReactorActor func `the API and the workers tell how the queue is`() async throws {
            for endpoint in try ["api", "worker"].flatMap({ try #require(system.targets()[$0]) }) {
                let metrics = try await system.metrics(of: endpoint)
                #expect(metrics.value("tickloop_queue_up", ["queue": "tasks"]) == 1)
                let states = metrics["tickloop_queue_tasks"]?.samples.compactMap { $0.labels["state"] }
                #expect(states == ["queued", "running", "delayed", "dead"])
                #expect(metrics.value("tickloop_queue_oldest_task_age_seconds") != nil)
                #expect(metrics.value("tickloop_database_up") == 1)
                #expect(metrics.value("tickloop_redis_up") == 1)
            }
        }

        @Test @ReactorActor func `orders are counted where they are taken, and their backlog where it is worked off`()
            async throws
        {
            let key = "measured"
            let before = try await system.metrics(of: try #require(system.targets()["api"]?.first))
            for _ in 1...2 { #expect(try await system.order(.gateway, key: key).status == 201) }
            let after = try await system.metrics(of: try #require(system.targets()["api"]?.first))
            func growth(_ name: String, _ labels: [String: String] = [:]) -> Double {
                (after.value(name, labels) ?? 0) - (before.value(name, labels) ?? 0)
            }
            // At least: other tests ask the same system.
            #expect(growth("tickloop_orders_taken_total") >= 1)
            #expect(growth("tickloop_orders_commits_total") >= 2)
            #expect(growth("tickloop_orders_commit_duration_seconds_count") >= 2)
            #expect(growth("tickloop_orders_not_taken_total", ["reason": "replayed"]) >= 1)
            for endpoint in try #require(system.targets()["worker"]) {
                let metrics = try await system.metrics(of: endpoint)
                #expect(metrics.value("tickloop_orders_oldest_unplaced_age_seconds") != nil)
                #expect(metrics.value("tickloop_orders_unplaced", ["state": "held"]) == 0)
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
