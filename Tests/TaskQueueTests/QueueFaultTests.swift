import JSONWire
import Reactor
import Redis
import RedisStreams
import TestSupport
import Testing

@testable import TaskQueue

/// What the queue does while Redis is away, and after.
@Suite struct QueueFaultTests {
    init() { Reactor.runInBackground() }

    @Test @ReactorActor func `a result that was published while nobody listened is had again`() async throws {
        let queue = try await QueueFixture()
        let client = try await queue.client()
        _ = try await queue.echo()
        for number in 0..<20 {
            var result: Result<TaskOutcome, TaskQueueError>?
            client.submitAndWait(queue.request("echo", .integer(number))) { result = $0 }
            try await killConnections(of: queue, named: ":replies")
            try await eventually("an answer") { result != nil }
            #expect(result == .success(.success(Array("\(number)".utf8))))
        }
        queue.close()
    }

    @Test @ReactorActor func `answers come although every connection of the worker keeps breaking`() async throws {
        let queue = try await QueueFixture()
        let client = try await queue.client()
        let worker = try await queue.echo()
        var answers = 0
        for round in 0..<20 {
            for number in 0..<10 {
                client.submitAndWait(queue.request("echo", .integer(round * 10 + number))) { result in
                    if case .success(.success(let bytes)) = result, bytes == Array("\(round * 10 + number)".utf8) {
                        answers += 1
                    }
                }
            }
            try await killConnections(of: queue, named: [":tasks", ":control", ":replies"][round % 3])
        }
        try await eventually("all answers") { answers == 200 }
        // Tasks that were sent twice may still be on their way.
        try await eventually("the stream is empty") { try await queue.length(queue.keys.stream) == 0 }
        try await eventually("nothing is held") { worker.taskCount == 0 }
        queue.close()
    }

    @Test @ReactorActor func `a redis that is killed and returns costs time and no task`() async throws {
        let server = try await TestServers.startRedis(isDurable: true)
        let queue = try await QueueFixture(server: server)
        queue.configuration.lossGrace = .seconds(30)
        let client = try await queue.client()
        let recorder = Recorder()
        recorder.close()
        let worker = try await queue.worker { worker in
            worker.register("hold") { context in
                recorder.contexts.append(context)
                await recorder.pass()
                return .success(context.arguments.encoded)
            }
        }
        var results: [Int: Result<TaskOutcome, TaskQueueError>] = [:]
        for number in 0..<10 {
            client.submitAndWait(queue.request("hold", .integer(number))) { results[number] = $0 }
        }
        try await eventually("all run") { recorder.contexts.count == 10 }
        await server.kill()
        try await eventually("noticed") { !client.isReady && !worker.isReady }
        await #expect(throws: TaskQueueError.unavailable(mayHaveRun: false)) {
            try await client.submitAndWait(queue.request("hold"))
        }
        recorder.open()
        try await eventually("the tasks end meanwhile") { worker.counters.succeeded == 10 }
        #expect(results.isEmpty)
        try await server.start()
        try await eventually("all answers") { results.count == 10 }
        for (number, result) in results { #expect(result == .success(.success(Array("\(number)".utf8)))) }
        try await eventually("new tasks are answered") { client.isReady && worker.isReady }
        #expect(try await client.submitAndWait(queue.request("hold", 11)) == .success(Array("11".utf8)))
        queue.close()
        await server.stop()
    }

    @Test @ReactorActor func `those who wait are not kept for long when redis stays away`() async throws {
        let server = try await TestServers.startRedis()
        let queue = try await QueueFixture(server: server)
        queue.configuration.lossGrace = .milliseconds(100)
        let client = try await queue.client()
        var result: Result<TaskOutcome, TaskQueueError>?
        client.submitAndWait(queue.request("echo", within: .seconds(600))) { result = $0 }
        try await eventually("the task waits") { try await queue.length(queue.keys.stream) == 1 }
        await server.kill()
        try await eventually("the caller is told") { result != nil }
        #expect(result == .failure(.unavailable(mayHaveRun: true)))
        #expect(client.waiterCount == 0)
        queue.close()
    }

