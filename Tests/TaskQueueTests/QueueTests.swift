import JSONWire
import Reactor
import Redis
import TestSupport
import Testing

@testable import TaskQueue

@Suite struct QueueTests {
    init() { Reactor.runInBackground() }

    @Test @ReactorActor func `a result comes back, and nothing stays behind`() async throws {
        let queue = try await QueueFixture()
        let worker = try await queue.echo()
        let client = try await queue.client()
        let arguments: JSONValue = ["text": "é\"\n", "n": .number("1.50")]
        let outcome = try await client.submitAndWait(queue.request("echo", arguments))
        #expect(outcome == .success(arguments.encoded))
        try await eventually("the stream is empty") { try await queue.length(queue.keys.stream) == 0 }
        #expect(try await queue.pending() == 0)
        #expect(worker.counters.written == 1)
        #expect(client.waiterCount == 0)
        queue.close()
    }

    @Test @ReactorActor func `a handler sees who asked, when and until when`() async throws {
        let queue = try await QueueFixture()
        let recorder = Recorder()
        _ = try await queue.worker { worker in
            worker.register("look") { context in
                recorder.contexts.append(context)
                return .success(Array("null".utf8))
            }
        }
        let client = try await queue.client()
        var request = queue.request("look", [1])
        request.traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        _ = try await client.submitAndWait(request)
        let context = try #require(recorder.contexts.first)
        #expect(context.attempt == 1)
        #expect(context.requestID == "test")
        #expect(context.traceparent == request.traceparent)
        let deadline = try #require(context.deadline)
        #expect(deadline > Reactor.now + .seconds(20) && deadline < Reactor.now + .seconds(40))
        queue.close()
    }

    @Test @ReactorActor func `many tasks of many callers all get their own answers`() async throws {
        let queue = try await QueueFixture()
        for _ in 0..<2 { _ = try await queue.echo() }
        let clients = [try await queue.client(), try await queue.client()]
        var right = 0
        var wrong = 0
        for number in 0..<4000 {
            clients[number % 2].submitAndWait(queue.request("echo", .integer(number))) { result in
                if case .success(.success(let bytes)) = result, bytes == Array("\(number)".utf8) {
                    right += 1
                } else {
                    wrong += 1
                }
            }
        }
        try await eventually("all answers") { right + wrong == 4000 }
        #expect(wrong == 0)
        queue.close()
    }

    @Test @ReactorActor func `tasks that wait together reach the handler together, and each is answered by itself`()
        async throws
    {
        let queue = try await QueueFixture()
        let recorder = Recorder()
        struct Counting: TaskHandler {
            let recorder: Recorder
            func start(_ batch: [TaskContext]) {
                recorder.batches.append(batch.count)
                recorder.contexts += batch
                for context in batch where context.arguments != .integer(3) {
                    context.finish(.success(context.arguments.encoded))
                }
            }
        }
        let client = try await queue.client()
        var answers: [JSONValue] = []
        for number in 0..<10 {
            client.submitAndWait(queue.request("count", .integer(number))) { result in
                if case .success(.success(let bytes)) = result,
                    let value = try? JSONValue(parsing: bytes, limits: .init(bytes: 10))
                {
                    answers.append(value)
                }
            }
        }
        try await eventually("all are in the queue") { try await queue.length(queue.keys.stream) == 10 }
        let worker = try await queue.worker { $0.register("count", Counting(recorder: recorder)) }
        try await eventually("the answers that do not wait for the third") { answers.count == 9 }
        #expect(recorder.batches == [10])
        #expect(!answers.contains(.integer(3)))
        try await eventually("nine ends are written") { worker.taskCount == 1 }
        recorder.contexts[3].finish(.success(Array("3".utf8)))
        try await eventually("all answers") { answers.count == 10 }
        // A second word changes nothing.
        recorder.contexts[3].finish(.failure(.timedOut))
        try await eventually("all ends are written") { worker.taskCount == 0 }
        #expect(worker.counters.failed == 0)
        queue.close()
    }

