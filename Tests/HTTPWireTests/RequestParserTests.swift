import HTTPWire
import Testing

@Suite struct RequestParserTests {
    private static let conversation = """
        POST /orders?x=1 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello\
        GET /health HTTP/1.1\r\nhost:a:8080\r\nAccept:  */* \t\r\n\r\n\
        PUT /c HTTP/1.1\r\nHost: [::1]:80\r\nTransfer-Encoding: Chunked\r\nExpect: 100-Continue\r\n\r\n\
        5\r\nhello\r\n00006;name=\"value\";x\r\n world\r\n0;last\r\nX-Checksum: 1\r\nY: 2\r\n\r\n\
        \r\nOPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n\
        GET http://a/p?q HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n\
        HEAD / HTTP/1.1\r\nHost: a\r\nX-Empty:\r\nConnection: x, close\r\n\r\n
        """
    private static let expected = [
        "POST /orders?x=1 fields=2 length(5)", "end body=hello",
        "GET /health fields=2 none", "end body=",
        "PUT /c fields=3 chunked expects", "end body=hello world",
        "OPTIONS * fields=1 none", "end body=",
        "GET http://a/p?q 1.0 fields=1 none", "end body=",
        "HEAD / fields=3 none close", "end body=",
    ]

    @Test(arguments: [1, 2, 3, 5, 7, 11, 64, 4096])
    func `the same actions come out however often the network cuts the bytes`(size: Int) {
        #expect(Transcript.requests([UInt8](Self.conversation), cutEvery: size).lines == Self.expected)
    }

    @Test func `the same actions come out wherever the network cuts the bytes`() {
        let wire = [UInt8](Self.conversation)
        for cut in 1...wire.count {
            #expect(Transcript.requests(wire, cutAt: cut).lines == Self.expected, "cut at \(cut)")
        }
    }

    @Test func `a head gives its parts`() throws {
        let head = try #require(
            Self.head("GET /a%20b/c?d=e&f HTTP/1.1\r\nHost: example.com:80\r\nX-One: 1\r\nx-one: 2\r\n\r\n")
        )
        #expect(head.method == .get)
        #expect(head.target == "/a%20b/c?d=e&f")
        #expect(head.path == "/a%20b/c")
        #expect(head.query == "d=e&f")
        #expect(head.authority == "example.com:80")
        #expect(head.fields["X-ONE"] == "1")
        #expect(head.fields.values("x-One") == ["1", "2"])
        #expect(head.fields["X-Two"] == nil)
        #expect(Array(head.fields).map(\.name) == ["Host", "X-One", "x-one"])
        #expect(head.pathAndQuery == head.target)
    }

    @Test func `an absolute target gives the same parts as its own`() throws {
        let head = try #require(Self.head("GET HTTP://Example.com?d HTTP/1.1\r\nHost: example.COM\r\n\r\n"))
        #expect(head.path == "/")
        #expect(Array(head.pathBytes) == [UInt8]("/"))
        #expect(head.query == "d")
        #expect(head.pathAndQuery == "/?d")
        #expect(head.authority == "Example.com")
    }

    @Test func `the host in an absolute target counts, not another one in the field`() throws {
        let head = try #require(Self.head("GET http://a:80/p HTTP/1.1\r\nHost: b\r\n\r\n"))
        #expect(head.authority == "a:80")
        #expect(head.pathAndQuery == "/p")
    }

    @Test(arguments: ["1.2", "1.9"])
    func `a higher minor version is read as the one that is known`(version: String) throws {
        let head = try #require(Self.head("GET / HTTP/\(version)\r\nHost: a\r\n\r\n"))
        #expect(head.version == .http11 && head.keepsAlive)
    }

    @Test func `bytes that are not UTF-8 pass through a value`() throws {
        var wire = [UInt8]("GET / HTTP/1.1\r\nHost: a\r\nX: ")
        wire += [0xFF, 0x80]
        wire += [UInt8]("\r\n\r\n")
        let head = try #require(Self.head(wire))
        #expect(head.fields.valueBytes("x").map(Array.init) == [0xFF, 0x80])
        #expect(head.fields["x"] == "\u{FFFD}\u{FFFD}")
    }

    @Test func `an error is final`() {
        var parser = RequestParser()
        let bad = [UInt8]("GET / HTTP/1.1\n")
        let good = [UInt8]("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(throws: HTTPParseError.malformedRequestLine) { try parser.step(bad.span) }
        #expect(throws: HTTPParseError.malformedRequestLine) { try parser.step(good.span) }
        #expect(throws: HTTPParseError.malformedRequestLine) { try parser.connectionEnded() }
    }

    @Test func `it says whether a request has begun`() throws {
        var parser = RequestParser()
        let before = parser.isBetweenRequests
        _ = try parser.step([UInt8]("G").span)
        let after = parser.isBetweenRequests
        #expect(before && !after)
        #expect(throws: HTTPParseError.prematureEnd) { try parser.connectionEnded() }
    }

    private static func head(_ wire: String) -> RequestHead? { head([UInt8](wire)) }

    private static func head(_ wire: [UInt8]) -> RequestHead? {
        var parser = RequestParser()
        guard case .deliverHead(let head)? = try? parser.step(wire.span).action else { return nil }
        return head
    }
}
