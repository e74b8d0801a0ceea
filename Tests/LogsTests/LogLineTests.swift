import JSONWire
import Logging
import Testing

@testable import Logs

private func line(_ message: String, _ metadata: Logger.Metadata = [:], as format: LogFormat) -> String {
    let line = LogLine(
        level: .info,
        time: Timestamp(unixTime: .milliseconds(1_736_155_800_250)),
        service: "api",
        message: message,
        metadata: metadata
    )
    return String(decoding: line.bytes(as: format), as: UTF8.self)
}

@Suite struct LogLineTests {
    @Test func `a line is one JSON object, the request first and fields by name`() {
        let metadata: Logger.Metadata = [
            "b": "text", "a": .stringConvertible(1), "request_id": "r1", "c": .stringConvertible(true),
            "d": .stringConvertible(0.5), "e": ["x", "y"], "f": ["k": "v", "j": .stringConvertible(UInt8(2))],
        ]
        #expect(
            line("started", metadata, as: .json)
                == #"{"level":"info","time":"2025-01-06T09:30:00.250Z","service":"api","message":"started","#
                + #""request_id":"r1","a":1,"b":"text","c":true,"d":0.5,"e":["x","y"],"f":{"j":"2","k":"v"}}"# + "\n"
        )
    }

    @Test func `a field that is named like one of ours does not hide it`() throws {
        let text = line("m", ["level": "x", "time": "y", "service": "z", "message": "w"], as: .json)
        let value = try JSONValue(parsing: text, limits: JSONLimits(bytes: 1000))
        #expect(value["level"]?.string == "info")
        #expect(value["message_"]?.string == "w")
    }

    @Test func `text is for people`() {
        let metadata: Logger.Metadata = [
            "request_id": "r1", "path": "/a b", "status": .stringConvertible(200), "empty": "", "quote": "say \"x\"",
        ]
        #expect(
            line("request", metadata, as: .text)
                == "2025-01-06T09:30:00.250Z INFO     api request request_id=r1"
                + #" empty="" path="/a b" quote="say \"x\"" status=200"# + "\n"
        )
    }

    @Test(arguments: LogFormat.allCases)
    func `nobody can forge a line`(format: LogFormat) {
        let text = line("a\nb\r\u{1B}[31m\u{85}", ["k": "c\nd", "e": ["f\n"]], as: format)
        #expect(text.utf8.count { $0 == UInt8(ascii: "\n") } == 1)
        #expect(text.utf8.last == UInt8(ascii: "\n"))
        #expect(!text.utf8.contains(0x1B))
        #expect(!text.utf8.contains(UInt8(ascii: "\r")))
    }
}

@Suite struct TimestampTests {
    @Test(
        arguments: [
            (0, "1970-01-01T00:00:00.000Z"), (1, "1970-01-01T00:00:00.001Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"), (1_709_251_199_000, "2024-02-29T23:59:59.000Z"),
            (1_735_689_599_999, "2024-12-31T23:59:59.999Z"), (1_735_689_600_000, "2025-01-01T00:00:00.000Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        ] as [(Int, String)]
    )
    func `a moment is written as RFC 3339 wants it`(milliseconds: Int, expected: String) {
        let time = Timestamp(unixTime: .milliseconds(milliseconds))
        #expect(String(decoding: time.bytes, as: UTF8.self) == expected)
    }
}

@Suite struct LogBufferTests {
    @Test func `lines leave in order, however little is written at a time`() {
        var buffer = LogBuffer(limitBytes: 1 << 20)
        var written: [UInt8] = []
        for number in 0..<20_000 {
            buffer.append(Array("line \(number)\n".utf8))
            if number % 3 == 0 {
                let count = min(17, buffer.unwritten.count)
                written += buffer.unwritten.prefix(count)
                buffer.wrote(count)
            }
        }
        written += buffer.unwritten
        buffer.wrote(buffer.unwritten.count)
        #expect(buffer.isEmpty)
        #expect(String(decoding: written, as: UTF8.self) == (0..<20_000).map { "line \($0)\n" }.joined())
        #expect(buffer.takeDroppedLines() == 0)
    }

    @Test func `lines beyond the limit are dropped and counted`() {
        var buffer = LogBuffer(limitBytes: 10)
        buffer.append(Array("12345\n".utf8))
        buffer.append(Array("67890\n".utf8))
        buffer.append(Array("abc\n".utf8))
        #expect(String(decoding: buffer.unwritten, as: UTF8.self) == "12345\nabc\n")
        #expect(buffer.takeDroppedLines() == 1)
        #expect(buffer.takeDroppedLines() == 0)
    }
}
