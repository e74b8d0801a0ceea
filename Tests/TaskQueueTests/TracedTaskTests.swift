import Reactor
import Redis
import TestSupport
import Testing
import Tracing

@testable import TaskQueue

/// Tasks in recorded traces: whose they are, and what their spans say.
@Suite struct TracedTaskTests {
    init() { Reactor.runInBackground() }

    @ReactorActor
    private func tracer(_ collector: TestCollector) throws -> Tracer {
        var configuration = TracingConfiguration(collector: try #require(CollectorAddress(parsing: collector.url)))
        configuration.flushInterval = .milliseconds(10)
        return Tracer(configuration, resource: [], logger: QueueFixture.quiet)
    }

    /// The context of a caller, numbered.
    private func caller(_ number: Int, isSampled: Bool = true) throws -> TraceContext {
        let text = "00-abcdef0000000000000000000000000\(number)-fedcba000000000\(number)-0\(isSampled ? 1 : 0)"
        return try #require(TraceContext(parsing: text))
    }

    @Test @ReactorActor
    func `a shared task is of the first recorded trace among those who share it, and the others link to that`()
        async throws
    {
        let collector = try await TestCollector()
        defer { collector.stop() }
        let tracer = try tracer(collector)
        let queue = try await QueueFixture()
        let recorder = Recorder()
        let client = try await queue.client()
        var spans: [TraceSpan] = []
        var answers = 0
        for (number, isSampled) in [(1, false), (2, true), (3, false), (4, true), (5, true)] {
            var request = queue.request("look")
            let context = try caller(number, isSampled: isSampled)
            request.traceparent = context.description
            request.span = tracer.start("ask \(number)", .server, at: context, parent: nil)
            if let span = request.span { spans.append(span) }
            client.submitAndWait(request) { _ in answers += 1 }
        }
        _ = try await queue.worker { worker in
            worker.register("look") { context in
                recorder.contexts.append(context)
                return .success(Array("null".utf8))
            }
        }
        try await eventually("the answers") { answers == 5 }
        for span in spans { span.end() }
        #expect(recorder.contexts.map(\.traceparent) == [try caller(2).description])
        try await eventually("the spans") { collector.spans.count == 3 }
        let owner = "\(try caller(2))".dropFirst(3).dropLast(3)
        #expect(collector.spans.map(\.name) == ["ask 2", "ask 4", "ask 5"])
        #expect(collector.spans.map(\.links) == [[], [String(owner)], [String(owner)]])
        #expect(collector.spans.map { $0.attributes["tickloop.task.shared"] } == [nil, "true", "true"])
        #expect(Set(collector.spans.map { $0.attributes["messaging.message.id"] }).count == 1)
        queue.close()
    }

    @Test @ReactorActor func `each run of a task is a span, also one that fails or is cut off`() async throws {
        let collector = try await TestCollector()
        defer { collector.stop() }
        let tracer = try tracer(collector)
        let queue = try await QueueFixture()
        let client = try await queue.client()
        var request = queue.request("try")
        request.traceparent = try caller(7).description
        request.tracestate = "a=1"
        let id = try await client.submitTracked(request)

        let recorder = Recorder()
        recorder.close()
        let cut = try await queue.worker(tracer: tracer) { worker in
            worker.register("try") { context in
                recorder.contexts.append(context)
                await recorder.pass()
                return .success(Array("null".utf8))
            }
        }
        try await eventually("the first run") { recorder.contexts.count == 1 }
        queue.kill(cut)
        recorder.open()
        _ = try await queue.worker(tracer: tracer) { worker in
            worker.register("try") { context in
                context.attempt < 3
                    ? .failure(TaskFailure(code: "BUSY", message: "Busy.", isRetryable: true))
                    : .success(Array("null".utf8))
            }
        }
        try await eventually("three runs") { collector.spans.count == 3 }
        #expect(collector.spans.map { $0.attributes["tickloop.task.attempt"] } == ["1", "2", "3"])
        #expect(collector.spans.map { $0.attributes["error.type"] } == ["ABANDONED", "BUSY", nil])
        #expect(collector.spans.map(\.isFailed) == [true, true, false])
        for span in collector.spans {
            #expect(span.name == "process try" && span.kind == 5 && span.traceState == "a=1")
            #expect(span.parentID == "fedcba0000000007" && span.attributes["messaging.message.id"] == id.description)
            #expect(span.attributes["messaging.destination.name"] == queue.configuration.name)
        }
        queue.close()
    }
}
