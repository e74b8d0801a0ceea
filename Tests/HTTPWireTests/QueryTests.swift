import HTTPWire
import Testing

@Suite struct QueryTests {
    private static let readable: [(String, [String])] = [
        ("", []), ("a=b", ["a=b"]), ("a=b&c=d", ["a=b", "c=d"]), ("a", ["a="]), ("a=", ["a="]), ("=b", ["=b"]),
        ("a=b=c", ["a=b=c"]), ("a=1&&b=2&", ["a=1", "b=2"]), ("a+b=c+d", ["a b=c d"]), ("%61=%62%2b", ["a=b+"]),
        ("a=%C3%A4", ["a=ä"]), ("a=1&a=2", ["a=1", "a=2"]), ("a=%26%3D", ["a=&="]), ("a=b;c", ["a=b;c"]),
    ]

    @Test(arguments: readable)
    func `a query is read`(query: String, expected: [String]) throws {
        #expect(try QueryParameters(parsing: query).all.map { "\($0.name)=\($0.value)" } == expected)
    }

    private static let broken: [(String, [String])] = [
        ("a=%", ["a malformedEscape"]), ("a=%4", ["a malformedEscape"]), ("a=%zz", ["a malformedEscape"]),
        ("a=1&b=%4g&c=3", ["a", "b malformedEscape", "c"]), ("%zz=1", ["%zz malformedEscape"]),
        ("a=%FF", ["a invalidUTF8"]), ("a=%C3&b=%", ["a invalidUTF8", "b malformedEscape"]),
        ("a=%ED%A0%80", ["a invalidUTF8"]), ("a=%C0%80", ["a invalidUTF8"]), ("%FF=a", ["%FF invalidUTF8"]),
    ]

    @Test(arguments: broken)
    func `each parameter has its own fault, and hides no other`(query: String, expected: [String]) throws {
        let found = try QueryParameters(parsing: query).all.map { parameter in
            parameter.name + (parameter.fault.map { " \($0)" } ?? "")
        }
        #expect(found == expected)
    }

    @Test func `a query of too many parameters is not read`() {
        #expect(throws: QueryError.tooManyParameters(limit: 4)) { try QueryParameters(parsing: "a&b&c&d&e", limit: 4) }
    }

    @Test func `parameters are found by name`() throws {
        let parameters = try QueryParameters(parsing: "a=1&b=2&a=3")
        #expect(parameters["a"] == "1")
        #expect(parameters["A"] == nil)
        #expect(parameters.values("a") == ["1", "3"])
    }

    @Test func `what is encoded is decoded to itself`() throws {
        for text in ["", "a b", "a+b&c=d%", "ä€😀\u{0}", "/?#[]@!$'()*,;:"] {
            #expect(try PercentEncoding.decodePath(PercentEncoding.encode(text)) == text)
        }
        #expect(PercentEncoding.encode("a b+ä~") == "a%20b%2B%C3%A4~")
        #expect(try PercentEncoding.decodePath("a+b") == "a+b")
    }

    @Test func `a request gives the parameters of its query`() throws {
        var parser = RequestParser()
        let wire = [UInt8]("GET /a?b=%63&d HTTP/1.1\r\nHost: a\r\n\r\n")
        guard case .deliverHead(let head) = try parser.step(wire.span).action else {
            Issue.record("no head")
            return
        }
        #expect(try head.queryParameters().all.map(\.value) == ["c", ""])
        #expect(throws: QueryError.tooManyParameters(limit: 1)) { try head.queryParameters(limit: 1) }
    }
}
