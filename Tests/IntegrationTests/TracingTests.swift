import Reactor
import TestSupport
import Testing

/// Spans of the whole program, as a collector receives them.
@Suite(.serialized) struct TracingTests {
    init() { loop }

    /// Runs the program with a collector.
    @ReactorActor
    private func withSystem(
        _ settings: [String: String],
        _ body: @ReactorActor (System, TestCollector) async throws -> Void
    ) async throws {
        let collector = try await TestCollector()
        defer { collector.stop() }
        let common = [
            "TICKLOOP_TRACING_ENDPOINT": collector.url, "TICKLOOP_TRACING_FLUSH_INTERVAL_MS": "20",
            // A task that another worker takes over, because the machine is busy, has spans twice.
            "TICKLOOP_QUEUE_LEASE_MS": "60000",
        ]
        let system = try await System(ownsServers: false, settings: common.merging(settings) { $1 })
        try await system.waitUntilReady()
        try await body(system, collector)
        try await system.stop()
        #expect(collector.faults == [])
    }

    @Test @ReactorActor func `a request is one tree through every hop`() async throws {
        // Only what the client wants recorded is.
        try await withSystem(["TICKLOOP_TRACING_SAMPLE_RATIO": "0"]) { system, collector in
            try await followOneRequest(system, collector)
            try await leaveOutWhatIsNotSampled(system, collector)
            try await followFailures(system, collector)
            try await followTasksThatNobodyWaitsFor(system, collector)
            try await followManyAtOnce(system, collector)
        }
    }

    @ReactorActor
    private func followOneRequest(_ system: System, _ collector: TestCollector) async throws {
        let client = ClientTrace(1)
        let fields = [client.field, "tracestate: vendor=1", "X-Request-Id: followed"]
        let answer = try await system.ask(.gateway, "/v1" + Question.all[3].target, fields: fields)
        #expect(answer.body == Question.all[3].body)
        try await eventually("four spans") { collector.spans(of: client).count == 4 }

        let chain = collector.spans(of: client).sorted { $0.start < $1.start }
        #expect(chain.map(\.service) == ["gateway", "api", "worker", "worker"].map { "tickloop-\($0)" })
        #expect(chain.map(\.kind) == [2, 2, 5, 3])
        #expect(
            chain.map(\.name) == [
                "GET /prices/average", "GET /prices/average", "process prices.average", "SELECT daily_prices",
            ]
        )
        #expect(chain.map(\.parentID) == [client.spanID] + chain.dropLast().map { $0.spanID })
        for (parent, child) in zip(chain, chain.dropFirst()) {
            #expect(parent.start <= child.start && child.end <= parent.end, "\(parent.name) holds \(child.name)")
        }
        #expect(chain.map(\.traceState).prefix(3) == ["vendor=1", "vendor=1", "vendor=1"])
        #expect(chain.allSatisfy { !$0.isFailed && $0.links.isEmpty })
        #expect(chain.prefix(3).map { $0.attributes["tickloop.request_id"] } == ["followed", "followed", "followed"])
        let (server, consumer, statement) = (chain[0].attributes, chain[2].attributes, chain[3].attributes)
        #expect(server["http.request.method"] == "GET" && server["http.response.status_code"] == "200")
        #expect(server["http.route"] == "/prices/average" && server["url.path"] == "/v1/prices/average")
        #expect(server["url.query"]?.hasPrefix("start_date=") == true && server["client.address"] == "127.0.0.1")
        #expect(consumer["messaging.system"] == "redis" && consumer["messaging.destination.name"] == "tasks")
        #expect(consumer["messaging.message.id"] == chain[1].attributes["messaging.message.id"])
        #expect(consumer["tickloop.task.wait_ms"].flatMap { Int($0) }.map { $0 < 10_000 } == true)
        #expect(statement["db.system.name"] == "postgresql" && statement["db.namespace"] == system.database)

