import JSONWire
import Reactor
import Redis
import TestSupport
import Testing

@testable import RedisStreams
@testable import TaskQueue

/// What happens to tasks whose worker is lost, slow, or told to stop.
@Suite struct TakeOverTests {
    init() { Reactor.runInBackground() }

    /// A worker whose task `hold` waits at the recorder's gate.
    @ReactorActor
    private func holding(_ queue: QueueFixture, _ recorder: Recorder) async throws -> TaskWorker {
        try await queue.worker { worker in
            worker.register("hold") { context in
                recorder.contexts.append(context)
                await recorder.pass()
                return .success(Array("\(context.attempt)".utf8))
            }
        }
    }

    @Test @ReactorActor func `a killed worker's task is answered by another`() async throws {
        let queue = try await QueueFixture()
        queue.configuration.lease = .seconds(2)
        let recorder = Recorder()
        recorder.close()
        let first = try await holding(queue, recorder)
        let client = try await queue.client()
        var result: Result<TaskOutcome, TaskQueueError>?
        client.submitAndWait(queue.request("hold")) { result = $0 }
        try await eventually("the task runs") { recorder.contexts.count == 1 }
        let second = try await holding(queue, recorder)
        queue.kill(first)
        recorder.open()
        try await eventually("an answer") { result != nil }
        #expect(result == .success(.success(Array("2".utf8))), "the lost run counts")
        #expect(second.counters.takenOver == 1)
        #expect(recorder.contexts.map(\.id).first == recorder.contexts.map(\.id).last)
        queue.close()
    }

    @Test @ReactorActor func `a task that runs longer than several leases stays with its worker`() async throws {
        let queue = try await QueueFixture()
        // Long enough for the loop of a busy test process to stall now and then.
        queue.configuration.lease = .seconds(3)
        let recorder = Recorder()
        recorder.close()
        let workers = [try await holding(queue, recorder), try await holding(queue, recorder)]
        let client = try await queue.client()
        var result: Result<TaskOutcome, TaskQueueError>?
        client.submitAndWait(queue.request("hold")) { result = $0 }
        try await Reactor.sleep(for: .seconds(5))
        #expect(result == nil)
        recorder.open()
        try await eventually("an answer") { result != nil }
        #expect(result == .success(.success(Array("1".utf8))))
        #expect(recorder.contexts.count == 1)
        #expect(workers.map(\.counters.leasesLost) == [0, 0])
        #expect(workers.map(\.counters.leasesRenewed).reduce(0, +) >= 1)
        queue.close()
    }

    @Test @ReactorActor func `a task that kills its workers is given up before it kills another`() async throws {
        let queue = try await QueueFixture()
        let recorder = Recorder()
        recorder.close()
        let client = try await queue.client()
        let tracked = try await client.submitTracked(queue.request("hold"))
        var result: Result<TaskOutcome, TaskQueueError>?
        client.submitAndWait(queue.request("hold")) { result = $0 }
        for run in 1...3 {
            let worker = try await holding(queue, recorder)
            try await eventually("run \(run)") { recorder.contexts.count == run * 2 }
            queue.kill(worker)
        }
        _ = try await holding(queue, recorder)
        try await eventually("the caller is told") { result != nil }
        #expect(result == .success(.failure(.workerLost)))
        #expect(recorder.contexts.count == 6, "not a fourth run")
        #expect(try await client.status(of: tracked)?.state == .failed(.workerLost))
        let letters = try await queue.administration.deadLetters(limit: 10)
        #expect(letters.count == 2)
        #expect(letters.map(\.attempts) == [3, 3])
        #expect(try await queue.length(queue.keys.stream) == 0)
        #expect(try await queue.pending() == 0)
        queue.close()
    }

