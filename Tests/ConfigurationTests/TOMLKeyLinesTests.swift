import Testing

@testable import Configuration

@Suite struct TOMLKeyLinesTests {
    private static let text = #"""
        # a comment with [brackets] and key = value
        top = 1

        [server]            # the header
        listen = [          # several lines
          "a = 1",          # a string that looks like a key
          'b = [',
        ]
        "quoted key" = 1
        'literal' . nested = 2
        text = """
        inside = 1
        [inside]
        \""" still = 2
        """
        raw = '''
        other = 3 ''''
        inline = { one = 1, two = { three = "}" }, four = [ { five = 5 } ] }
        after = true

        [a.b . "c.d"]
        key = 1979-05-27T07:32:00Z
        [[routes]]
        prefix = "/"
        [[routes]]
        prefix = "/other"
        """#

    @Test(arguments: [
        (["top"], 2), (["server"], 4), (["server", "listen"], 5), (["server", "quoted key"], 9),
        (["server", "literal", "nested"], 10), (["server", "literal"], 10), (["server", "text"], 11),
        (["server", "raw"], 16), (["server", "inline"], 18), (["server", "inline", "one"], 18),
        (["server", "inline", "two", "three"], 18), (["server", "inline", "four", "five"], 18),
        (["server", "after"], 19), (["a"], 21), (["a", "b"], 21), (["a", "b", "c.d"], 21),
        (["a", "b", "c.d", "key"], 22), (["routes"], 23), (["routes", "prefix"], 24),
        (["routes", "[1]"], 23), (["routes", "[2]"], 25), (["routes", "[2]", "prefix"], 26),
        (["server", "inline", "four", "[1]", "five"], 18),
    ])
    func `each key is found on its line`(path: [String], line: Int) {
        #expect(TOMLKeyLines(of: Self.text)[path] == line)
        // Line ends of Windows change nothing.
        let windows = Self.text.split(separator: "\n", omittingEmptySubsequences: false).joined(separator: "\r\n")
        #expect(TOMLKeyLines(of: windows)[path] == line)
    }

    @Test(arguments: [
        ["inside"], ["server", "inside"], ["server", "still"], ["server", "other"], ["server", "a"], ["key"],
    ])
    func `what only looks like a key is none`(path: [String]) {
        #expect(TOMLKeyLines(of: Self.text)[path] == nil)
    }

    @Test func `it comes to an end on any text`() {
        let bytes = Array(Self.text.utf8)
        for count in bytes.indices {
            _ = TOMLKeyLines(of: String(decoding: bytes[..<count], as: UTF8.self))
            _ = TOMLKeyLines(of: String(decoding: bytes[count...], as: UTF8.self))
        }
        for text in ["[[[[", "{{{{", "a={,,,]", "a=[{]}", "\"", "'''", "=", "]", "a.b.c", "a=[}}}", "a={a={a={"] {
            _ = TOMLKeyLines(of: text)
        }
    }
}