        // What the database shows of the statement names the span, until the connection has another statement: the
        // workers look after jobs and events on it, too. So ask until it is seen.
        var next = 500
        try await eventually("a statement that names its span") {
            next += 1
            let client = ClientTrace(next)
            _ = try await system.ask(.gateway, Question.all[3].target, fields: [client.field])
            try await eventually("four spans") { collector.spans(of: client).count == 4 }
            let span = try #require(collector.spans(of: client).max { $0.start < $1.start })
            let comment = "/*traceparent='00-\(client.traceID)-\(span.spanID)-01'*/"
            let shown = try await system.sql(
                "select count(*) from pg_stat_activity where datname = '\(system.database)' "
                    + "and query like '%\(comment)'".replacingQuotes(in: comment)
            )
            return shown == ["1"]
        }
    }

    @ReactorActor
    private func leaveOutWhatIsNotSampled(_ system: System, _ collector: TestCollector) async throws {
        let (unsampled, sampled) = (ClientTrace(2, isSampled: false), ClientTrace(3))
        let count = collector.spans.count
        _ = try await system.ask(.gateway, Question.all[4].target, fields: [unsampled.field])
        _ = try await system.ask(.gateway, Question.all[4].target)
        _ = try await system.ask(.gateway, "/health", fields: [sampled.field])
        let prepared = try await system.sql(
            """
            select count(*) from pg_stat_activity
            where pid <> pg_backend_pid() and query like '%\(unsampled.traceID)%'
            """
        )
        #expect(prepared == ["0"])
        // What comes later arrives later: nothing of the others is still under way then.
        _ = try await system.ask(.gateway, Question.all[4].target, fields: [sampled.field])
        try await eventually("four spans") { collector.spans(of: sampled).count >= 4 }
        #expect(collector.spans.count == count + 4)
    }

    @ReactorActor
    private func followFailures(_ system: System, _ collector: TestCollector) async throws {
        let (bad, missing) = (ClientTrace(4), ClientTrace(5))
        let answers = [
            try await system.ask(.gateway, "/prices/average?start_date=x", fields: [bad.field]),
            try await system.ask(.gateway, "/nowhere/secret", fields: [missing.field]),
        ]
        #expect(answers.map(\.status) == [400, 404])
        try await eventually("two spans") {
            collector.spans(of: bad).count == 1 && collector.spans(of: missing).count == 1
        }
        for (client, name, status) in [(bad, "GET /prices/average", "400"), (missing, "GET", "404")] {
            let span = try #require(collector.spans(of: client).first)
            #expect(span.name == name && span.parentID == client.spanID && !span.isFailed)
            #expect(span.attributes["http.response.status_code"] == status)
        }
    }

    @ReactorActor
    private func followTasksThatNobodyWaitsFor(_ system: System, _ collector: TestCollector) async throws {
        let client = ClientTrace(6)
        let fields = [client.field, "Prefer: respond-async"]
        #expect(try await system.ask(.api, Question.all[5].target, fields: fields).status == 202)
        try await eventually("three spans") { collector.spans(of: client).count == 3 }
        try expectTree(collector.spans(of: client), of: client)
        #expect(Set(collector.spans(of: client).map(\.kind)) == [2, 3, 5])
    }

    /// Requests that share tasks, and tasks that share statements: each has a tree of its own, and from each a way
    /// leads to the statement that answered it.
    @ReactorActor
    private func followManyAtOnce(_ system: System, _ collector: TestCollector) async throws {
        let clients = (100..<220).map { ClientTrace($0) }
        var answered = 0
        for (index, client) in clients.enumerated() {
            Reactor.spawn {
                let question = Question.all[index % 12]
                let answer = try? await system.ask(.gateway, question.target, fields: [client.field])
                #expect(answer?.body == question.body)
                answered += 1
            }
        }
        try await eventually("the answers") { answered == clients.count }
        func apiSpans() -> [TestCollector.Span] {
            clients.flatMap { collector.spans(of: $0) }.filter { $0.service == "tickloop-api" }
        }
        func isComplete() -> Bool {
            let spans = clients.flatMap { collector.spans(of: $0) }
            let tasks = Set(apiSpans().compactMap { $0.attributes["messaging.message.id"] })
            return spans.filter { $0.service == "tickloop-gateway" }.count == clients.count
                && apiSpans().count == clients.count && spans.filter { $0.kind == 5 }.count == tasks.count
        }
        try await eventually("the spans") { isComplete() }
        try await eventually("the statements") {
            clients.allSatisfy { !collector.statements(answering: $0).isEmpty }
        }
        for client in clients {
            try expectTree(collector.spans(of: client), of: client)
            #expect(collector.statements(answering: client).count == 1)
        }
        // Twelve questions and 120 clients: some shared.
        #expect(apiSpans().contains { $0.attributes["tickloop.task.shared"] == "true" })
    }

    /// One root, below the client's span, and every other below another of the tree.
    private func expectTree(_ spans: [TestCollector.Span], of client: ClientTrace) throws {
        let ids = Set(spans.map(\.spanID))
        #expect(ids.count == spans.count)
        #expect(spans.filter { $0.parentID == client.spanID }.count == 1)
        #expect(spans.allSatisfy { $0.parentID == client.spanID || $0.parentID.map { ids.contains($0) } == true })
    }

    @Test @ReactorActor func `a collector that hangs, goes and comes back costs no request`() async throws {
        let settings = ["TICKLOOP_TRACING_QUEUE_SPANS": "64", "TICKLOOP_TRACING_TIMEOUT_MS": "200"]
        try await withSystem(settings) { system, collector in
            let load = Load(on: system.endpoint(.gateway))
            collector.behavior = .hang
            let roles = system.targets().filter { $0.key != "simulator" }
            try await load.flows(500)
            try await eventually("dropped spans on every hop", within: .seconds(60)) {
                for endpoint in roles.values.flatMap({ $0 }) {
                    let metrics = try await system.metrics(of: endpoint)
                    #expect(metrics.value("tickloop_spans_waiting").map { $0 <= 64 } == true)
                    guard metrics.value("tickloop_spans_total", ["outcome": "dropped"]).map({ $0 > 0 }) == true else {
                        return false
                    }
                }
                return true
            }
            collector.stop()
            try await load.flows(500)
            let count = collector.spans.count
            collector.behavior = .accept
            try await collector.start()
            try await eventually("spans again", within: .seconds(60)) { collector.spans.count > count + 100 }
            try await load.stop()
            #expect(load.wrong == [] && load.lost == [] && load.refusals == [:])
        }
    }

    @Test @ReactorActor func `spans of the last requests arrive before the processes end`() async throws {
        // However busy the machine is, no span leaves because it waited for long, and no process gives up at its end.
        let settings = [
            "TICKLOOP_TRACING_FLUSH_INTERVAL_MS": "60000", "TICKLOOP_TRACING_TIMEOUT_MS": "60000",
            "TICKLOOP_SHUTDOWN_GRACE_MS": "60000",
        ]
        try await withSystem(settings) { system, collector in
            let client = ClientTrace(9)
            _ = try await system.ask(.gateway, Question.all[0].target, fields: [client.field])
            #expect(collector.spans(of: client).isEmpty)
            for name in ["gateway-1", "api-1", "worker-1", "worker-2"] {
                let pid = try system.signal(name, 15)
                try await system.waitForSuccessor(of: pid, as: name)
            }
            #expect(collector.spans(of: client).count == 4)
        }
    }
}