    @Test @ReactorActor func `of two workers that run a task the first to finish wins`() async throws {
        let queue = try await QueueFixture()
        queue.configuration.lease = .seconds(60)
        let recorder = Recorder()
        recorder.close()
        let worker = try await holding(queue, recorder)
        let client = try await queue.client()
        let id = try await client.submitTracked(queue.request("hold"))
        try await eventually("the task runs") { recorder.contexts.count == 1 }
        // Somebody else takes the task over and ends it, with nothing to say.
        let entry = try #require(try await firstEntry(queue))
        _ = try await queue.redis.command(["XACK", .string(queue.keys.stream), "workers", .string(entry)])
        _ = try await queue.redis.command(["XDEL", .string(queue.keys.stream), .string(entry)])
        recorder.open()
        try await eventually("the worker has noticed") { worker.counters.superseded == 1 }
        #expect(worker.counters.written == 0)
        #expect(try await client.status(of: id)?.state == .running, "the late result is not written")
        queue.close()
    }

    @Test @ReactorActor func `a worker that lost a task can end it with a result, but not with a failure`() async throws
    {
        let queue = try await QueueFixture()
        queue.configuration.lease = .seconds(60)
        let recorder = Recorder()
        recorder.close()
        let worker = try await queue.worker { worker in
            worker.register("end") { context in
                recorder.contexts.append(context)
                await recorder.pass()
                guard context.arguments == "well" else {
                    return .failure(TaskFailure(code: "X", message: "X.", isRetryable: true))
                }
                return .success([])
            }
        }
        let client = try await queue.client()
        for arguments in ["badly", "well"] as [JSONValue] {
            _ = try await client.submitTracked(queue.request("end", arguments))
        }
        try await eventually("the tasks run") { recorder.contexts.count == 2 }
        for entry in try await entries(queue) {
            _ = try await queue.redis.command(
                ["XCLAIM", .string(queue.keys.stream), "workers", "somebody", 0, .string(entry)])
        }
        recorder.open()
        try await eventually("both are over for this worker") { worker.taskCount == 0 }
        #expect(worker.counters.written == 1)
        #expect(worker.counters.superseded == 1)
        #expect(try await queue.pending() == 1, "the failed one is still somebody's")
        #expect(try await queue.administration.statistics().delayed == 0)
        queue.close()
    }

    @Test @ReactorActor func `tasks that were handed over and never arrived are found when the connection returns`()
        async throws
    {
        let queue = try await QueueFixture()
        queue.configuration.lease = .seconds(60)
        let worker = try await queue.echo()
        let client = try await queue.client()
        try await queue.administration.pause()
        try await eventually("paused") { worker.isPaused && !worker.member.isReading }
        var result: Result<TaskOutcome, TaskQueueError>?
        client.submitAndWait(queue.request("echo", 7)) { result = $0 }
        try await eventually("the task waits") { try await queue.length(queue.keys.stream) == 1 }
        // The worker's own name reads, and the batch is lost.
        _ = try await queue.redis.command([
            "XREADGROUP", "GROUP", "workers", .string(worker.identity.consumer), "STREAMS",
            .string(queue.keys.stream), ">",
        ])
        try await queue.administration.resume()
        try await killConnections(of: queue, named: ":tasks")
        try await eventually("an answer") { result != nil }
        #expect(result == .success(.success(Array("7".utf8))))
        #expect(worker.counters.takenOver == 1)
        queue.close()
    }

    @Test @ReactorActor func `a draining worker finishes what it runs`() async throws {
        let queue = try await QueueFixture()
        let recorder = Recorder()
        recorder.close()
        let worker = try await holding(queue, recorder)
        let client = try await queue.client()
        var result: Result<TaskOutcome, TaskQueueError>?
        client.submitAndWait(queue.request("hold")) { result = $0 }
        try await eventually("the task runs") { recorder.contexts.count == 1 }
        var isDrained = false
        Reactor.spawn {
            await worker.drain(within: .seconds(30))
            isDrained = true
        }
        client.submitAndWait(queue.request("hold", "too late for this worker")) { _ in }
        try await eventually("the second task waits") { try await queue.length(queue.keys.stream) == 2 }
        #expect(!isDrained)
        recorder.open()
        try await eventually("drained") { isDrained }
        try await eventually("an answer") { result != nil }
        #expect(recorder.contexts.count == 1)
        #expect(try await queue.administration.statistics().depth == 1)
        queue.close()
    }