    @Test @ReactorActor func `a redis that returns empty is set up anew`() async throws {
        let server = try await TestServers.startRedis()
        let queue = try await QueueFixture(server: server)
        let client = try await queue.client()
        let worker = try await queue.echo()
        #expect(try await client.submitAndWait(queue.request("echo", 1)) == .success(Array("1".utf8)))
        await server.kill()
        try await server.start()
        try await eventually("both are back") { client.isReady && worker.isReady }
        #expect(try await client.submitAndWait(queue.request("echo", 2)) == .success(Array("2".utf8)))
        // The same without losing the connection.
        try await eventually("the fixture is back") { queue.redis.isReady }
        _ = try await queue.redis.command(["FLUSHALL"])
        #expect(try await client.submitAndWait(queue.request("echo", 3)) == .success(Array("3".utf8)))
        queue.close()
        await server.stop()
    }

    @Test @ReactorActor func `scripts that redis has forgotten are sent again`() async throws {
        let queue = try await QueueFixture()
        let client = try await queue.client()
        _ = try await queue.echo()
        for number in 1...3 {
            #expect(
                try await client.submitAndWait(queue.request("echo", .integer(number)))
                    == .success(Array("\(number)".utf8))
            )
            _ = try await queue.redis.command(["SCRIPT", "FLUSH"])
        }
        queue.close()
    }

    @Test(
        arguments: [
            (["CONFIG", "SET", "maxmemory", "1"], ["CONFIG", "SET", "maxmemory", "0"]),
            (["CONFIG", "SET", "min-replicas-to-write", "1"], ["CONFIG", "SET", "min-replicas-to-write", "0"]),
        ] as [([RedisArgument], [RedisArgument])]
    )
    @ReactorActor
    func `a redis that takes no writes refuses at once, is not ready, and is both again by itself`(
        fault: [RedisArgument],
        end: [RedisArgument]
    ) async throws {
        let server = try await TestServers.startRedis()
        let queue = try await QueueFixture(server: server)
        let client = try await queue.client()
        let worker = try await queue.echo()
        #expect(try await client.submitAndWait(queue.request("echo", 1)) == .success(Array("1".utf8)))
        #expect(await client.isReady(by: Reactor.now + .seconds(10)))
        #expect(await worker.isReady(by: Reactor.now + .seconds(10)))
        _ = try await queue.redis.command(fault)
        await #expect(throws: TaskQueueError.unavailable(mayHaveRun: false)) {
            try await client.submitAndWait(queue.request("echo", 2))
        }
        await #expect(throws: TaskQueueError.unavailable(mayHaveRun: false)) {
            try await client.submitTracked(queue.request("echo", 2))
        }
        // The answer of a moment ago may still hold.
        try await eventually("the client notices") { await !client.isReady(by: Reactor.now + .seconds(10)) }
        try await eventually("the worker notices") { await !worker.isReady(by: Reactor.now + .seconds(10)) }
        #expect(client.isReady && worker.isReady, "no connection was lost")
        _ = try await queue.redis.command(end)
        #expect(try await client.submitAndWait(queue.request("echo", 3)) == .success(Array("3".utf8)))
        try await eventually("the client is ready") { await client.isReady(by: Reactor.now + .seconds(10)) }
        try await eventually("the worker is ready") { await worker.isReady(by: Reactor.now + .seconds(10)) }
        queue.close()
        await server.stop()
    }

    @Test @ReactorActor func `that ends cannot be written is said once, however often it is tried`() async throws {
        let server = try await TestServers.startRedis()
        let queue = try await QueueFixture(server: server)
        let client = try await queue.client()
        let log = TestLog()
        queue.logger = log.logger
        let (begun, mayEnd) = (Promise<Void, Never>(), Promise<Void, Never>())
        _ = try await queue.worker { worker in
            worker.register("wait") { _ in
                begun.succeed(())
                _ = await mayEnd.result
                return .success(Array("1".utf8))
            }
        }
        let answer = Promise<TaskOutcome, TaskQueueError>()
        client.submitAndWait(queue.request("wait")) { answer.settle($0) }
        _ = await begun.result
        _ = try await queue.redis.command(["CONFIG", "SET", "min-replicas-to-write", "1"])
        mayEnd.succeed(())
        try await eventually("many tries") {
            let statistics = try await queue.redis.command(["INFO", "errorstats"]).text ?? ""
            let count = statistics.split(separator: "errorstat_NOREPLICAS:count=").last?.prefix { $0.isNumber }
            return count.flatMap { Int($0) } ?? 0 >= 60
        }
        _ = try await queue.redis.command(["CONFIG", "SET", "min-replicas-to-write", "0"])
        #expect(try await answer.value == .success(Array("1".utf8)))
        #expect(log.lines.count { $0.message == "task results not written yet" } == 1)
        queue.close()
        await server.stop()
    }

    @Test @ReactorActor func `a key of another type in the queue's place refuses at once, and writes nothing`()
        async throws
    {
        let queue = try await QueueFixture()
        let client = try await queue.client()
        _ = try await queue.redis.command(["SET", .string(queue.keys.delayed), "x"])
        await #expect(throws: TaskQueueError.unavailable(mayHaveRun: false)) {
            try await client.submitAndWait(queue.request("echo"))
        }
        #expect(try await queue.length(queue.keys.stream) == 0)
        _ = try await queue.redis.command(["DEL", .string(queue.keys.delayed)])
        // What is only counted is no reason to fail: not for who submits, and not for who ends the task.
        _ = try await queue.redis.command(["SET", .string(queue.keys.totals), "x"])
        let worker = try await queue.echo()
        #expect(try await client.submitAndWait(queue.request("echo", 1)) == .success(Array("1".utf8)))
        let id = try await client.submitTracked(queue.request("echo", 2))
        try await eventually("both ends are written") { worker.counters.written == 2 }
        #expect(try await client.status(of: id)?.state == .succeeded(Array("2".utf8)))
        queue.close()
    }

    @Test @ReactorActor func `what was lost with the stream is sent again, though no connection broke`() async throws {
        let queue = try await QueueFixture()
        let client = try await queue.client()
        var results: [Int: Result<TaskOutcome, TaskQueueError>] = [:]
        for number in 0..<300 {
            client.submitAndWait(queue.request("echo", .integer(number))) { results[number] = $0 }
        }
        for round in 1...2 {
            try await eventually("all wait") { try await queue.length(queue.keys.stream) == 300 }
            #expect(client.counters.submitted == round * 300, "what is there is not sent again")
            _ = try await queue.redis.command(["DEL", .string(queue.keys.stream)])
        }
        _ = try await queue.echo()
        try await eventually("all answers") { results.count == 300 }
        for (number, result) in results { #expect(result == .success(.success(Array("\(number)".utf8)))) }
        queue.close()
    }

    @Test @ReactorActor func `a task is sent again when nobody says whether it was accepted`() async throws {
        let server = try await TestServers.startRedis()
        let queue = try await QueueFixture(server: server)
        queue.settings.commandTimeout = .milliseconds(100)
        queue.settings.stallTimeout = .seconds(600)
        let client = try await queue.client()
        server.freeze()
        var result: Result<TaskOutcome, TaskQueueError>?
        client.submitAndWait(queue.request("echo", 1)) { result = $0 }
        try await eventually("it was sent again") { client.counters.submitted >= 2 }
        #expect(client.isReady, "no connection was lost")
        server.thaw()
        _ = try await queue.echo()
        try await eventually("an answer") { result != nil }
        #expect(result == .success(.success(Array("1".utf8))))
        queue.close()
        await server.stop()
    }

    @Test @ReactorActor func `ends whose write was cut off are written again, and hold no place`() async throws {
        let server = try await TestServers.startRedis(isDurable: true)
        let queue = try await QueueFixture(server: server)
        let client = try await queue.client()
        let recorder = Recorder()
        recorder.close()
        let worker = try await queue.worker { worker in
            worker.register("hold") { context in
                recorder.contexts.append(context)
                await recorder.pass()
                return .success(context.arguments.encoded)
            }
        }
        var ids: [TaskID] = []
        for number in 0..<10 { ids.append(try await client.submitTracked(queue.request("hold", .integer(number)))) }
        try await eventually("all run") { recorder.contexts.count == 10 }
        // The ends are on their way to a Redis that will never read them.
        server.freeze()
        recorder.open()
        try await eventually("all have ended") { worker.counters.succeeded == 10 }
        await Reactor.yield()
        #expect(worker.taskCount == 10)
        await server.kill()
        try await server.start()
        try await eventually("all ends are written") { worker.taskCount == 0 }
        try await eventually("the fixture is back") { queue.redis.isReady && client.isReady }
        for (number, id) in ids.enumerated() {
            #expect(try await client.status(of: id)?.state == .succeeded(Array("\(number)".utf8)))
        }
        #expect(try await queue.length(queue.keys.stream) == 0)
        queue.close()
        await server.stop()
    }

    @Test @ReactorActor func `a redis that is frozen and thawed answers what was asked`() async throws {
        let server = try await TestServers.startRedis()
        let queue = try await QueueFixture(server: server)
        let client = try await queue.client()
        _ = try await queue.echo()
        server.freeze()
        var result: Result<TaskOutcome, TaskQueueError>?
        client.submitAndWait(queue.request("echo", 1)) { result = $0 }
        await Reactor.yield()
        server.thaw()
        try await eventually("an answer") { result != nil }
        #expect(result == .success(.success(Array("1".utf8))))
        queue.close()
        await server.stop()
    }

    @Test @ReactorActor func `a result that comes too late is nobody's and does no harm`() async throws {
        let queue = try await QueueFixture()
        let recorder = Recorder()
        recorder.close()
        let client = try await queue.client()
        _ = try await queue.worker { worker in
            worker.register("hold") { context in
                recorder.contexts.append(context)
                await recorder.pass()
                return .success([])
            }
        }
        var result: Result<TaskOutcome, TaskQueueError>?
        client.submitAndWait(queue.request("hold", within: .milliseconds(500))) { result = $0 }
        try await eventually("the caller gives up") { result != nil }
        // Caller and worker stop at the same moment; whoever is first, the caller learns that it took too long.
        #expect(result == .failure(.deadlineExceeded) || result == .success(.failure(.timedOut)))
        recorder.open()
        try await eventually("the worker is done") { client.counters.unclaimed + client.counters.answered == 1 }
        #expect(client.waiterCount == 0)
        queue.close()
    }

    @Test @ReactorActor func `a paused queue accepts and does not run, also over a reconnect`() async throws {
        let queue = try await QueueFixture()
        let worker = try await queue.echo()
        let client = try await queue.client()
        let administration = queue.administration
        #expect(try await administration.pause())
        #expect(try await !administration.pause())
        try await eventually("the worker knows") { worker.isPaused && !worker.member.isReading }
        var result: Result<TaskOutcome, TaskQueueError>?
        client.submitAndWait(queue.request("echo", 1)) { result = $0 }
        try await eventually("the task waits") { try await queue.length(queue.keys.stream) == 1 }
        for suffix in ["", ":tasks", ":control"] {
            try? await killConnections(of: queue, named: suffix)
        }
        try await eventually("the worker is back") { worker.isReady && queue.redis.isReady }
        let second = try await queue.echo()
        #expect(second.isPaused)
        // Sent again, because its result could have been published to the connection that was lost.
        try await eventually("the task was sent again") { try await administration.statistics().queued == 2 }
        let statistics = try await administration.statistics()
        #expect(statistics.isPaused)
        #expect(statistics.running == 0)
        #expect(result == nil)
        #expect(try await administration.resume())
        #expect(try await !administration.resume())
        try await eventually("an answer") { result != nil }
        #expect(result == .success(.success(Array("1".utf8))))
        queue.close()
    }

    @Test @ReactorActor func `tasks whose callers were answered leave nothing behind`() async throws {
        let queue = try await QueueFixture()
        let client = try await queue.client()
        let worker = try await queue.echo()
        for number in 0..<100 { _ = try await client.submitAndWait(queue.request("echo", .integer(number))) }
        try await eventually("all ends are written") { worker.counters.written == 100 }
        #expect(try await queue.length(queue.keys.stream) == 0)
        #expect(try await queue.pending() == 0)
        let keys = try await queue.redis.command(["KEYS", .string("q:{\(queue.configuration.name)}:*")]).array ?? []
        #expect(Set(keys.compactMap(\.text)) == [queue.keys.stream, queue.keys.totals, queue.keys.able])
        queue.close()
    }

    @Test @ReactorActor func `tasks that gather behind an unanswered call are sent in one, and survive its loss`()
        async throws
    {
        let server = try await TestServers.startRedis()
        let queue = try await QueueFixture(server: server)
        let client = try await queue.client()
        let recorder = Recorder()
        _ = try await queue.worker { $0.register("count", recorder) }
        server.freeze()
        var answers = 0
        for number in 0..<30 {
            client.submitAndWait(queue.request("count", .integer(number))) { if case .success = $0 { answers += 1 } }
            // The first leaves alone; the others wait for its answer.
            await Reactor.yield()
        }
        server.thaw()
        try await eventually("all answers") { answers == 30 }
        #expect(recorder.batches.max() ?? 0 >= 29)
        server.freeze()
        for number in 0..<30 {
            client.submitAndWait(queue.request("count", .integer(number))) { if case .success = $0 { answers += 1 } }
            await Reactor.yield()
        }
        await server.kill()
        try await eventually("noticed") { !client.isReady }
        try await server.start()
        try await eventually("all answers") { answers == 60 }
        queue.close()
        await server.stop()
    }

    @Test @ReactorActor func `statistics and the list tell what is where`() async throws {
        let queue = try await QueueFixture()
        let recorder = Recorder()
        recorder.close()
        #expect(try await queue.administration.statistics().depth == 0)
        #expect(try await queue.administration.statistics().oldestAge == nil)
        let client = try await queue.client()
        queue.configuration.concurrency = 1
        let worker = try await queue.worker { worker in
            worker.register("hold") { context in
                recorder.contexts.append(context)
                await recorder.pass()
                return .success([])
            }
        }
        let first = try await client.submit(queue.request("hold", 1))
        try await eventually("the first runs") { recorder.contexts.count == 1 }
        let second = try await client.submit(queue.request("hold", 2))
        let statistics = try await queue.administration.statistics()
        #expect(statistics.queued == 1)
        #expect(statistics.running == 1)
        #expect(statistics.oldestAge != nil)
        #expect(statistics.consumers.map(\.name) == [worker.identity.consumer])
        #expect(statistics.consumers.map(\.pending) == [1])
        #expect(statistics.totals["submitted"] == 2)
        let list = try await queue.administration.list(limit: 10)
        #expect(list.map(\.id) == [first, second])
        #expect(list.map(\.requestID) == ["test", "test"])
        guard case .running(worker.identity.consumer, _, deliveries: 1)? = list.first?.state else {
            Issue.record("the first is running")
            return
        }
        #expect(list.last?.state == .queued)
        recorder.open()
        queue.close()
    }
}
