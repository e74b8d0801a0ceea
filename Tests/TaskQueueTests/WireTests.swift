internal import Basics
import JSONWire
import Reactor
import Redis
import RedisStreams
import Testing

@testable import TaskQueue

@Suite struct TaskIDTests {
    @Test func `an id reads as it was written and begins with the time`() throws {
        var generator = SystemRandomNumberGenerator()
        let id = TaskID(unixTime: .milliseconds(0x0123_4567_89AB), using: &generator)
        let text = id.description
        #expect(text.hasPrefix("01234567-89ab-7"))
        #expect(text.utf8.count == 36)
        #expect(["8", "9", "a", "b"].contains(String(text.dropFirst(19).prefix(1))))
        #expect(TaskID(text) == id)
        #expect(TaskID(text.uppercased()) == id)
    }

    @Test func `ids differ`() {
        var generator = SystemRandomNumberGenerator()
        let ids = (0..<1000).map { _ in TaskID(unixTime: .seconds(1), using: &generator) }
        #expect(Set(ids).count == 1000)
        #expect(Set(ids.map(\.description)).count == 1000)
    }

    @Test(arguments: [
        "", "1", "01234567-89ab-7000-8000-00000000000", "01234567-89ab-7000-8000-0000000000000",
        "0123456789ab-7000-8000-000000000000-0", "g1234567-89ab-7000-8000-000000000000",
        "01234567 89ab-7000-8000-000000000000", "../../../../../etc/passwd0000000000000",
    ])
    func `what is not an id is none`(text: String) {
        #expect(TaskID(text) == nil)
    }
}

@Suite struct TaskEnvelopeTests {
    private let id = TaskID("01234567-89ab-7000-8000-000000000000")!

    @Test func `everything comes back as it was written`() {
        var envelope = TaskEnvelope(
            id: id,
            name: "prices.average",
            encodedArguments: #"{"a":[1,"x\"\n,}",{"b":1.50}]}"#,
            createdAtMilliseconds: 1_736_121_600_000
        )
        #expect(TaskEnvelope(parsing: envelope.encoded().span) == envelope)
        envelope.attempt = 3
        envelope.timeLimitMilliseconds = 5000
        envelope.ageMilliseconds = 70
        envelope.replyKey = "q:{t}:reply:x"
        envelope.requestID = "r-1"
        envelope.traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        envelope.isTracked = true
        #expect(TaskEnvelope(parsing: envelope.encoded().span) == envelope)
        #expect(envelope.arguments == ["a": [1, "x\"\n,}", ["b": .number("1.50")]]])
    }

