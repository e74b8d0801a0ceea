import Glibc
import JSONWire
import Logging
import Reactor
import Testing

@testable import Logs

/// Two connected descriptors of a kind, closed at the end.
private final class Channel {
    enum Kind: CaseIterable { case pipe, socket }

    let reader: CInt
    let writer: CInt

    init(_ kind: Kind) {
        var pair: [CInt] = [0, 0]
        let failure =
            switch kind {
            case .pipe: unsafe pipe(&pair)
            case .socket: unsafe socketpair(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0, &pair)
            }
        precondition(failure == 0)
        (reader, writer) = (pair[0], pair[1])
        _ = fcntl(reader, F_SETFL, O_NONBLOCK)
    }

    deinit {
        close(reader)
        close(writer)
    }

    /// What is there to be read.
    func read() -> [UInt8] {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 * 1024)
        while true {
            let count = unsafe Glibc.read(reader, &chunk, chunk.count)
            guard count > 0 else { return bytes }
            bytes += chunk[..<count]
        }
    }

    /// Reads lines, turn after turn, until the condition holds for all of them together.
    @ReactorActor
    func read(until condition: ([JSONValue]) -> Bool) async throws -> [JSONValue] {
        var values: [JSONValue] = []
        var rest: [UInt8] = []
        while true {
            rest += read()
            while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
                values.append(try JSONValue(parsing: Array(rest[..<end]), limits: JSONLimits(bytes: 1 << 16)))
                rest.removeFirst(end + 1)
            }
            if rest.isEmpty, condition(values) { return values }
            try Task.checkCancellation()
            await Reactor.yield()
        }
    }
}

private func makeLogger(_ sink: LogSink, level: Logger.Level = .info) -> Logger {
    Logger(label: "test") { _ in StructuredLogHandler(sink: sink, level: level) }
}

@Suite(.timeLimit(.minutes(1)))
struct LogSinkTests {
    init() { Reactor.runInBackground() }

    @Test(arguments: Channel.Kind.allCases)
    @ReactorActor private func `lines of a turn are written at its end`(kind: Channel.Kind) async throws {
        let channel = Channel(kind)
        var logger = makeLogger(LogSink(service: "api", format: .json, descriptor: channel.writer))
        logger[metadataKey: "request_id"] = "r1"
        logger.info("one", metadata: ["n": .stringConvertible(1)])
        logger.debug("hidden")
        logger.warning("two", metadata: ["request_id": "r2"])
        #expect(channel.read() == [])

        let lines = try await channel.read { $0.count == 2 }
        #expect(lines.map { $0["message"] } == ["one", "two"])
        #expect(lines.map { $0["level"] } == ["info", "warning"])
        #expect(lines.map { $0["request_id"] } == ["r1", "r2"])
        #expect(lines[0]["n"] == 1)
        #expect(lines[0]["service"] == "api")
    }

    @Test(arguments: Channel.Kind.allCases)
    @ReactorActor private func `a reader that is behind loses lines, is told so, and the loop never waits`(
        kind: Channel.Kind
    ) async throws {
        let channel = Channel(kind)
        let sink = LogSink(service: "api", format: .json, descriptor: channel.writer, bufferLimitBytes: 100_000)
        let logger = makeLogger(sink)
        let padding = String(repeating: "x", count: 1000)
        // Far more than a pipe or socket and the buffer hold together; were the loop to wait, this would never end.
        let sent = 700
        for number in 0..<sent {
            logger.info("line", metadata: ["n": .stringConvertible(number), "padding": .string(padding)])
            if number % 10 == 0 { await Reactor.yield() }
        }
        let lines = try await channel.read { $0.contains { $0["dropped_lines"] != nil } }
        let numbers = lines.compactMap { $0["n"]?.integer }
        let dropped = lines.compactMap { $0["dropped_lines"]?.integer }.reduce(0, +)
        #expect(numbers == numbers.sorted())
        #expect(numbers.count + dropped == sent)
        // A watcher that stays would wake the loop in every turn from now on: there is always room.
        #expect(sink.roomWatcher == nil)

        logger.info("after")
        let more = try await channel.read { !$0.isEmpty }
        #expect(more.map { $0["message"] } == ["after"])
    }

    @Test(arguments: Channel.Kind.allCases)
    @ReactorActor private func `the open file that others share keeps its mode`(kind: Channel.Kind) async throws {
        let channel = Channel(kind)
        let before = fcntl(channel.writer, F_GETFL)
        makeLogger(LogSink(service: "api", format: .json, descriptor: channel.writer)).info("x")
        _ = try await channel.read { $0.count == 1 }
        #expect(fcntl(channel.writer, F_GETFL) == before)
    }

