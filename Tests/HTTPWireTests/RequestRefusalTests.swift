import HTTPWire
import Testing

/// What must not be taken for a request, because two parsers on one path could read it differently (RFC 9112 §11).
@Suite struct RequestRefusalTests {
    /// Every refusal comes out the same however the network cuts the bytes.
    private static func refusal(_ wire: [UInt8], limits: HTTPLimits = HTTPLimits()) -> String? {
        let whole = Transcript.requests(wire, limits: limits)
        for size in [1, 2, 3, 17] {
            #expect(Transcript.requests(wire, cutEvery: size, limits: limits) == whole, "cut every \(size)")
        }
        return whole.lines.last
    }

    private static func refusal(_ wire: String, limits: HTTPLimits = HTTPLimits()) -> String? {
        refusal([UInt8](wire), limits: limits)
    }

    private static func line(_ error: HTTPParseError) -> String { "error \(error)" }

    @Test(arguments: [
        "GET /", "GET / ", " GET / HTTP/1.1", "GET / HTTP/1.1 ",
        "GET\t/ HTTP/1.1",
        "GET / HTTP/1.1\r", "GET / http/1.1", "GET / HTTP/1", "GET / HTTP/1.", "GET / HTTP/11", "GET / HTTP/1.10",
        "GET / HTTP/1.1x", "GET / HTTP /1.1", "GET / HTTPS/1.1", "/ HTTP/1.1", "GET HTTP/1.1", " / HTTP/1.1",
        "G(T / HTTP/1.1", "G\u{0}T / HTTP/1.1", "GET: / HTTP/1.1", "GÉT / HTTP/1.1",
        String(repeating: "A", count: 33) + " / HTTP/1.1",
    ])
    func `a malformed request line is refused`(line: String) {
        #expect(Self.refusal(line + "\r\nHost: a\r\n\r\n") == Self.line(.malformedRequestLine))
    }

    @Test(arguments: ["0.9", "2.0", "3.0", "9.9", "0.0"])
    func `another major version is refused as such`(version: String) {
        #expect(Self.refusal("GET / HTTP/\(version)\r\nHost: a\r\n\r\n") == Self.line(.unsupportedVersion))
    }

    @Test func `the preface of HTTP 2 is refused as such`() {
        #expect(Self.refusal("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") == Self.line(.unsupportedVersion))
    }

