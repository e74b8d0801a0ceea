import Logging
import Reactor
import TestSupport
import Testing

@testable import Tracing

/// The exporter against a collector that takes spans, refuses them, hangs, is away, and comes back.
@Suite struct SpanExporterTests {
    init() { Reactor.runInBackground() }

    @ReactorActor
    private func tracer(
        _ collector: TestCollector,
        change: (inout TracingConfiguration) -> Void = { _ in }
    ) throws -> Tracer {
        var configuration = TracingConfiguration(collector: try #require(CollectorAddress(parsing: collector.url)))
        configuration.flushInterval = .milliseconds(10)
        configuration.retryDelayFirst = .milliseconds(5)
        configuration.retryDelayCap = .milliseconds(20)
        change(&configuration)
        let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        return Tracer(configuration, resource: [SpanAttribute("service.name", "test")], logger: quiet)
    }

    /// Ends so many spans, each the root of a trace of its own.
    @ReactorActor
    private func endSpans(_ count: Int, on tracer: Tracer) {
        var random = RandomBits()
        for _ in 0..<count {
            let place = TraceContext.root(sampledBy: tracer.sampler, using: &random)
            tracer.start("work", .server, at: place, parent: nil)?.end()
        }
    }

    @Test @ReactorActor func `spans arrive as they were`() async throws {
        let collector = try await TestCollector()
        defer { collector.stop() }
        let tracer = try tracer(collector)
        let parent = try #require(TraceContext(parsing: TraceContextTests.valid))
        let span = try #require(tracer.start("GET /", .server, below: parent, traceState: "a=1"))
        span.set("http.route", "/")
        let child = span.child("SELECT", .client)
        child.fail("57014", "Too slow.")
        child.end()
        child.set("late", true)
        child.end()
        span.end()
        try await eventually("two spans") { collector.spans.count == 2 }
        let (below, above) = (collector.spans[0], collector.spans[1])
        #expect(above.service == "test" && above.name == "GET /" && above.kind == 2 && !above.isFailed)
        #expect(above.traceID == "4bf92f3577b34da6a3ce929d0e0e4736" && above.parentID == "00f067aa0ba902b7")
        #expect(above.attributes == ["http.route": "/"] && above.traceState == "a=1")
        #expect(below.parentID == above.spanID && below.traceID == above.traceID && below.isFailed)
        #expect(below.attributes == ["error.type": "57014"])
        #expect(above.start <= below.start && below.end <= above.end)
        #expect(collector.faults == [])
        try await eventually("the account") { tracer.counters.exported == 2 }
    }

    @Test @ReactorActor func `a trace that is not recorded has no spans`() async throws {
        let collector = try await TestCollector()
        defer { collector.stop() }
        let tracer = try tracer(collector)
        let unsampled = try #require(TraceContext(parsing: TraceContextTests.valid.dropLast(2) + "00"))
        #expect(tracer.start("work", .server, below: unsampled, traceState: nil) == nil)
        #expect(tracer.start("work", .server, at: unsampled, parent: nil) == nil)
        await tracer.drain(within: .seconds(5))
        #expect(tracer.counters == TracingCounters() && collector.requestCount == 0)
    }

    @Test @ReactorActor func `what is done once for several is one span, linked with each of them`() async throws {
        let collector = try await TestCollector()
        defer { collector.stop() }
        let tracer = try tracer(collector)
        var random = RandomBits()
        let parents = (0..<3).compactMap { _ in
            tracer.start("task", .consumer, below: .root(sampledBy: tracer.sampler, using: &random), traceState: nil)
        }
        let shared = try #require(TraceSpan.child(ofAll: parents, "statement", .client))
        #expect(TraceSpan.child(ofAll: [], "statement", .client) == nil)
        #expect(shared.sqlComment == "/*traceparent='\(shared.context)'*/")
        shared.end()
        for parent in parents { parent.end() }
        try await eventually("the spans") { collector.spans.count == 4 }
        let names = collector.spans.map { "\($0.traceID)-\($0.spanID)" }
        #expect(collector.spans[0].parentID == collector.spans[1].spanID)
        #expect(collector.spans.map(\.links) == [Array(names[2...]), [], [names[0]], [names[0]]])
    }

    @Test @ReactorActor func `many spans go in batches, and nothing waits for another to end`() async throws {
        let collector = try await TestCollector()
        defer { collector.stop() }
        let tracer = try tracer(collector) {
            $0.batchSpans = 100
            $0.queueSpans = 1000
            $0.flushInterval = .seconds(60)
        }
        endSpans(1000, on: tracer)
        // Not before this turn of the loop has ended.
        #expect(tracer.waitingCount == 1000)
        try await eventually("the spans") { tracer.counters.exported == 1000 }
        #expect(collector.requestCount == 10)
        #expect(Set(collector.spans.map(\.spanID)).count == 1000)
        // One is not a batch, and the interval is long: only the end sends it.
        endSpans(1, on: tracer)
        await tracer.drain(within: .seconds(5))
        #expect(tracer.counters == TracingCounters(recorded: 1001, exported: 1001, dropped: 0, failed: 0, retries: 0))
        endSpans(1, on: tracer)
        #expect(tracer.counters.dropped == 1 && tracer.waitingCount == 0)
    }

    @Test @ReactorActor func `a collector that hangs costs spans and nothing else`() async throws {
        let collector = try await TestCollector()
        defer { collector.stop() }
        collector.behavior = .hang
        let tracer = try tracer(collector) {
            $0.batchSpans = 10
            $0.queueSpans = 50
            $0.timeout = .milliseconds(50)
            $0.attemptLimit = 2
        }
        for _ in 0..<20 {
            endSpans(100, on: tracer)
            #expect(tracer.waitingCount <= 50)
            await Reactor.yield()
        }
        try await eventually("a batch given up") { tracer.counters.failed >= 10 && tracer.counters.retries >= 1 }
        let counters = tracer.counters
        #expect(counters.recorded == 2000 && counters.exported == 0)
        #expect(counters.dropped >= 1900)
        collector.behavior = .accept
        try await eventually("the rest") { tracer.waitingCount == 0 }
        await tracer.drain(within: .seconds(5))
        let end = tracer.counters
        #expect(end.recorded == end.exported + end.dropped + end.failed)
        #expect(end.exported == collector.spans.count && end.exported > 0)
    }

    @Test @ReactorActor func `a collector that is away at the start gets the spans when it comes`() async throws {
        let collector = try await TestCollector()
        collector.stop()
        let tracer = try tracer(collector) { $0.attemptLimit = 10_000 }
        endSpans(20, on: tracer)
        try await eventually("attempts") { tracer.counters.retries >= 3 }
        try await collector.start()
        try await eventually("the spans") { tracer.counters.exported == 20 }
        // And goes away again, with the connection.
        collector.stop()
        endSpans(5, on: tracer)
        let retries = tracer.counters.retries
        try await eventually("attempts") { tracer.counters.retries >= retries + 3 }
        try await collector.start()
        defer { collector.stop() }
        try await eventually("the spans") { tracer.counters.exported == 25 }
        #expect(tracer.counters.failed == 0 && tracer.counters.dropped == 0 && collector.spans.count == 25)
    }

    @Test(arguments: [429, 502, 503, 504] as [UInt16]) @ReactorActor
    func `only what may help is sent again`(status: UInt16) async throws {
        let collector = try await TestCollector()
        defer { collector.stop() }
        collector.behavior = .refuse(status: status, fields: ["Retry-After: 0"])
        let tracer = try tracer(collector) { $0.attemptLimit = 3 }
        endSpans(4, on: tracer)
        try await eventually("the end") { tracer.counters.failed == 4 }
        #expect(collector.requestCount == 3 && tracer.counters.retries == 2)
        collector.behavior = .refuse(status: 400, fields: [])
        endSpans(4, on: tracer)
        try await eventually("the end") { tracer.counters.failed == 8 }
        #expect(collector.requestCount == 4 && tracer.counters.retries == 2)
    }

    @Test @ReactorActor func `a collector that names a time is not asked before it`() async throws {
        let collector = try await TestCollector()
        defer { collector.stop() }
        collector.behavior = .refuse(status: 503, fields: ["Retry-After: 1"])
        let tracer = try tracer(collector) { $0.retryDelayCap = .seconds(60) }
        endSpans(1, on: tracer)
        try await eventually("the first request") { collector.requestCount == 1 }
        let first = Instant.now
        collector.behavior = .accept
        try await eventually("the second request") { collector.requestCount == 2 }
        // Less by how late the first one was seen here.
        #expect(Instant.now - first >= .milliseconds(900))
        try await eventually("the account") { tracer.counters.exported == 1 }
    }

    @Test @ReactorActor func `what a collector leaves out is counted`() async throws {
        let collector = try await TestCollector()
        defer { collector.stop() }
        collector.behavior = .reject(3)
        let tracer = try tracer(collector)
        endSpans(10, on: tracer)
        try await eventually("the account") { tracer.counters.exported + tracer.counters.failed == 10 }
        #expect(tracer.counters.exported == 7 && tracer.counters.failed == 3)
    }

    @Test @ReactorActor func `the end waits no longer than it may`() async throws {
        let collector = try await TestCollector()
        defer { collector.stop() }
        collector.behavior = .hang
        let tracer = try tracer(collector) { $0.batchSpans = 10 }
        endSpans(100, on: tracer)
        let start = Instant.now
        await tracer.drain(within: .milliseconds(50))
        #expect(Instant.now - start < .seconds(4), "the collector's own time is 5 s")
        #expect(tracer.waitingCount == 0 && tracer.counters.dropped == 90)
    }
}
