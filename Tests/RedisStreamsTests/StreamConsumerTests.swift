import Logging
import Reactor
import Redis
import Supervision
import TestSupport
import Testing

@testable import RedisStreams

/// Puts the loop on a thread of its own before the first test that needs it.
let loop: Void = Reactor.runInBackground()

let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

/// What the entries of a test do.
@ReactorActor
final class RecordingHandler: StreamHandler {
    var handled: [String] = []
    var buried: [String] = []
    var groupsMade = 0
    var startPosition: StreamPosition? = .start
    /// By the value of `n`; done unless it is here.
    var verdicts: [String: StreamVerdict] = [:]
    /// While it is there, handlers wait for it.
    var gate: Promise<Void, Never>?

    func handle(_ entries: [StreamEntry]) async -> [StreamVerdict] {
        if let gate { _ = await gate.result }
        return entries.map { entry in
            let name = Self.name(entry)
            handled.append(name)
            return verdicts[name] ?? .done
        }
    }

    func willBury(_ entries: [DeadStreamEntry]) async -> Bool {
        buried += entries.map { Self.name($0.entry) }
        return true
    }

    func position() async -> StreamPosition? { startPosition }

    func groupWasMade() async -> Bool {
        groupsMade += 1
        return true
    }

    private static func name(_ entry: StreamEntry) -> String { String(decoding: entry["n"] ?? [], as: UTF8.self) }
}

/// A stream of its own for one test.
@ReactorActor
final class StreamFixture {
    let redis: RedisClient
    let handler = RecordingHandler()
    private let name: String
    private static var count = 0

    init() async throws {
        Self.count += 1
        name = "stream\(Self.count)"
        var configuration = RedisConfiguration(
            endpoint: try await TestServers.redis().address.endpoint,
            clientName: name
        )
        configuration.commandTimeout = .seconds(30)
        configuration.stallTimeout = .seconds(30)
        redis = RedisClient(configuration, logger: quiet)
        redis.start()
        try #require(await redis.waitUntilReady(within: .seconds(10)))
    }

    func consumer(_ consumer: String, _ handler: RecordingHandler? = nil) -> StreamConsumer {
        var configuration = StreamConsumerConfiguration(
            stream: name,
            group: "g",
            deadLetters: "\(name)-dlq",
            consumer: consumer
        )
        configuration.member.lease = .milliseconds(600)
        configuration.limits.firstDelay = .milliseconds(10)
        configuration.limits.delayCap = .milliseconds(50)
        let consumer = StreamConsumer(configuration, redis: redis, handler: handler ?? self.handler, logger: quiet)
        consumer.start()
        return consumer
    }

    func add(_ names: String...) async throws {
        for name in names {
            _ = try await redis.command(["XADD", .string(self.name), "*", "n", .string(name)])
        }
    }

    func pending() async throws -> Int64 {
        try await redis.command(["XPENDING", .string(name), "g"]).array?.first?.integer ?? -1
    }

    func dead() async throws -> [[String: String]] {
        let reply = try await redis.command(["XRANGE", .string("\(name)-dlq"), "-", "+"])
        return (reply.array ?? []).map { entry in
            (entry.array?.last?.fields ?? [:]).compactMapValues(\.text)
        }
    }

    func command(_ words: String...) async throws {
        _ = try await redis.command(words.map { .string($0 == "STREAM" ? name : $0) })
    }
}

@Suite(.serialized) struct StreamConsumerTests {
    init() { loop }

    @Test @ReactorActor func `two consumers share the entries, and each is acknowledged`() async throws {
        let fixture = try await StreamFixture()
        let consumers = [fixture.consumer("a"), fixture.consumer("b")]
        let names = (1...50).map(String.init)
        for name in names { try await fixture.add(name) }
        try await eventually("all are handled") { fixture.handler.handled.count >= 50 }
        #expect(fixture.handler.handled.sorted() == names.sorted())
        try await eventually("all are acknowledged") { try await fixture.pending() == 0 }
        #expect(fixture.handler.groupsMade == 1)
        for consumer in consumers { await consumer.stop(within: .seconds(5)) }
    }

    @Test @ReactorActor func `a consumer that cannot work leaves the entries to others, and takes part when it can`()
        async throws
    {
        let fixture = try await StreamFixture()
        let idle = RecordingHandler()
        let unable = fixture.consumer("a", idle)
        unable.canWork = { false }
        let able = fixture.consumer("b")
        let names = (1...50).map(String.init)
        for name in names { try await fixture.add(name) }
        try await eventually("all are handled") { fixture.handler.handled.count >= 50 }
        #expect(idle.handled == [])
        await able.stop(within: .seconds(5))
        try await fixture.add("late")
        unable.canWork = { true }
        try await eventually("the last one is handled") { idle.handled == ["late"] }
        await unable.stop(within: .seconds(5))
    }

