import Testing

@testable import HTTPWire

@Suite struct FieldsTests {
    @Test func `names are compared without regard to case, and order and repetition are kept`() {
        var fields: HTTPFields = ["A": "1", "b": "2", "a": " 3\t"]
        #expect(fields["a"] == "1")
        #expect(fields.values("A") == ["1", "3"])
        #expect(fields.contains("B") && !fields.contains("ab"))
        #expect(fields.map { "\($0.name)=\($0.value)" } == ["A=1", "b=2", "a=3"])
        fields["A"] = "4"
        #expect(fields == ["B": "2", "a": "4"])
        fields["b"] = nil
        fields.append(contentsOf: ["c": "5"])
        fields.append("d", bytes: [0xFF])
        #expect(fields == ["a": "4", "c": "5", "d": "\u{FFFD}"])
        #expect(fields.valueBytes("D") == [0xFF])
        #expect(fields.count == 3)
    }

    @Test func `members of a list are found`() {
        let fields: HTTPFields = ["Connection": "keep-alive ,, Upgrade", "connection": "close"]
        for token in ["upgrade", "CLOSE", "Keep-Alive"] { #expect(fields.list("Connection", contains: token)) }
        #expect(!fields.list("Connection", contains: "keep"))
        #expect(!fields.list("Other", contains: "close"))
    }

    @Test func `what belongs to one connection is removed with what it names`() {
        let fields: HTTPFields = [
            "Connection": "X-Hop, close", "X-Hop": "1", "Keep-Alive": "2", "TE": "trailers", "Trailer": "X",
            "Transfer-Encoding": "chunked", "Upgrade": "h2c", "Proxy-Connection": "close", "X-End": "3", "Host": "a",
        ]
        let kept = fields.endToEnd(announcesTrailers: false) { _ in false }
        var lines: [UInt8] = []
        HeadWriter.appendResponse(.ok, fields: kept, framing: .none, keepsAlive: true, date: [], to: &lines)
        #expect(String(decoding: lines, as: UTF8.self) == "HTTP/1.1 200 OK\r\nX-End: 3\r\nHost: a\r\n\r\n")
        lines = []
        fields.appendEndToEnd(to: &lines, announcesTrailers: true) { _ in false }
        #expect(String(decoding: lines, as: UTF8.self) == "Trailer: X\r\nX-End: 3\r\n")
    }

    @Test func `a copy does not follow its original`() {
        var fields: HTTPFields = ["A": "1"]
        let copy = fields
        fields["A"] = "2"
        #expect(copy["A"] == "1")
    }

    @Test(arguments: ["", "a b", "a:", "a\r\n", "é"])
    func `a name that is no token stops the process`(name: String) async {
        await #expect(processExitsWith: .failure) { [name] in
            var fields = HTTPFields()
            fields.append(name, "x")
        }
    }

    @Test func `the classes of bytes are those of the grammar`() {
        let alphanumerics = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
        let classes: [(String, (UInt8) -> Bool)] = [
            ("!#$%&'*+-.^_`|~" + alphanumerics, ASCII.isToken),
            ("-._~" + alphanumerics, ASCII.isUnreserved),
            ("!$%&'()*+,-./:;=?@[\\]^_`{|}~" + alphanumerics, { [$0].span.isTarget }),
        ]
        for (members, contains) in classes {
            let expected = Set(members.utf8)
            for byte in UInt8.min...UInt8.max { #expect(contains(byte) == expected.contains(byte), "\(byte)") }
        }
        for byte in UInt8.min...UInt8.max {
            let isAllowed = byte == 9 || (byte >= 0x20 && byte != 0x7F)
            #expect(ASCII.isFieldValue(byte) == isAllowed)
            // In every lane of a vector.
            for position in 0..<33 {
                var bytes = [UInt8](repeating: 0x61, count: 33)
                bytes[position] = byte
                #expect(bytes.span.isFieldValue == isAllowed)
            }
        }
    }

    @Test func `a byte is found wherever it is`() {
        for count in 0..<40 {
            for position in 0..<count {
                var bytes = [UInt8](repeating: 0x0B, count: count)
                bytes[position] = 0x0A
                for start in 0...count {
                    #expect(bytes.span.firstIndex(of: 0x0A, from: start) == (start <= position ? position : nil))
                }
            }
            let other = [UInt8](repeating: 0x8A, count: count)
            #expect(other.span.firstIndex(of: 0x0A, from: 0) == nil)
        }
    }

    @Test func `fields are written as lines, however they came and whatever was taken out between them`() throws {
        var parser = RequestParser()
        let wire = [UInt8]("GET / HTTP/1.1\r\nHost: a\r\nA: 1\r\nB:2\r\nC:  3 \r\nD:\r\nE: \r\nF: 4\r\n\r\n")
        guard case .deliverHead(let head) = try parser.step(wire.span).action else {
            Issue.record("no head")
            return
        }
        var fields = head.fields
        #expect(Self.written(fields) == "Host: a\r\nA: 1\r\nB: 2\r\nC: 3\r\nD: \r\nE: \r\nF: 4\r\n")
        fields.remove("b")
        fields.append("G", " 5 ")
        fields.append("H", "6")
        fields.append(contentsOf: ["I": "7"])
        #expect(Self.written(fields) == "Host: a\r\nA: 1\r\nC: 3\r\nD: \r\nE: \r\nF: 4\r\nG: 5\r\nH: 6\r\nI: 7\r\n")
        fields.remove("h")
        var kept: [UInt8] = []
        fields.appendEndToEnd(to: &kept, announcesTrailers: false) { $0.isIgnoringCase("f") }
        #expect(String(decoding: kept, as: UTF8.self) == "A: 1\r\nC: 3\r\nD: \r\nE: \r\nG: 5\r\nI: 7\r\n")
    }

    private static func written(_ fields: HTTPFields) -> String {
        var bytes: [UInt8] = []
        HeadWriter.appendResponse(.ok, fields: fields, framing: .none, keepsAlive: true, date: [], to: &bytes)
        return String(decoding: bytes.dropFirst("HTTP/1.1 200 OK\r\n".utf8.count).dropLast(2), as: UTF8.self)
    }
}
