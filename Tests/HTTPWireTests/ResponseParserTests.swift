import HTTPWire
import Testing

@Suite struct ResponseParserTests {
    private static let conversation = """
        HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello\
        HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n\
        HTTP/1.1 201\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: y\r\n\r\n\
        HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n\
        HTTP/1.1 204 No Content\r\n\r\n\
        HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n\
        HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n\
        HTTP/1.1 500 Every \t phrase é\r\nServer: x\r\n\r\nuntil the end
        """
    private static let methods: [HTTPMethod] = [.get, .post, .head, .delete, .get, .get, .get]
    private static let expected = [
        "200 fields=1 length(5)", "end body=hello",
        "interim 100 Continue", "interim 103 Early Hints", "201 fields=1 chunked", "end body=hello",
        "200 fields=1 none", "end body=",
        "204 fields=0 none", "end body=",
        "304 fields=1 none", "end body=",
        "200 1.0 fields=2 length(0)", "end body=",
        "500 fields=1 untilClose close", "end body=until the end",
    ]

    @Test func `the same actions come out wherever the network cuts the bytes`() {
        let wire = [UInt8](Self.conversation)
        for size in [1, 2, 3, 7, 4096] {
            #expect(Transcript.responses(wire, to: Self.methods, cutEvery: size).lines == Self.expected)
        }
        for cut in 1...wire.count {
            #expect(Transcript.responses(wire, to: Self.methods, cutAt: cut).lines == Self.expected, "cut at \(cut)")
        }
    }

    private static let doubtful: [(String, HTTPParseError)] = [
        ("HTTP/1.1 200OK\r\n\r\n", HTTPParseError.malformedStatusLine),
        ("HTTP/1.1 20 OK\r\n\r\n", .malformedStatusLine),
        ("HTTP/1.1 099 OK\r\n\r\n", .malformedStatusLine), ("HTTP/1.1 600 OK\r\n\r\n", .malformedStatusLine),
        ("HTTP/1.1  200 OK\r\n\r\n", .malformedStatusLine), ("\r\nHTTP/1.1 200 OK\r\n\r\n", .malformedStatusLine),
        ("HTTP/1.1 200 O\u{0}K\r\n\r\n", .malformedStatusLine), ("ICY 200 OK\r\n\r\n", .malformedStatusLine),
        ("HTTP/2.0 200 OK\r\n\r\n", .unsupportedVersion), ("HTTP/1.1 200 OK\n\n", .malformedStatusLine),
        ("HTTP/1.1 101 Switching Protocols\r\n\r\n", .unexpectedResponse),
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", .ambiguousFraming),
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n", .invalidContentLength),
        ("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", .ambiguousFraming),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", .unsupportedTransferCoding),
        ("HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n", .malformedField),
        ("HTTP/1.1 200 OK\r\nX : a\r\n\r\n", .malformedField),
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", .unexpectedResponse),
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", .prematureEnd), ("HTTP/1.1 200 OK\r\n", .prematureEnd),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", .prematureEnd), ("", .prematureEnd),
        (String(repeating: "HTTP/1.1 102 Processing\r\n\r\n", count: 9), .unexpectedResponse),
        ("HTTP/1.1 200 OK\r\nX: " + String(repeating: "x", count: 17_000), .headTooLarge(limitBytes: 16 * 1024)),
        (String(repeating: "x", count: 17_000), .headTooLarge(limitBytes: 16 * 1024)),
        ("HTTP/1.1 200 OK\r\nContent-Length: 1048577\r\n\r\n", .bodyTooLarge(limitBytes: 1024 * 1024)),
    ]

    @Test(arguments: doubtful)
    func `a doubtful response is refused, however it is cut`(wire: String, expected: HTTPParseError) {
        for size in [Int.max, 1, 3] {
            let lines = Transcript.responses([UInt8](wire), cutEvery: size).lines
            #expect(lines.last == "error \(expected)")
        }
    }

    @Test func `a body that ends with its connection has a limit too`() {
        let wire = [UInt8]("HTTP/1.1 200 OK\r\n\r\n" + String(repeating: "x", count: 21))
        for size in [Int.max, 1, 7] {
            let lines = Transcript.responses(wire, cutEvery: size, limits: HTTPLimits(bodyBytes: 20)).lines
            #expect(lines.last == "error \(HTTPParseError.bodyTooLarge(limitBytes: 20))")
        }
    }

    @Test func `it says until when a request may be sent again`() throws {
        var parser = ResponseParser()
        parser.expectResponse(to: .get)
        let before = parser.isBeforeFirstByte
        _ = try parser.step([UInt8]("H").span)
        let after = parser.isBeforeFirstByte
        #expect(before && !after)
    }

    @Test func `a head says the length that it describes`() throws {
        var parser = ResponseParser()
        parser.expectResponse(to: .head)
        let wire = [UInt8]("HTTP/1.1 200 OK\r\nContent-Length: 12\r\nETag: \"a\"\r\n\r\n")
        guard case .deliverHead(let head) = try parser.step(wire.span).action else {
            Issue.record("no head")
            return
        }
        #expect(head.contentLength == 12)
        #expect(head.framing == .none)
        #expect(head.keepsAlive)
        #expect(head.fields["etag"] == "\"a\"")
    }
}