    @Test(arguments: [
        "null", "5", "true", #""text""#, "[]", "{}", #"{"a":{"b":[1,2]},"c":"},{"}"#, #"["\\","\""]"#,
    ])
    func `an envelope is read whatever its arguments and texts are, and never from a part of it`(arguments: String) {
        var envelope = TaskEnvelope(id: id, name: "n", encodedArguments: arguments, createdAtMilliseconds: 5)
        for name in ["n", "with \"quotes\"", "é"] {
            envelope.requestID = name
            let text = envelope.encoded()
            #expect(TaskEnvelope(parsing: text.span) == envelope)
            for end in text.indices { #expect(TaskEnvelope(parsing: Array(text[..<end]).span) == nil) }
        }
    }

    @Test func `members may come in any order, with white space and escapes`() {
        let envelope = TaskEnvelope(
            id: id,
            name: "n",
            encodedArguments: #"{ "a" : 1 }"#,
            createdAtMilliseconds: 5,
            requestID: "r"
        )
        let text = #"""
             { "request_id" : "\u0072", "created_at":5 , "attempt":1,"arguments": { "a" : 1 } ,"n\u0061me":"n",
             "id":"\u00301234567-89ab-7000-8000-000000000000" }
            """#
        #expect(TaskEnvelope(parsing: Array(text.utf8).span) == envelope)
    }

    @Test func `members that an older version does not know are ignored`() {
        let text = #"{"id":"\#(id)","name":"n","arguments":null,"attempt":1,"created_at":5,"priority":9}"#
        #expect(TaskEnvelope(parsing: Array(text.utf8).span)?.name == "n")
    }

    @Test(arguments: [
        "", "null", "[]", "{}", "{",
        #"{"id":"x","name":"n","arguments":{},"attempt":1,"created_at":5}"#,
        #"{"id":"01234567-89ab-7000-8000-000000000000","arguments":{},"attempt":1,"created_at":5}"#,
        #"{"id":"01234567-89ab-7000-8000-000000000000","name":"n","attempt":1,"created_at":5}"#,
        #"{"id":"01234567-89ab-7000-8000-000000000000","name":"n","arguments":{},"attempt":0,"created_at":5}"#,
        #"{"id":"01234567-89ab-7000-8000-000000000000","name":"n","arguments":{},"attempt":"1","created_at":5}"#,
        #"{"id":"01234567-89ab-7000-8000-000000000000","name":"n","arguments":{},"attempt":1}"#,
        #"{"id":"01234567-89ab-7000-8000-000000000000","name":"n","arguments":{]},"attempt":1,"created_at":5}"#,
        #"{"id":"01234567-89ab-7000-8000-000000000000","id":"","name":"n","arguments":{},"attempt":1,"created_at":5}"#,
    ])
    func `what is not an envelope is none`(text: String) {
        #expect(TaskEnvelope(parsing: Array(text.utf8).span) == nil)
    }
}

@Suite struct TaskOutcomeTests {
    @Test(arguments: [
        TaskOutcome.success(Array(#"{"a":1}"#.utf8)), .success([]), .expired,
        .failure(TaskFailure(code: "X", message: "it \"failed\"\n", isRetryable: true)), .failure(.workerLost),
    ])
    func `outcomes come back as they were written`(outcome: TaskOutcome) {
        #expect(TaskOutcome(encoded: outcome.encoded.span) == outcome)
    }

    @Test(arguments: ["", "x", "-", "-{}", #"-{"code":"X"}"#])
    func `what is not an outcome is none`(text: String) {
        #expect(TaskOutcome(encoded: Array(text.utf8).span) == nil)
    }
}

@Suite struct ReplyBatchTests {
    private let ids = ["01234567-89ab-7000-8000-000000000000", "01234567-89ab-7000-8000-00000000000f"]

    private func replies(in message: [UInt8]) -> (replies: [String], isComplete: Bool) {
        var replies: [String] = []
        let isComplete = ReplyBatch.read(message.span) { id, outcome in
            replies.append("\(id) \(String(decoding: [UInt8](copying: outcome), as: UTF8.self))")
        }
        return (replies, isComplete)
    }

    @Test func `results come back as they were written, whichever way`() throws {
        var batch = ReplyBatch()
        batch.append(try #require(TaskID(ids[0])), success: Array("[1]".utf8))
        batch.append(try #require(TaskID(ids[1])), .expired)
        batch.append(try #require(TaskID(ids[0])), success: [])
        let text = "\(ids[0])4 +[1]\(ids[1])1 !\(ids[0])1 +"
        #expect(String(decoding: batch.bytes, as: UTF8.self) == text)
        let read = replies(in: batch.bytes)
        #expect(read.replies == ["\(ids[0]) +[1]", "\(ids[1]) !", "\(ids[0]) +"])
        #expect(read.isComplete)
        #expect(replies(in: []).isComplete)
    }

    @Test func `what is cut off or damaged is noticed`() throws {
        let whole = Array("\(ids[0])4 +[1]\(ids[1])12 +{\"data\":[]}".utf8)
        let ends = [0, 42, whole.count]
        for end in 0...whole.count {
            #expect(replies(in: Array(whole[..<end])).isComplete == ends.contains(end), "cut at \(end)")
        }
        for text in ["\(ids[0])x +", "\(ids[0]) +", "\(ids[0])-1 +", "\(ids[0])99999999999999999999 +", "x"] {
            #expect(!replies(in: Array(text.utf8)).isComplete, "\(text)")
        }
    }
}

@Suite struct RetryTests {
    /// Draws the largest value each time.
    private struct Extreme: RandomNumberGenerator {
        mutating func next() -> UInt64 { .max }
    }

    @Test func `the longest wait doubles up to the cap`() {
        let policy = RetryPolicy(firstDelay: .milliseconds(100), delayCap: .milliseconds(500), attemptLimit: 9)
        var extreme = Extreme()
        let delays = (1...5).map { policy.delay(afterAttempt: $0, using: &extreme) }
        for (delay, expected) in zip(delays, [100, 200, 400, 500, 500]) {
            #expect(delay <= .milliseconds(expected))
            #expect(delay > .milliseconds(expected) * 0.99)
        }
    }

    @Test func `waits are spread over the whole range`() {
        let policy = RetryPolicy(firstDelay: .seconds(1), delayCap: .seconds(1), attemptLimit: 9)
        var generator = SystemRandomNumberGenerator()
        let delays = (0..<1000).map { _ in policy.delay(afterAttempt: 1, using: &generator) }
        #expect(delays.contains { $0 < .milliseconds(100) })
        #expect(delays.contains { $0 > .milliseconds(900) })
        #expect(!delays.contains { $0 < .zero || $0 > .seconds(1) })
    }

    private let now = Instant.now

    private func held(attempt: Int = 1, deliveries: Int = 1, reply: String? = nil, isTracked: Bool = false) -> HeldTask
    {
        var envelope = TaskEnvelope(
            id: TaskID("01234567-89ab-7000-8000-000000000000")!,
            name: "n",
            encodedArguments: "null",
            createdAtMilliseconds: 0
        )
        envelope.attempt = attempt
        envelope.replyKey = reply
        envelope.isTracked = isTracked
        return HeldTask(entry: .start, deliveries: deliveries, envelope: envelope, submittedAt: now)
    }

    private func disposition(_ task: HeldTask, _ result: TaskResult, limit: Int = 3) -> FinishScript.Disposition {
        var generator = SystemRandomNumberGenerator()
        let policy = RetryPolicy(firstDelay: .seconds(1), delayCap: .seconds(1), attemptLimit: limit)
        return task.disposition(for: result, retry: policy, now: now + .milliseconds(7), using: &generator)
    }

    private let passing = TaskFailure(code: "BUSY", message: "Busy.", isRetryable: true)
    private let final = TaskFailure(code: "WRONG", message: "Wrong.", isRetryable: false)

    @Test func `a caller who waits is told at once, retryable or not`() {
        let task = held(reply: "q:{t}:reply:x")
        #expect(disposition(task, .success([1])) == .ended(task.envelope, .success([1])))
        #expect(disposition(task, .failure(passing)) == .ended(task.envelope, .failure(passing)))
        #expect(disposition(task, .failure(final)) == .ended(task.envelope, .failure(final)))
    }

    @Test func `a task that nobody waits for is retried until its last attempt, and then given up`() {
        for attempt in 1...2 {
            guard case .retry(let next, let delay) = disposition(held(attempt: attempt), .failure(passing)) else {
                Issue.record("attempt \(attempt) of 3 must be followed by another")
                continue
            }
            #expect(next.attempt == attempt + 1)
            #expect(delay <= .seconds(1))
        }
        let last = held(attempt: 3, isTracked: true)
        #expect(disposition(last, .failure(passing)) == .dead(last.envelope, passing, attempts: 3))
        #expect(disposition(held(), .failure(final)) == .dead(held().envelope, final, attempts: 1))
    }

    @Test func `what the surroundings caused waits, as long as the task has time`() {
        let away = TaskFailure(.unavailable, code: "AWAY", message: "Away.", isRetryable: true)
        var task = held(attempt: 3, deliveries: 1, isTracked: true)
        guard case .retry(let next, let delay) = disposition(task, .failure(away)) else {
            Issue.record("it must be run again, though it was the last attempt")
            return
        }
        #expect(next.attempt == 3)
        #expect(delay >= .milliseconds(500) && delay <= .seconds(1))
        #expect(next.ageMilliseconds == (Duration.milliseconds(7) + delay).wholeMilliseconds)
        var envelope = task.envelope
        envelope.timeLimitMilliseconds = 400
        task = HeldTask(entry: .start, deliveries: 1, envelope: envelope, submittedAt: now)
        #expect(disposition(task, .failure(away)) == .dead(envelope, away, attempts: 3))
    }

    @Test func `what waits for its surroundings waits about as long again, and a few seconds at most`() {
        let policy = RetryPolicy(firstDelay: .milliseconds(100), delayCap: .seconds(60), attemptLimit: 3)
        var extreme = Extreme()
        for (age, most) in [(0, 100), (300, 300), (2000, 2000), (100_000, 5000)] {
            let delay = policy.delay(atAge: .milliseconds(age), using: &extreme)
            #expect(delay <= .milliseconds(most) && delay > .milliseconds(most) * 0.99)
        }
    }

    @Test func `runs that ended with their worker count`() {
        let task = held(attempt: 2, deliveries: 2)
        #expect(task.attempt == 3)
        #expect(disposition(task, .failure(passing)) == .dead(task.envelope, passing, attempts: 3))
    }
}