/// The trace of a client that has a tracer of its own.
private struct ClientTrace {
    let traceID: String
    let spanID: String
    let isSampled: Bool

    init(_ number: Int, isSampled: Bool = true) {
        traceID = "abcdef00000000000000000000\(100_000 + number)"
        spanID = "fedcba0000\(100_000 + number)"
        self.isSampled = isSampled
    }

    var field: String { "traceparent: 00-\(traceID)-\(spanID)-0\(isSampled ? 1 : 0)" }
}

extension TestCollector {
    fileprivate func spans(of client: ClientTrace) -> [Span] { spans.filter { $0.traceID == client.traceID } }

    /// The statements that a client's trace leads to, as somebody who looks at it would find them.
    fileprivate func statements(answering client: ClientTrace) -> Set<String> {
        guard let api = spans(of: client).first(where: { $0.service == "tickloop-api" }) else { return [] }
        // By a link, if the task was another's.
        let owners = [api.spanID] + api.links.compactMap { $0.split(separator: "-").last.map { String($0) } }
        let runs = spans.filter { span in span.kind == 5 && span.parentID.map { owners.contains($0) } == true }
        let own = spans.filter { span in span.kind == 3 && runs.contains { $0.spanID == span.parentID } }
        // By a link, if the statement was another's.
        let linked = spans.filter { span in
            span.kind == 3 && runs.contains { $0.links.contains("\(span.traceID)-\(span.spanID)") }
        }
        return Set((own + linked).map(\.spanID))
    }
}

extension String {
    /// The text with the quotes of a part of it doubled, as SQL wants them inside a literal.
    fileprivate func replacingQuotes(in part: String) -> String {
        let doubled = part.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "''")
        return self.replacing(part, with: doubled)
    }
}
