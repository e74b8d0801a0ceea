import JSONWire
import Metrics
import Reactor
import Redis
import RedisStreams
import TestSupport
import Testing

@testable import TaskQueue

/// Tasks that nobody waits for: their states, their retries, and their end as dead letters.
@Suite struct TrackedTaskTests {
    init() { Reactor.runInBackground() }

    private let busy = TaskFailure(code: "BUSY", message: "Busy.", isRetryable: true)

    @Test @ReactorActor func `a tracked task is queued, runs, and keeps its result`() async throws {
        let queue = try await QueueFixture()
        let client = try await queue.client()
        let before = Reactor.unixTime
        let id = try await client.submitTracked(queue.request("hold"))
        let queued = try #require(try await client.status(of: id))
        #expect(queued.id == id)
        #expect(queued.name == "hold")
        #expect(queued.state == .queued)
        #expect(queued.createdAt > before - .seconds(1) && queued.createdAt < before + .seconds(60))

        let recorder = Recorder()
        recorder.close()
        _ = try await queue.worker { worker in
            worker.register("hold") { context in
                await recorder.pass()
                return .success(Array("42".utf8))
            }
        }
        try await eventually("running") { try await client.status(of: id)?.state == .running }
        recorder.open()
        try await eventually("succeeded") {
            try await client.status(of: id)?.state == .succeeded(Array("42".utf8))
        }
        let life = try await queue.redis.command(["TTL", .string(queue.keys.task(id))]).integer ?? 0
        #expect(life > 3500 && life <= 3600)
        queue.close()
    }

    @Test @ReactorActor func `an unknown id has no state`() async throws {
        let queue = try await QueueFixture()
        let client = try await queue.client()
        #expect(try await client.status(of: TaskID("01234567-89ab-7000-8000-000000000000")!) == nil)
        let id = try await client.submit(queue.request("untracked"))
        #expect(try await client.status(of: id) == nil)
        queue.close()
    }

    @Test @ReactorActor func `a task that is met too late is expired`() async throws {
        let queue = try await QueueFixture()
        let client = try await queue.client()
        let id = try await client.submitTracked(queue.request("echo", within: .milliseconds(20)))
        try await Reactor.sleep(for: .milliseconds(30))
        _ = try await queue.echo()
        try await eventually("expired") { try await client.status(of: id)?.state == .expired }
        queue.close()
    }

    @Test @ReactorActor func `a task that fails in passing is run again until it succeeds`() async throws {
        let queue = try await QueueFixture()
        let recorder = Recorder()
        _ = try await queue.worker { worker in
            worker.register("third time") { [busy] context in
                recorder.contexts.append(context)
                return context.attempt < 3 ? .failure(busy) : .success(Array("3".utf8))
            }
        }
        let client = try await queue.client()
        let id = try await client.submitTracked(queue.request("third time", ["kept": true]))
        try await eventually("succeeded") { try await client.status(of: id)?.state == .succeeded(Array("3".utf8)) }
        #expect(recorder.contexts.map(\.attempt) == [1, 2, 3])
        #expect(Set(recorder.contexts.map(\.id)) == [id])
        #expect(Set(recorder.contexts.map(\.arguments)) == [["kept": true]])
        #expect(try await queue.administration.statistics().totals["retried"] == 2)
        queue.close()
    }

    @Test @ReactorActor func `what the surroundings caused costs no attempt`() async throws {
        let queue = try await QueueFixture()
        var isAway = true
        var runs: [TaskID: Int] = [:]
        var attempts: Set<Int> = []
        _ = try await queue.worker { worker in
            worker.register("need") { context in
                runs[context.id, default: 0] += 1
                attempts.insert(context.attempt)
                guard isAway else { return .success(Array("1".utf8)) }
                return .failure(TaskFailure(.unavailable, code: "AWAY", message: "Away.", isRetryable: true))
            }
        }
        let client = try await queue.client()
        var ids: [TaskID] = []
        for number in 0..<20 { ids.append(try await client.submitTracked(queue.request("need", .integer(number)))) }
        try await eventually("more runs than there are attempts") { ids.allSatisfy { runs[$0] ?? 0 > 3 } }
        isAway = false
        for id in ids {
            try await eventually("succeeded") { try await client.status(of: id)?.state == .succeeded(Array("1".utf8)) }
        }
        #expect(attempts == [1])
        #expect(try await queue.length(queue.keys.dead) == 0)
        queue.close()
    }

    @Test @ReactorActor func `a task waits for its surroundings within its own limit of time`() async throws {
        let queue = try await QueueFixture()
        let away = TaskFailure(.unavailable, code: "AWAY", message: "Away.", isRetryable: true)
        _ = try await queue.worker { $0.register("need") { _ in .failure(away) } }
        let client = try await queue.client()
        let id = try await client.submitTracked(queue.request("need", within: .seconds(1)))
        try await eventually("given up") { try await client.status(of: id)?.state == .failed(away) }
        #expect(try await queue.administration.deadLetters(limit: 10).map(\.attempts) == [1])
        queue.close()
    }