    @Test(arguments: [
        "a", "a/b", "*/", " /", "/ ", "/a b", "/a#b", "/a\u{0}", "/a\u{7F}", "/é", "/<a>", "/\"", "/a\\b", "/%", "/%4",
        "/%zz",
        "/%4g", "/a%", "//a b", "/?a b", "/?a#b", "/?\u{1}", "http://", "http:///a", "http://a b/", "http://u@a/",
        "http://a:b/", "http://a:65536/", "http://[::1/", "http://::1/", "ftp://a/", "http:/a", "http//a", "a:80", "*",
        "http://a%/", "/a\tb", "http://a\\b/",
    ])
    func `a malformed target is refused`(target: String) {
        let refusal = Self.refusal("GET \(target) HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect([Self.line(.malformedTarget), Self.line(.malformedRequestLine)].contains(refusal))
    }

    @Test(arguments: ["a:80", "/", "http://a/", "*"])
    func `a tunnel is refused`(target: String) {
        #expect(Self.refusal("CONNECT \(target) HTTP/1.1\r\nHost: a\r\n\r\n") == Self.line(.connectRefused))
    }

    @Test(arguments: [
        "A : b", "A\t: b", " A: b", "\tA: b", "A", "A b: c", ": b", "A\u{0}: b", "A: \u{0}", "A: b\u{0}c", "A: b\rc",
        "A: b\r", "A: b\u{7F}", "A: b\u{1B}[0m", "A(: b", "A\"b: c", "A,b: c", "A/b: c", "A;b: c", "Ä: b", "A: b\r\n c",
        "A: b\r\n\tc", "{A}: b", "A@b: c", "A[0]: b", "\u{B}A: b", "A: b\u{B}",
    ])
    func `a malformed field is refused`(field: String) {
        let wire = "GET / HTTP/1.1\r\nHost: a\r\n\(field)\r\n\r\n"
        #expect(Self.refusal(wire) == Self.line(.malformedField))
    }

    @Test(arguments: [
        "GET / HTTP/1.1\nHost: a\r\n\r\n", "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "\rGET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\n\n",
        "GET / HTTP/1.1\r\n Host: a\r\n\r\n", "GET / HTTP/1.1\r\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\r\n\r\n",
        "GET / HTTP/1.1\n\nHost: a\r\n\r\n", "\r\n\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    ])
    func `a line that does not end with CR LF is refused`(wire: String) {
        let refusal = Self.refusal(wire)
        #expect([Self.line(.malformedField), Self.line(.malformedRequestLine)].contains(refusal))
    }

    @Test(arguments: [
        "", "Host:", "Host: ", "Host: a\r\nHost: a", "Host: a\r\nhost: b", "Host: a b", "Host: a,b", "Host: a%41",
        "Host: a;b", "Host: a/b",
        "Host: u@a", "Host: a:b", "Host: a:123456", "Host: a:65536", "Host: [::1", "Host: ::1", "Host: [::1]x",
        "Host: :80",
        "Host: []", "Host: [a b]", "Host: a?b", "Host: a#b", "Host: a\\b", "Host: é", "Host: a:80:80", "Host: a\tb",
        "Host: http://a", "Host: a:-1", "Host: a: 80",
    ])
    func `anything but one valid host is refused`(fields: String) {
        let wire = "GET / HTTP/1.1\r\n\(fields)\(fields.isEmpty ? "" : "\r\n")\r\n"
        #expect(Self.refusal(wire) == Self.line(.invalidHost))
    }

    @Test(arguments: ["Host: a\r\nHost: b", "Host: a b", "Host:"])
    func `an old request needs no host, but a wrong one is refused`(fields: String) {
        #expect(Self.refusal("GET / HTTP/1.0\r\n\r\n") == "end body=")
        #expect(Self.refusal("GET / HTTP/1.0\r\n\(fields)\r\n\r\n") == Self.line(.invalidHost))
    }

    @Test func `a target with a host needs a valid field all the same`() {
        #expect(Self.refusal("GET http://a/ HTTP/1.1\r\nHost: a b\r\n\r\n") == Self.line(.invalidHost))
        #expect(Self.refusal("GET http://a/ HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n") == Self.line(.invalidHost))
        #expect(Self.refusal("GET http://a/ HTTP/1.1\r\n\r\n") == Self.line(.invalidHost))
    }

    @Test(arguments: [
        "Content-Length:", "Content-Length: +5", "Content-Length: -5", "Content-Length: 5, 5", "Content-Length: 5,5",
        "Content-Length: 5 5", "Content-Length: 0x5", "Content-Length: 5.0", "Content-Length: 1e3",
        "Content-Length: \"5\"",
        "Content-Length: ５", "Content-Length: 9999999999999999999", "Content-Length: 18446744073709551621",
        "Content-Length: 5\r\nContent-Length: 5", "Content-Length: 5\r\ncontent-length: 6", "Content-Length: a",
        "Content-Length: 5;", "Content-Length: 0000000000000000005",
    ])
    func `a length that is not one number is refused`(fields: String) {
        let wire = "POST / HTTP/1.1\r\nHost: a\r\n\(fields)\r\n\r\nhello"
        #expect(Self.refusal(wire) == Self.line(.invalidContentLength))
    }

    @Test(arguments: [
        "Transfer-Encoding: gzip", "Transfer-Encoding: gzip, chunked", "Transfer-Encoding: chunked, gzip",
        "Transfer-Encoding: identity", "Transfer-Encoding:", "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding: xchunked", "Transfer-Encoding: chunked;q=1", "Transfer-Encoding: \"chunked\"",
        "Transfer-Encoding: chunked,", "Transfer-Encoding: ,chunked", "Transfer-Encoding: chunked chunked",
        "Transfer-Encoding: chu nked",
    ])
    func `a coding other than chunked is refused`(fields: String) {
        let wire = "POST / HTTP/1.1\r\nHost: a\r\n\(fields)\r\n\r\n0\r\n\r\n"
        #expect(Self.refusal(wire) == Self.line(.unsupportedTransferCoding))
    }

    @Test(arguments: [
        "1.1|Transfer-Encoding: chunked\r\nContent-Length: 5", "1.1|Content-Length: 5\r\nTransfer-Encoding: chunked",
        "1.1|Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "1.0|Transfer-Encoding: chunked",
        "1.1|Content-Length: 0\r\nTransfer-Encoding: chunked",
        "1.1|Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
    ])
    func `a body with two lengths, or with one that the version does not know, is refused`(example: String) {
        let parts = example.split(separator: "|")
        let wire = "POST / HTTP/\(parts[0])\r\nHost: a\r\n\(parts[1])\r\n\r\n0\r\n\r\n"
        #expect(Self.refusal(wire) == Self.line(.ambiguousFraming))
    }

    @Test(arguments: [
        "Transfer-Encoding : chunked", "Transfer\u{B}Encoding: chunked", "Transfer-Encoding\u{0}: chunked",
        "X: y\nTransfer-Encoding: chunked", "X: y\rTransfer-Encoding: chunked", "Transfer-Encoding:\u{B}chunked",
        "Transfer-Encoding: chunked\u{0}", "X: y\r\n Transfer-Encoding: chunked", "Content-Length : 5",
        "Content-Length\r\n: 5",
    ])
    func `a framing field in disguise is refused, not passed on`(fields: String) {
        let wire = "POST / HTTP/1.1\r\nHost: a\r\n\(fields)\r\n\r\n0\r\n\r\n"
        #expect(Self.refusal(wire) == Self.line(.malformedField))
    }

    @Test(arguments: ["Expect: 200-ok", "Expect: 100-continue, x", "Expect:", "Expect: 100"])
    func `an expectation that is not known is refused`(field: String) {
        #expect(Self.refusal("PUT / HTTP/1.1\r\nHost: a\r\n\(field)\r\n\r\n") == Self.line(.unsupportedExpectation))
    }

    @Test(arguments: [
        "\r\n", "g\r\n", "-1\r\n", "+1\r\n", " 1\r\n", "1 \r\n", "0x1\r\n", "1\n", "1\r\r\n", "1;\u{0}\r\n", "1;a\n",
        "1,\r\n",
        "1 ;a\r\n", "5\r\nhello0\r\n\r\n", "5\r\nhello\n0\r\n\r\n", "5\r\nhello\r0\r\n\r\n", "5\r\nhello\r\n\r\n",
        "5\r\nhello world\r\n", "0000000000000001\r\na\r\n", "8000000000000000\r\n", "fffffffffffffffff\r\n",
        "1;a\rb\r\n",
        "1;" + String(repeating: "x", count: 300) + "\r\na\r\n0\r\n\r\n",
        String(repeating: "1;" + String(repeating: "x", count: 250) + "\r\na\r\n", count: 40) + "0\r\n\r\n",
    ])
    func `a malformed chunk is refused`(body: String) { expectMalformedChunk(body) }

    @Test(arguments: [
        "", " ", ";", "a;", ";a", "a=", "=b", "a==b", "a=b=c", "a b", "a=b c", "bad[=x", "a=b]", "a=\"", "a=\"b",
        "a=\"b\\\"",
        "a=\"b\"c", "a=\"b\u{1}\"", "a=b ", "a ", "a=\"b\" ", "a\"b\"", "ä",
    ])
    func `a malformed chunk extension is refused`(text: String) {
        expectMalformedChunk("5;\(text)\r\nhello\r\n0\r\n\r\n")
        expectMalformedChunk("5\r\nhello\r\n0;\(text)\r\n\r\n")
    }

    @Test(arguments: [
        "a", "a=b", "a;b;c", "a=b;c=d", "a=\"\"", "a=\"b c;d=e\\\"\\\\\t\"", " a = b ; c", "\ta=\"ä\";b",
        "!#$%&'*+-.^_`|~=1",
    ])
    func `a chunk extension as the grammar has it is passed over`(text: String) {
        let body = "5;\(text)\r\nhello\r\n0;\(text)\r\n\r\n"
        let wire = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + body
        #expect(Self.refusal(wire) == "end body=hello")
    }

    private func expectMalformedChunk(_ body: String) {
        let wire = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + body
        #expect(Self.refusal(wire) == Self.line(.malformedChunk))
    }

    @Test(arguments: [
        "Host: b", "Content-Length: 5", "Transfer-Encoding: chunked", " X: y", "X : y", "X: \u{0}", "X", "X: y\nZ: 1",
    ])
    func `a trailer that frames, routes or is malformed is refused`(trailer: String) {
        let wire = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\(trailer)\r\n\r\n"
        #expect(Self.refusal(wire) == Self.line(.malformedField))
    }

    // MARK: Limits

    private static let limits = HTTPLimits(headBytes: 400, targetBytes: 100, fieldCount: 5, bodyBytes: 20)

    @Test(arguments: [99, 100, 101, 150, 350, 5000])
    func `a target may be as long as its limit`(length: Int) {
        let wire = "GET /" + String(repeating: "x", count: length - 1) + " HTTP/1.1\r\nHost: a\r\n\r\n"
        let expected = length <= 100 ? "end body=" : Self.line(.targetTooLong(limitBytes: 100))
        #expect(Self.refusal(wire, limits: Self.limits) == expected)
    }

    @Test(arguments: [399, 400, 401, 500, 5000])
    func `a head may be as long as its limit`(length: Int) {
        let rest = "GET / HTTP/1.1\r\nHost: a\r\nX: \r\n\r\n".utf8.count
        let wire = "GET / HTTP/1.1\r\nHost: a\r\nX: " + String(repeating: "x", count: length - rest) + "\r\n\r\n"
        let expected = length <= 400 ? "end body=" : Self.line(.headTooLarge(limitBytes: 400))
        #expect(Self.refusal(wire, limits: Self.limits) == expected)
    }

    @Test func `a head without an end is refused at the limit`() {
        let wire = "GET / HTTP/1.1\r\nX: " + String(repeating: "x", count: 1000)
        #expect(Self.refusal(wire, limits: Self.limits) == Self.line(.headTooLarge(limitBytes: 400)))
        let line = String(repeating: "x", count: 1000)
        #expect(Self.refusal(line, limits: Self.limits) == Self.line(.targetTooLong(limitBytes: 100)))
    }

    @Test(arguments: [4, 5, 50])
    func `a head may have as many fields as its limit`(count: Int) {
        let wire = "GET / HTTP/1.1\r\nHost: a\r\n" + String(repeating: "A: b\r\n", count: count) + "\r\n"
        let expected = count < 5 ? "end body=" : Self.line(.tooManyFields(limit: 5))
        #expect(Self.refusal(wire, limits: Self.limits) == expected)
    }

    @Test(arguments: [20, 21])
    func `a body may be as long as its limit`(length: Int) {
        let head = "POST / HTTP/1.1\r\nHost: a\r\n"
        let body = String(repeating: "x", count: length)
        let fixed = head + "Content-Length: \(length)\r\n\r\n" + body
        let chunked = head + "Transfer-Encoding: chunked\r\n\r\n" + body.map { "1\r\n\($0)\r\n" }.joined() + "0\r\n\r\n"
        let expected = length <= 20 ? "end body=\(body)" : Self.line(.bodyTooLarge(limitBytes: 20))
        #expect(Self.refusal(fixed, limits: Self.limits) == expected)
        #expect(Self.refusal(chunked, limits: Self.limits) == expected)
    }

    @Test func `trailers have the limits of a head`() {
        let start = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"
        let long = start + "X: " + String(repeating: "x", count: 400) + "\r\n\r\n"
        #expect(Self.refusal(long, limits: Self.limits) == Self.line(.headTooLarge(limitBytes: 400)))
        let many = start + String(repeating: "A: b\r\n", count: 6) + "\r\n"
        #expect(Self.refusal(many, limits: Self.limits) == Self.line(.tooManyFields(limit: 5)))
    }

    @Test(arguments: [
        "G", "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nHost: a\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhell",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
    ])
    func `a request that breaks off is not complete`(wire: String) {
        #expect(Self.refusal(wire) == Self.line(.prematureEnd))
    }

    @Test func `no change of one byte makes the cut matter`() {
        let wires = [
            "POST /a?b HTTP/1.1\r\nHost: a:80\r\nContent-Length: 5\r\nConnection: close, x\r\n\r\nhello",
            "\r\nPUT http://a/c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                + "5;a=b\r\nhello\r\n0\r\nX: y\r\n\r\n",
        ]
        for wire in wires.map({ [UInt8]($0) }) {
            for position in wire.indices {
                for byte in [UInt8]("\0\t\n\r ,0;:%\u{7F}é") {
                    var changed = wire
                    changed[position] = byte
                    let whole = Transcript.requests(changed)
                    #expect(whole == Transcript.requests(changed, cutEvery: 1), "\(byte) at \(position)")
                }
            }
        }
    }
}
