import JSONWire
import Logging
import Reactor
import Redis
import TestSupport
import Testing

@testable import TaskQueue

/// What operators ask of a queue.
@Suite struct AdministrationTests {
    init() { Reactor.runInBackground() }

    @Test @ReactorActor func `one task is found by its id, wherever it is`() async throws {
        let queue = try await QueueFixture()
        queue.configuration.retry = RetryPolicy(firstDelay: .seconds(600), delayCap: .seconds(600), attemptLimit: 2)
        let administration = queue.administration
        let client = try await queue.client()
        #expect(try await administration.task(try #require(TaskID("01a1fd76-c4ba-78d7-ac0f-73e05585ea05"))) == nil)

        for number in 0..<5 { _ = try await client.submit(queue.request("other", .integer(number))) }
        let id = try await client.submitTracked(queue.request("fail", ["symbol": "AAPL"]))
        let waiting = try #require(try await administration.task(id))
        #expect(waiting.queued?.state == .queued)
        #expect(waiting.queued?.arguments == ["symbol": "AAPL"])
        #expect(waiting.status?.state == .queued)

        let failure = TaskFailure(code: "BROKEN", message: "It is broken.", isRetryable: true)
        let worker = try await queue.worker { worker in
            worker.register("fail") { _ in .failure(failure) }
            worker.register("other") { _ in .failure(failure) }
        }
        try await eventually("delayed") {
            if case .delayed? = try await administration.task(id)?.queued?.state { true } else { false }
        }
        queue.kill(worker)
        queue.close()
    }

    @Test @ReactorActor func `a task that was given up is found with the reason`() async throws {
        let queue = try await QueueFixture()
        queue.configuration.retry = RetryPolicy(attemptLimit: 1)
        let failure = TaskFailure(code: "BROKEN", message: "It is broken.", isRetryable: false)
        _ = try await queue.worker { $0.register("fail") { _ in .failure(failure) } }
        let client = try await queue.client()
        let id = try await client.submitTracked(queue.request("fail"))
        try await eventually("dead") { try await queue.length(queue.keys.dead) == 1 }
        let found = try #require(try await queue.administration.task(id))
        #expect(found.queued == nil)
        #expect(found.deadLetter?.failure == failure)
        queue.close()
    }

    @Test @ReactorActor func `a broker that refuses for long is said once, and not for every task`() async throws {
        let queue = try await QueueFixture()
        let log = TestLog()
        queue.logger = log.logger
        let client = try await queue.client()
        _ = try await queue.redis.command(["SET", .string(queue.keys.delayed), "no sorted set"])
        for number in 0..<5 {
            await #expect(throws: TaskQueueError.self) {
                try await client.submit(queue.request("echo", .integer(number)))
            }
        }
        #expect(log.messages(from: .warning) == ["submitting tasks failed"])
        queue.close()
    }

    @Test @ReactorActor func `dead letters are listed, replayed and dropped by name and code`() async throws {
        let queue = try await QueueFixture()
        queue.configuration.retry = RetryPolicy(attemptLimit: 1)
        _ = try await queue.worker { worker in
            for name in ["first", "second"] {
                worker.register(name) { context in
                    let code = context.arguments == 1 ? "ONE" : "TWO"
                    return .failure(TaskFailure(code: code, message: "It is broken.", isRetryable: false))
                }
            }
        }
        let client = try await queue.client()
        for name in ["first", "second"] {
            for number in 1...3 { _ = try await client.submit(queue.request(name, .integer(number))) }
        }
        try await eventually("all are dead") { try await queue.length(queue.keys.dead) == 6 }
        let administration = queue.administration
        let first = DeadLetterFilter(name: "first")
        #expect(try await administration.deadLetters(limit: 10, first).map(\.name) == ["first", "first", "first"])
        #expect(try await administration.deadLetters(limit: 2, DeadLetterFilter(code: "TWO")).count == 2)
        #expect(try await administration.drop(DeadLetterFilter(name: "first", code: "TWO")) == 2)
        #expect(try await administration.drop(DeadLetterFilter(name: "third")) == 0)
        #expect(try await administration.replay(DeadLetterFilter(code: "ONE")) == 2)
        try await eventually("they have died again") { try await queue.length(queue.keys.dead) == 4 }
        #expect(try await administration.deadLetters(limit: 10, first).map(\.failure.code) == ["ONE"])
        queue.close()
    }
}