    @Test @ReactorActor func `a failure reaches the caller who waits at once`() async throws {
        let queue = try await QueueFixture()
        let failure = TaskFailure(code: "BUSY", message: "Try again.", isRetryable: true)
        let recorder = Recorder()
        _ = try await queue.worker { worker in
            worker.register("fail") { context in
                recorder.contexts.append(context)
                return .failure(failure)
            }
        }
        let client = try await queue.client()
        #expect(try await client.submitAndWait(queue.request("fail")) == .failure(failure))
        #expect(try await client.submitAndWait(queue.request("absent")) == .failure(.unknownTask))
        #expect(recorder.contexts.count == 1, "nobody retries on behalf of a caller who waits")
        #expect(try await queue.length(queue.keys.dead) == 0)
        queue.close()
    }

    @Test @ReactorActor func `the depth limit is exact, and a refusal comes at once`() async throws {
        let queue = try await QueueFixture()
        queue.configuration.depthLimit = 5
        let client = try await queue.client()
        var refused = 0
        for number in 0..<8 {
            client.submitAndWait(queue.request("echo", .integer(number))) { result in
                if case .failure(.overloaded) = result { refused += 1 }
            }
        }
        try await eventually("three refusals") { refused == 3 }
        #expect(try await queue.length(queue.keys.stream) == 5)
        await #expect(throws: TaskQueueError.overloaded) { try await client.submitTracked(queue.request("echo")) }
        let statistics = try await queue.administration.statistics()
        #expect(statistics.totals["refused"] == 4)
        #expect(statistics.depth == 5)
        queue.close()
    }

    @Test @ReactorActor func `the number of callers that wait is limited`() async throws {
        let queue = try await QueueFixture()
        queue.configuration.waiterLimit = 2
        let client = try await queue.client()
        for _ in 0..<2 { client.submitAndWait(queue.request("echo")) { _ in } }
        await #expect(throws: TaskQueueError.overloaded) { try await client.submitAndWait(queue.request("echo")) }
        queue.close()
    }