    @Test @ReactorActor func `a drained worker that holds nothing leaves the group`() async throws {
        let queue = try await QueueFixture()
        let worker = try await queue.echo()
        let client = try await queue.client()
        _ = try await client.submitAndWait(queue.request("echo"))
        #expect(try await queue.administration.statistics().consumers.map(\.name) == [worker.identity.consumer])
        await worker.drain(within: .seconds(30))
        #expect(try await queue.administration.statistics().consumers.isEmpty)
        queue.close()
    }

    @Test @ReactorActor func `what a draining worker cannot finish is taken by another at once and counts as one run`()
        async throws
    {
        let queue = try await QueueFixture()
        // Far longer than the test: only handing back can make this quick.
        queue.configuration.lease = .seconds(600)
        let recorder = Recorder()
        recorder.close()
        let first = try await holding(queue, recorder)
        let client = try await queue.client()
        var result: Result<TaskOutcome, TaskQueueError>?
        client.submitAndWait(queue.request("hold")) { result = $0 }
        try await eventually("the task runs") { recorder.contexts.count == 1 }
        let second = try await holding(queue, recorder)
        await first.drain(within: .milliseconds(20))
        recorder.open()
        try await eventually("an answer") { result != nil }
        #expect(result == .success(.success(Array("1".utf8))))
        #expect(second.counters.takenOver == 1)
        queue.close()
    }

    @Test @ReactorActor func `an entry that was deleted while pending is acknowledged away`() async throws {
        let queue = try await QueueFixture()
        let stream = RedisArgument.string(queue.keys.stream)
        _ = try await queue.redis.command(["XGROUP", "CREATE", stream, "workers", "0", "MKSTREAM"])
        _ = try await queue.redis.command(["XADD", stream, "1-1", "e", "x"])
        _ = try await queue.redis.command(["XREADGROUP", "GROUP", "workers", "lost", "STREAMS", stream, ">"])
        _ = try await queue.redis.command(["XDEL", stream, "1-1"])
        #expect(try await queue.pending() == 1)
        _ = try await queue.echo()
        try await eventually("acknowledged") { try await queue.pending() == 0 }
        #expect(try await queue.length(queue.keys.dead) == 0)
        queue.close()
    }

    @Test @ReactorActor func `consumers that hold nothing and say nothing are removed`() async throws {
        let queue = try await QueueFixture()
        let worker = try await queue.echo()
        _ = try await queue.redis.command(["XGROUP", "CREATECONSUMER", .string(queue.keys.stream), "workers", "dead"])
        func names() async throws -> [String] {
            try await queue.administration.statistics().consumers.map(\.name).sorted()
        }
        #expect(try await names().contains("dead"))
        try await Reactor.sleep(for: .milliseconds(5))
        worker.member.patrol(removingMembersSilentFor: .milliseconds(1))
        try await eventually("it is gone") { try await !names().contains("dead") }
        queue.close()
    }

    @ReactorActor private func entries(_ queue: QueueFixture) async throws -> [String] {
        let reply = try await queue.redis.command(["XRANGE", .string(queue.keys.stream), "-", "+"])
        return (reply.array ?? []).compactMap { $0.array?.first?.text }
    }

    @ReactorActor private func firstEntry(_ queue: QueueFixture) async throws -> String? {
        try await entries(queue).first
    }
}

/// Cuts connections of a fixture, from Redis' side.
///
/// - Parameter suffix: The purpose at the end of the client name.
@ReactorActor
func killConnections(of queue: QueueFixture, named suffix: String) async throws {
    let list = try await queue.redis.command(["CLIENT", "LIST"]).text ?? ""
    for line in list.split(separator: "\n") where line.contains("name=\(queue.settings.clientName)\(suffix) ") {
        guard let id = line.split(separator: " ").first(where: { $0.hasPrefix("id=") })?.dropFirst(3) else { continue }
        _ = try await queue.redis.command(["CLIENT", "KILL", "ID", .string(String(id))])
    }
}
