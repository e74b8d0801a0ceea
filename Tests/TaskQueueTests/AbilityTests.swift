import JSONWire
import Reactor
import Redis
import TestSupport
import Testing

@testable import TaskQueue

/// Workers that cannot work, because what their handlers need is away.
@Suite struct AbilityTests {
    init() { Reactor.runInBackground() }

    private let away = TaskFailure(.unavailable, code: "AWAY", message: "Away.", isRetryable: true)

    /// Workers, some of which can work; what they say counts for longer than a busy test process stalls.
    @ReactorActor
    private func workers(_ queue: QueueFixture, _ ability: Ability, _ recorder: Recorder) async throws -> [TaskWorker] {
        queue.configuration.lease = .seconds(20)
        var workers: [TaskWorker] = []
        for number in ability.canWork.indices {
            let worker = try await queue.worker { worker in
                worker.canWork = { ability.canWork[number] }
                worker.register("work") { [away] context in
                    recorder.contexts.append(context)
                    await recorder.pass()
                    return ability.canWork[number] ? .success(Array("\(number)".utf8)) : .failure(away)
                }
            }
            workers.append(worker)
        }
        // All have heard of all.
        _ = try await queue.redis.command(["PUBLISH", .string(queue.keys.control), "patrol"])
        return workers
    }

    @ReactorActor
    private final class Ability {
        var canWork: [Bool]
        init(_ canWork: [Bool]) { self.canWork = canWork }
    }

    @Test @ReactorActor func `however many ask at once whether tasks are taken, each is told`() async throws {
        let queue = try await QueueFixture()
        let client = try await queue.client()
        try await eventually("its connections") { client.isReady }
        let answers = (0..<20).map { _ in
            let answer = Promise<Bool, Never>()
            Reactor.spawn { answer.succeed(await client.isReady(by: soon)) }
            return answer
        }
        for answer in answers { #expect(await answer.result.get()) }
        queue.close()
    }

    @Test @ReactorActor func `a worker that cannot work leaves all tasks to those that can`() async throws {
        let queue = try await QueueFixture()
        let workers = try await workers(queue, Ability([true, false, false]), Recorder())
        let client = try await queue.client()
        for round in 0..<20 {
            for number in 0..<5 {
                let outcome = try await client.submitAndWait(queue.request("work", .integer(round * 5 + number)))
                #expect(outcome == .success(Array("0".utf8)))
            }
        }
        #expect(workers.map(\.counters.failed) == [0, 0, 0])
        queue.close()
    }

    @Test @ReactorActor func `a task that fails because its worker can work no longer is done by another`() async throws
    {
        let queue = try await QueueFixture()
        let ability = Ability([true, false])
        let recorder = Recorder()
        recorder.close()
        let workers = try await workers(queue, ability, recorder)
        let client = try await queue.client()
        var result: Result<TaskOutcome, TaskQueueError>?
        client.submitAndWait(queue.request("work")) { result = $0 }
        try await eventually("the first runs it") { recorder.contexts.count == 1 }
        ability.canWork = [false, true]
        try await eventually("the second can work, as the first knows") {
            _ = try await queue.redis.command(["PUBLISH", .string(queue.keys.control), "patrol"])
            return try await queue.redis.command(["ZRANGE", .string(queue.keys.able), 0, -1]).array?.map(\.text)
                == [workers[1].identity.consumer]
        }
        recorder.open()
        try await eventually("an answer") { result != nil }
        #expect(result == .success(.success(Array("1".utf8))))
        #expect(workers[0].counters.failed == 0)
        #expect(workers[0].counters.handedBack == 1)
        #expect(recorder.contexts.map(\.attempt) == [1, 1], "what was given back does not count")
        queue.close()
    }

    @Test @ReactorActor func `when no worker can work the caller is told at once`() async throws {
        let queue = try await QueueFixture()
        let ability = Ability([true, true])
        let recorder = Recorder()
        recorder.close()
        _ = try await workers(queue, ability, recorder)
        let client = try await queue.client()
        var result: Result<TaskOutcome, TaskQueueError>?
        client.submitAndWait(queue.request("work")) { result = $0 }
        try await eventually("it runs") { recorder.contexts.count == 1 }
        // Each still believes in the other.
        ability.canWork = [false, false]
        recorder.open()
        try await eventually("an answer") { result != nil }
        #expect(result == .success(.failure(away)))
        #expect(recorder.contexts.count <= 2, "one hands it to the other, who knows better then")
        #expect(try await client.submitAndWait(queue.request("work")) == .failure(away))
        queue.close()
    }
}
