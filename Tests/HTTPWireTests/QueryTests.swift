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

    private static let broken: [(String, QueryError)] = [
        ("a=%", QueryError.malformedEscape(name: "a")), ("a=%4", .malformedEscape(name: "a")),
        ("a=%zz", .malformedEscape(name: "a")), ("a=1&b=%4g&c=3", .malformedEscape(name: "b")),
        ("%zz=1", .malformedEscape(name: "%zz")), ("a=%FF", .invalidUTF8(name: "a")),
        ("a=%C3", .invalidUTF8(name: "a")),
        ("a=%ED%A0%80", .invalidUTF8(name: "a")), ("a=%C0%80", .invalidUTF8(name: "a")),
        ("%FF=a", .invalidUTF8(name: "%FF")),
        ("a&b&c&d&e", .tooManyParameters(limit: 4)),
    ]

    @Test(arguments: broken)
    func `a broken query is refused with the parameter at fault`(query: String, expected: QueryError) {
        #expect(throws: expected) { try QueryParameters(parsing: query, limit: 4) }
    }

    @Test func `parameters are found by name`() throws {
        let parameters = try QueryParameters(parsing: "a=1&b=2&a=3")
        #expect(parameters["a"] == "1")
        #expect(parameters["A"] == nil)
        #expect(parameters.values("a") == ["1", "3"])
        #expect(parameters.repeatedName == "a")
        #expect(QueryParameters().repeatedName == nil)
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