    @Test(arguments: [Duration.seconds(3600), .seconds(-3600)])
    @ReactorActor func `clocks of machines that differ by an hour make no task too late`(shift: Duration) async throws {
        let queue = try await QueueFixture()
        queue.configuration.wallClock = { Reactor.unixTime + shift }
        let worker = try await queue.echo()
        queue.configuration.wallClock = { Reactor.unixTime }
        let client = try await queue.client()
        #expect(try await client.submitAndWait(queue.request("echo", 1)) == .success(Array("1".utf8)))
        queue.configuration.wallClock = { Reactor.unixTime + shift }
        let other = try await queue.client()
        #expect(try await other.submitAndWait(queue.request("echo", 2)) == .success(Array("2".utf8)))
        #expect(worker.counters.expired == 0)
        #expect(worker.waits.count == 2)
        #expect(worker.waits.sum < .seconds(1800), "nor an hour old")
        queue.close()
    }

    @Test @ReactorActor func `only so many results are kept, and tasks that are waited for do not mind`() async throws {
        let queue = try await QueueFixture()
        let reservation = TaskQueueConfiguration.resultReservationBytes
        queue.configuration.resultBytesLimit = 4 * reservation
        queue.configuration.resultTimeToLive = .milliseconds(1500)
        let client = try await queue.client()
        var ids: [TaskID] = []
        for _ in 0..<4 { ids.append(try await client.submitTracked(queue.request("long"))) }
        await #expect(throws: TaskQueueError.overloaded) { try await client.submitTracked(queue.request("long")) }
        // Each result turns out to be as long as two were expected to be.
        let worker = try await queue.worker { worker in
            worker.register("long") { _ in
                .success(Array(repeating: UInt8(ascii: "1"), count: 2 * reservation))
            }
        }
        try await eventually("all ends are written") { worker.counters.written == 4 }
        let kept = try await queue.redis.command(["HGET", .string(queue.keys.keptBytes), "total"]).integer
        #expect(kept ?? 0 > Int64(8 * reservation))
        await #expect(throws: TaskQueueError.overloaded) { try await client.submitTracked(queue.request("long")) }
        #expect(try await client.submitAndWait(queue.request("long")) != .expired)
        // They expire by themselves, and then there is room again.
        try await eventually("there is room") { (try? await client.submitTracked(queue.request("long"))) != nil }
        try await eventually("nothing is kept any more") {
            try await queue.redis.command(["EXISTS", .string(queue.keys.kept), .string(queue.keys.keptBytes)])
                == .integer(0)
        }
        queue.close()
    }

