import JSONWire
import Testing

/// What `write` makes of an empty writer.
private func written(_ write: (inout JSONWriter) -> Void) -> String {
    var writer = JSONWriter()
    write(&writer)
    return writer.description
}

@Suite struct JSONWriterTests {
    @Test func `commas stand between members and elements, and nowhere else`() {
        let text = written { writer in
            writer.beginObject()
            writer.member("a", 1)
            writer.key("b")
            writer.beginArray()
            writer.null()
            writer.beginArray()
            writer.endArray()
            writer.object { _ in }
            writer.bool(true)
            writer.endArray()
            writer.member("c", false)
            writer.key("d")
            writer.object { $0.member("e", "f") }
            writer.endObject()
        }
        #expect(text == #"{"a":1,"b":[null,[],{},true],"c":false,"d":{"e":"f"}}"#)
    }

    @Test(arguments: [
        ("", #""""#),
        ("plain", #""plain""#),
        ("quote \" and \\ back", #""quote \" and \\ back""#),
        ("\u{8}\t\n\u{C}\r", #""\b\t\n\f\r""#),
        ("\u{0}\u{1F}\u{7F}", "\"\\u0000\\u001f\u{7F}\""),
        ("é €\u{10FFFF}\u{2028}", "\"é €\u{10FFFF}\u{2028}\""),
        ("/", #""/""#),
    ])
    func `strings are escaped as RFC 8259 section 7 wants it`(text: String, expected: String) {
        #expect(written { $0.string(text) } == expected)
        #expect(written { $0.string(utf8: Array(text.utf8)) } == expected)
        #expect(written { $0.object { $0.member(text, text) } } == "{\(expected):\(expected)}")
    }

    @Test(
        arguments: [
            ([0xFF], "\u{FFFD}"), ([0x41, 0xC3], "A\u{FFFD}"), ([0xED, 0xA0, 0x80, 0x42], "\u{FFFD}\u{FFFD}\u{FFFD}B"),
        ] as [([UInt8], String)]
    )
    func `bytes that are not UTF-8 are repaired`(bytes: [UInt8], expected: String) {
        #expect(written { $0.string(utf8: bytes) } == "\"\(expected)\"")
    }

    @Test(arguments: [0, 7, 10, -1, 1_234_567_890, Int.max, Int.min])
    func `whole numbers are written in full`(value: Int) {
        #expect(written { $0.integer(value) } == String(value))
    }

    @Test func `the largest unsigned number is written in full`() {
        #expect(written { $0.integer(UInt64.max) } == "18446744073709551615")
    }

    @Test(arguments: ["0", "-0", "150.250", "100.38", "1e5", "1E+5", "1.5e-300"])
    func `number text passes digit for digit`(text: String) {
        #expect(written { $0.number(text: text) } == text)
    }

    @Test(arguments: ["", "NaN", "Infinity", "-", "01", "1.", ".5", "+1", "1e", "0x1", "1 ", "1,2"])
    func `text that is no number becomes null`(text: String) {
        #expect(written { $0.number(text: text) } == "null")
    }

    @Test(arguments: [
        (0.5, "0.5"), (1e300, "1e+300"), (-0.000001, "-1e-06"), (.infinity, "null"), (.nan, "null"),
    ])
    func `floating point numbers are written as JSON`(value: Double, expected: String) {
        #expect(written { $0.number(value) } == expected)
    }

    @Test func `raw JSON is spliced in untouched`() {
        let text = written { writer in
            writer.array { writer in
                writer.raw(Array(#"{"a" : 1.0}"#.utf8))
                writer.raw("2".utf8.span)
            }
        }
        #expect(text == #"[{"a" : 1.0},2]"#)
    }

    @Test func `a writer is reused`() {
        var writer = JSONWriter(capacity: 64)
        writer.array { $0.integer(1) }
        writer.removeAll()
        writer.array { $0.integer(2) }
        #expect(writer.take() == Array("[2]".utf8))
        writer.integer(3)
        #expect(writer.take() == Array("3".utf8))
    }

    @Test func `a writer continues a buffer`() {
        var writer = JSONWriter(appendingTo: Array("data: ".utf8))
        writer.array { $0.string("x") }
        #expect(writer.take() == Array(#"data: ["x"]"#.utf8))
    }

    @Test func `a value that was put together is encoded`() {
        let value: JSONValue = ["a": [1, "two", true], "b": ["c": .null, "d": .number("1.50")]]
        #expect(value.description == #"{"a":[1,"two",true],"b":{"c":null,"d":1.50}}"#)
    }
}