    @Test @ReactorActor func `an entry that fails three times is a dead letter, with what was wrong`() async throws {
        let fixture = try await StreamFixture()
        fixture.handler.verdicts["poison"] = .failed("it is poison")
        let consumer = fixture.consumer("a")
        try await fixture.add("before", "poison", "after")
        try await eventually("a dead letter") { try await fixture.dead().count == 1 }
        let letter = try await fixture.dead()[0]
        #expect(letter["n"] == "poison")
        #expect(letter["error"] == "it is poison")
        #expect(letter["attempts"] == "3")
        #expect(letter["original_id"].flatMap { StreamPosition($0) } != nil)
        #expect(fixture.handler.handled.filter { $0 == "poison" }.count == 3)
        #expect(fixture.handler.handled.contains("after"))
        #expect(fixture.handler.buried == ["poison"])
        try await eventually("nothing is pending") { try await fixture.pending() == 0 }
        await consumer.stop(within: .seconds(5))
    }

    @Test @ReactorActor func `what a lost consumer had is taken over`() async throws {
        let fixture = try await StreamFixture()
        let consumer = fixture.consumer("a")
        try await eventually("the group") { fixture.handler.groupsMade == 1 }
        await consumer.stop(within: .seconds(5))
        try await fixture.add("once", "thrice")
        try await fixture.command("XREADGROUP", "GROUP", "g", "lost", "STREAMS", "STREAM", ">")
        let other = fixture.consumer("b")
        try await eventually("both are handled", within: .seconds(30)) { fixture.handler.handled.count == 2 }
        #expect(fixture.handler.handled.sorted() == ["once", "thrice"])
        try await eventually("both are acknowledged") { try await fixture.pending() == 0 }
        #expect(other.counters.takenOver == 2)
        await other.stop(within: .seconds(5))
    }

    @Test @ReactorActor func `a slow handler keeps its entries, because their lease is renewed`() async throws {
        let fixture = try await StreamFixture()
        let slow = RecordingHandler()
        let gate = Promise<Void, Never>()
        slow.gate = gate
        let first = fixture.consumer("a", slow)
        try await eventually("the group") { slow.groupsMade == 1 }
        try await fixture.add("slow")
        try await eventually("it is being handled") { try await fixture.pending() == 1 }
        let second = fixture.consumer("b")
        try await Reactor.sleep(for: .seconds(2))
        #expect(second.counters.takenOver == 0)
        gate.succeed(())
        try await eventually("it is acknowledged") { try await fixture.pending() == 0 }
        #expect(slow.handled == ["slow"])
        #expect(fixture.handler.handled == [])
        await first.stop(within: .seconds(5))
        await second.stop(within: .seconds(5))
    }

    @Test @ReactorActor func `a group or a stream that is lost is made again, and the handler is told`() async throws {
        let fixture = try await StreamFixture()
        let consumer = fixture.consumer("a")
        try await fixture.add("1")
        try await eventually("handled") { fixture.handler.handled == ["1"] }
        try await fixture.command("XGROUP", "DESTROY", "STREAM", "g")
        try await eventually("the group is back") { fixture.handler.groupsMade == 2 }
        // From the start, as the handler says that nothing has had its effect.
        try await eventually("handled again") { fixture.handler.handled == ["1", "1"] }
        // Younger than where the handler says it was: as after a flush with a clock that was set back.
        fixture.handler.startPosition = StreamPosition(milliseconds: UInt64(Int64.max), number: 0)
        try await fixture.command("DEL", "STREAM")
        try await fixture.add("2")
        try await eventually("the stream is read from its start") { fixture.handler.handled.last == "2" }
        #expect(fixture.handler.groupsMade == 3)
        await consumer.stop(within: .seconds(5))
    }

    @Test @ReactorActor func `a consumer that stops gives back what it has, without an attempt being counted`()
        async throws
    {
        let fixture = try await StreamFixture()
        fixture.handler.verdicts["x"] = .unable
        let consumer = fixture.consumer("a")
        try await fixture.add("x")
        try await eventually("tried") { fixture.handler.handled.count > 5 }
        await consumer.stop(within: .seconds(5))
        let next = RecordingHandler()
        let other = fixture.consumer("b", next)
        try await eventually("handled by another") { next.handled == ["x"] }
        #expect(other.counters.takenOver == 1)
        await other.stop(within: .seconds(5))
    }
}