    @Test @ReactorActor func `a caller whose deadline passes is told, and the task is dropped when a worker meets it`()
        async throws
    {
        let queue = try await QueueFixture()
        let client = try await queue.client()
        await #expect(throws: TaskQueueError.deadlineExceeded) {
            try await client.submitAndWait(queue.request("echo", within: .milliseconds(30)))
        }
        await #expect(throws: TaskQueueError.deadlineExceeded) {
            try await client.submitAndWait(queue.request("echo", within: .milliseconds(-1)))
        }
        let worker = try await queue.echo()
        try await eventually("the task is dropped") { worker.counters.expired == 1 }
        try await eventually("the stream is empty") { try await queue.length(queue.keys.stream) == 0 }
        #expect(worker.counters.succeeded == 0)
        #expect(client.waiterCount == 0)
        queue.close()
    }

    @Test @ReactorActor func `a handler that takes too long is cut off, and its late result is dropped`() async throws {
        let queue = try await QueueFixture()
        queue.configuration.taskTimeout = .milliseconds(30)
        let recorder = Recorder()
        recorder.close()
        let worker = try await queue.worker { worker in
            worker.register("slow") { _ in
                await recorder.pass()
                return .success([])
            }
            worker.register("cancellable") { _ in
                try? await Reactor.sleep(for: .seconds(3600))
                return .success([])
            }
        }
        let client = try await queue.client()
        #expect(try await client.submitAndWait(queue.request("slow")) == .failure(.timedOut))
        recorder.open()
        #expect(try await client.submitAndWait(queue.request("cancellable")) == .failure(.timedOut))
        try await eventually("nothing is held") { worker.taskCount == 0 }
        #expect(worker.counters.written == 2)
        queue.close()
    }

    @Test @ReactorActor func `identical questions share a task, but never one that was sent before they came`()
        async throws
    {
        let queue = try await QueueFixture()
        let recorder = Recorder()
        recorder.close()
        _ = try await queue.worker { worker in
            worker.register("count") { context in
                recorder.contexts.append(context)
                let number = recorder.contexts.count
                await recorder.pass()
                return .success(Array("\(number)".utf8))
            }
        }
        let client = try await queue.client()
        var answers: [String: String] = [:]
        func ask(_ name: String) {
            client.submitAndWait(queue.request("count", ["same": true])) { result in
                if case .success(.success(let bytes)) = result {
                    answers[name] = String(decoding: bytes, as: UTF8.self)
                }
            }
        }
        ask("first")
        ask("joins the first")
        try await eventually("the first runs") { recorder.contexts.count == 1 }
        ask("second")
        ask("joins the second")
        recorder.open()
        try await eventually("four answers") { answers.count == 4 }
        #expect(answers == ["first": "1", "joins the first": "1", "second": "2", "joins the second": "2"])
        #expect(client.counters.submitted == 2)
        #expect(client.counters.joined == 2)
        queue.close()
    }

    @Test @ReactorActor func `questions of the same turn with other arguments, or another name, share nothing`()
        async throws
    {
        let queue = try await QueueFixture()
        let client = try await queue.client()
        _ = try await queue.worker { worker in
            worker.register("echo", QueueFixture.echo)
            worker.register("other") { _ in .success(Array("0".utf8)) }
        }
        let dates: JSONValue = ["start_date": "2025-01-06", "end_date": "2025-01-07"]
        let questions: [(String, JSONValue)] = [
            ("echo", dates), ("other", dates),
            ("echo", ["start_date": "2025-01-06", "end_date": "2025-01-07", "symbol": "AAPL"]),
            ("echo", ["start_date": "2025-01-06", "end_date": "2025-01-07", "symbol": "MSFT"]),
        ]
        var answers: [Int: Result<TaskOutcome, TaskQueueError>] = [:]
        for (number, (name, arguments)) in questions.enumerated() {
            client.submitAndWait(queue.request(name, arguments)) { answers[number] = $0 }
        }
        try await eventually("all answers") { answers.count == questions.count }
        for (number, (name, arguments)) in questions.enumerated() {
            #expect(answers[number] == .success(.success(name == "other" ? Array("0".utf8) : arguments.encoded)))
        }
        #expect(client.counters.joined == 0)
        queue.close()
    }

    @Test @ReactorActor func `handlers that are stuck fill the worker: nothing more is fetched`() async throws {
        let queue = try await QueueFixture()
        queue.configuration.taskTimeout = .milliseconds(30)
        queue.configuration.concurrency = 2
        let recorder = Recorder()
        recorder.close()
        let worker = try await queue.worker { worker in
            worker.register("stuck") { context in
                recorder.contexts.append(context)
                await recorder.pass()
                return .success([])
            }
        }
        let client = try await queue.client()
        for number in 0..<2 {
            #expect(try await client.submitAndWait(queue.request("stuck", .integer(number))) == .failure(.timedOut))
        }
        try await eventually("their ends are written") { worker.taskCount == 0 }
        var result: Result<TaskOutcome, TaskQueueError>?
        client.submitAndWait(queue.request("stuck", 3)) { result = $0 }
        try await eventually("the third is in the queue") { try await queue.length(queue.keys.stream) == 1 }
        // Several patrols later it still is, in nobody's hands.
        try await Reactor.sleep(for: queue.configuration.patrolInterval * 5)
        #expect(try await queue.pending() == 0)
        #expect(recorder.contexts.count == 2)
        recorder.open()
        try await eventually("an answer") { result != nil }
        queue.close()
    }

    @Test @ReactorActor func `a shared task that hangs does not hold up those who come later`() async throws {
        let queue = try await QueueFixture()
        queue.configuration.sharingPatience = .milliseconds(50)
        let recorder = Recorder()
        recorder.close()
        _ = try await queue.worker { worker in
            worker.register("count") { context in
                recorder.contexts.append(context)
                if recorder.contexts.count == 1 { await recorder.pass() }
                return .success(Array("\(recorder.contexts.count)".utf8))
            }
        }
        let client = try await queue.client()
        var first: Result<TaskOutcome, TaskQueueError>?
        client.submitAndWait(queue.request("count")) { first = $0 }
        try await eventually("the first runs") { recorder.contexts.count == 1 }
        #expect(try await client.submitAndWait(queue.request("count")) == .success(Array("2".utf8)))
        #expect(first == nil)
        recorder.open()
        try await eventually("the first is answered too") { first != nil }
        queue.close()
    }
}