    @Test @ReactorActor private func `a critical line is written at once`() {
        let channel = Channel(.pipe)
        makeLogger(LogSink(service: "api", format: .text, descriptor: channel.writer)).critical("last words")
        #expect(String(decoding: channel.read(), as: UTF8.self).hasSuffix("CRITICAL api last words\n"))
    }

    @Test @ReactorActor private func `what waits is written before the exit`() {
        let channel = Channel(.pipe)
        let sink = LogSink(service: "api", format: .text, descriptor: channel.writer)
        makeLogger(sink).info("bye")
        sink.flushBeforeExit()
        #expect(String(decoding: channel.read(), as: UTF8.self).hasSuffix("INFO     api bye\n"))
    }

    @Test @ReactorActor private func `a reader that is gone costs nothing`() async {
        let channel = Channel(.socket)
        shutdown(channel.reader, CInt(SHUT_RDWR))
        let sink = LogSink(service: "api", format: .json, descriptor: channel.writer)
        for _ in 0..<100 {
            makeLogger(sink).info("into the void")
            await Reactor.yield()
        }
        sink.flushBeforeExit()
    }

    @Test func `what is logged on another thread and before the loop looks is not lost`() async throws {
        let channel = Channel(.pipe)
        let logger = makeLogger(LogSink(service: "api", format: .json, descriptor: channel.writer))
        await withTaskGroup { group in
            for number in 0..<50 { group.addTask { logger.info("n", metadata: ["n": .stringConvertible(number)]) } }
        }
        let lines = try await channel.read { $0.count == 50 }
        #expect(Set(lines.compactMap { $0["n"]?.integer }) == Set(0..<50))
    }
}

@Suite struct StructuredLogHandlerTests {
    init() { Reactor.runInBackground() }

    @Test func `the call wins over the logger, and the logger over the provider`() throws {
        struct Broken: Error, CustomStringConvertible { var description: String { "broken" } }
        let channel = Channel(.pipe)
        let sink = LogSink(service: "api", format: .json, descriptor: channel.writer)
        var logger = Logger(label: "test") { _ in
            let provider = Logger.MetadataProvider { ["a": "provider", "b": "provider", "c": "provider"] }
            return StructuredLogHandler(sink: sink, level: .trace, metadataProvider: provider)
        }
        logger[metadataKey: "b"] = "logger"
        logger[metadataKey: "c"] = "logger"
        logger.error("failed", error: Broken(), metadata: ["c": "call"])
        sink.flushBeforeExit()
        let value = try JSONValue(parsing: channel.read(), limits: JSONLimits(bytes: 1000))
        #expect(["a", "b", "c"].map { value[$0] } == ["provider", "logger", "call"])
        #expect(value["error"] == "broken")
    }
}

@Suite struct BootstrapTests {
    @Test func `a process that ends by exit loses no line`() async throws {
        let result = try await #require(processExitsWith: .success, observing: [\.standardErrorContent]) {
            bootstrapLogging(service: "gateway", format: .json, level: .notice)
            exit(
                Reactor.run {
                    Logger(label: "test").info("hidden")
                    for number in 0..<100 { Logger(label: "test").notice("n", metadata: ["n": "\(number)"]) }
                    return 0
                }
            )
        }
        let lines = result.standardErrorContent.split(separator: UInt8(ascii: "\n"))
        let values = lines.compactMap { try? JSONValue(parsing: Array($0), limits: JSONLimits(bytes: 1000)) }
        #expect(values.filter { $0["service"] == "gateway" }.map { $0["n"]?.string } == (0..<100).map { "\($0)" })
    }
}

@Suite struct AccessLogTests {
    init() { Reactor.runInBackground() }

    private func numbers(share: Double, of count: Int) throws -> [Int] {
        let channel = Channel(.pipe)
        let sink = LogSink(service: "api", format: .json, descriptor: channel.writer)
        var log = AccessLog(logger: makeLogger(sink), share: share)
        for number in 0..<count {
            log.record(
                AccessLogEntry(
                    method: "GET",
                    path: "/prices",
                    status: number,
                    duration: .microseconds(412),
                    bytes: 20,
                    requestID: "r"
                )
            )
        }
        sink.flushBeforeExit()
        let lines = channel.read().split(separator: UInt8(ascii: "\n"))
        return try lines.map { line in
            let value = try JSONValue(parsing: Array(line), limits: JSONLimits(bytes: 1000))
            #expect(value["seconds"]?.numberText == "0.000412")
            #expect(value["path"] == "/prices")
            return try #require(value["status"]?.integer)
        }
    }

    @Test(
        arguments: [(0, []), (1, [0, 1, 2, 3, 4, 5, 6, 7]), (0.5, [1, 3, 5, 7]), (0.25, [3, 7])] as [(Double, [Int])]
    )
    func `a share of the requests has a line`(share: Double, expected: [Int]) throws {
        #expect(try numbers(share: share, of: 8) == expected)
    }
}