    @Test @ReactorActor func `a retry is not run before it is due, and is seen waiting`() async throws {
        let queue = try await QueueFixture()
        // Full jitter may draw a short wait: only the state between is looked at, with nobody to promote it.
        queue.configuration.retry = RetryPolicy(firstDelay: .seconds(600), delayCap: .seconds(600), attemptLimit: 3)
        let recorder = Recorder()
        let worker = try await queue.worker { worker in
            worker.register("fail") { [busy] context in
                recorder.contexts.append(context)
                return .failure(busy)
            }
        }
        let client = try await queue.client()
        let id = try await client.submitTracked(queue.request("fail", within: .seconds(3600)))
        try await eventually("delayed") { try await queue.administration.statistics().delayed == 1 }
        #expect(try await client.status(of: id)?.state == .queued)
        let listed = try await queue.administration.list(limit: 10)
        #expect(listed.map(\.id) == [id])
        #expect(listed.first?.attempt == 2)
        guard case .delayed(let wait)? = listed.first?.state else {
            Issue.record("the task must be listed as delayed")
            return
        }
        #expect(wait <= .seconds(600))
        #expect(recorder.contexts.count == 1)
        #expect(worker.taskCount == 0)
        // Its time comes.
        let member = try await queue.redis.command(["ZRANGE", .string(queue.keys.delayed), 0, 0]).array?.first?.bytes
        _ = try await queue.redis.command(["ZADD", .string(queue.keys.delayed), 1, .bytes(try #require(member))])
        try await eventually("the second run") { recorder.contexts.count == 2 }
        #expect(recorder.contexts.last?.attempt == 2)
        queue.close()
    }

    @Test @ReactorActor func `after its last attempt a task is a dead letter, and can be replayed`() async throws {
        let queue = try await QueueFixture()
        let recorder = Recorder()
        var fails = true
        let worker = try await queue.worker { worker in
            worker.register("fail") { [busy] context in
                recorder.contexts.append(context)
                return fails ? .failure(busy) : .success(Array("1".utf8))
            }
        }
        let client = try await queue.client()
        let administration = queue.administration
        let id = try await client.submitTracked(queue.request("fail", ["symbol": "AAPL"]))
        try await eventually("failed") { try await client.status(of: id)?.state == .failed(busy) }
        let letter = try #require(try await administration.deadLetters(limit: 10).first)
        #expect(letter.taskID == id)
        #expect(letter.name == "fail")
        #expect(letter.arguments == ["symbol": "AAPL"])
        #expect(letter.attempts == 3)
        #expect(letter.failure == busy)
        #expect([worker.counters.failed, worker.counters.retried, worker.counters.dead] == [3, 2, 1])
        // Only the first run waited to be run; the others waited on purpose.
        #expect(worker.waits.count == 1)
        #expect(worker.runTimes[0].count == 3)
        #expect(letter.requestID == "test")
        #expect(StreamPosition(letter.originalEntry) != nil)

        fails = false
        #expect(try await administration.replay(DeadLetterFilter(id: id)) == 1)
        try await eventually("succeeded") { try await client.status(of: id)?.state == .succeeded(Array("1".utf8)) }
        #expect(recorder.contexts.last?.attempt == 1)
        #expect(recorder.contexts.last?.id == id)
        #expect(try await administration.replay(DeadLetterFilter(id: id)) == 0)
        #expect(try await queue.length(queue.keys.dead) == 0)
        queue.close()
    }

    @Test @ReactorActor func `dead letters are replayed or dropped all at once, page by page`() async throws {
        let queue = try await QueueFixture()
        queue.configuration.retry = RetryPolicy(attemptLimit: 1)
        let worker = try await queue.worker { worker in
            worker.register("fail") { [busy] _ in .failure(busy) }
        }
        let client = try await queue.client()
        for number in 0..<250 {
            Reactor.spawn { _ = try? await client.submit(queue.request("fail", .integer(number))) }
        }
        try await eventually("all are dead") { try await queue.length(queue.keys.dead) == 250 }
        // They fail again; a replay visits none of them twice.
        #expect(try await queue.administration.replay() == 250)
        try await eventually("all are dead again") { try await queue.length(queue.keys.dead) == 250 }
        #expect(worker.counters.failed == 500)
        #expect(try await queue.administration.drop() == 250)
        #expect(try await queue.length(queue.keys.dead) == 0)
        queue.close()
    }

    @Test @ReactorActor func `a replay stops where the queue is full`() async throws {
        let queue = try await QueueFixture()
        queue.configuration.retry = RetryPolicy(attemptLimit: 1)
        queue.configuration.depthLimit = 3
        let worker = try await queue.worker { worker in
            worker.register("fail") { [busy] _ in .failure(busy) }
        }
        let client = try await queue.client()
        for number in 1...5 {
            _ = try await client.submit(queue.request("fail", .integer(number)))
            try await eventually("it is dead") { try await queue.length(queue.keys.dead) == Int64(number) }
        }
        queue.kill(worker)
        #expect(try await queue.administration.replay() == 3)
        #expect(try await queue.length(queue.keys.dead) == 2)
        queue.close()
    }

    @Test @ReactorActor func `only so many dead letters are kept, and the others are counted`() async throws {
        let queue = try await QueueFixture()
        queue.configuration.deadLetterLimit = 3
        queue.configuration.retry = RetryPolicy(attemptLimit: 1)
        _ = try await queue.worker { worker in
            worker.register("fail") { [busy] _ in .failure(busy) }
        }
        let client = try await queue.client()
        for number in 0..<5 { _ = try await client.submit(queue.request("fail", .integer(number))) }
        try await eventually("all failed") { try await queue.administration.statistics().totals["dead"] == 5 }
        #expect(try await queue.length(queue.keys.dead) == 3)
        #expect(try await queue.administration.statistics().totals["dead_dropped"] == 2)
        queue.close()
    }

    @Test @ReactorActor func `an entry that is not a task becomes a dead letter that can only be dropped`() async throws
    {
        let queue = try await QueueFixture()
        _ = try await queue.echo()
        _ = try await queue.redis.command(["XADD", .string(queue.keys.stream), "*", "e", "this is no envelope"])
        _ = try await queue.redis.command(["XADD", .string(queue.keys.stream), "*", "other", "field"])
        try await eventually("both are dead") { try await queue.length(queue.keys.dead) == 2 }
        let letters = try await queue.administration.deadLetters(limit: 10)
        #expect(letters.map(\.failure) == [.malformedEnvelope, .malformedEnvelope])
        #expect(letters.map(\.taskID) == [nil, nil])
        #expect(try await queue.administration.replay() == 0)
        #expect(try await queue.administration.drop() == 2)
        #expect(try await queue.pending() == 0)
        queue.close()
    }

    @Test @ReactorActor func `an envelope that names a key of another type does not stop the others`() async throws {
        let queue = try await QueueFixture()
        let worker = try await queue.echo()
        _ = try await queue.redis.command(["SET", .string("q:{\(queue.configuration.name)}:text"), "x"])
        let id = "01234567-89ab-7000-8000-000000000000"
        let envelope =
            #"{"id":"\#(id)","name":"echo","arguments":1,"attempt":1,"created_at":5,"#
            + #""reply":"q:{\#(queue.configuration.name)}:text"}"#
        _ = try await queue.redis.command(["XADD", .string(queue.keys.stream), "*", "e", .string(envelope)])
        try await eventually("ended") { worker.counters.written == 1 }
        #expect(try await queue.length(queue.keys.stream) == 0)
        queue.close()
    }
}
