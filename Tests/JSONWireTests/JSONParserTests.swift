import JSONWire
import Testing

private let limits = JSONLimits(bytes: 100_000, depth: 64)

private func parse(_ text: String) throws(JSONParseError) -> JSONValue {
    try JSONValue(parsing: text, limits: limits)
}

/// What is accepted, and what is refused at which byte: the kinds of cases of JSONTestSuite's `y_` and `n_` files.
@Suite struct JSONParserTests {
    @Test(
        arguments: [
            ("null", .null), (" true ", true), ("\t\r\nfalse\n", false), (#""""#, ""), ("[]", []), ("{}", [:]),
            ("[ ]", []), ("{ }", [:]), ("[null,1,\"1\",{}]", [.null, 1, "1", [:]]), ("[[[]]]", [[[]]]),
            (#"{"a":1}"#, ["a": 1]), (#"{"":0}"#, ["": 0]),
            (#"{ "a" : { "b" : [ ] } , "c" : 2 }"#, ["a": ["b": []], "c": 2]),
            (#"{"a\u0000b":1}"#, ["a\0b": 1]), ("[2] ", [2]), ("[1\n,1\n,23.7]", [1, 1, .number("23.7")]),
        ] as [(String, JSONValue)]
    )
    func `well-formed structures are taken`(text: String, expected: JSONValue) throws {
        #expect(try parse(text) == expected)
    }

    @Test(arguments: [
        "0", "-0", "1", "-1", "123", "0.5", "-123.456", "1.0", "20e1", "0e1", "0e+1", "1E22", "1E-2", "1E+2", "123e65",
        "123.456e78", "-0.000000000000000000000000000000000000000000000000000000000000000000000000000001",
        "100000000000000000000000000000000000000000000", "1e999999999",
    ])
    func `numbers keep their text`(text: String) throws {
        #expect(try parse(text) == .number(text))
        #expect(try parse("[\(text),\(text)]") == [.number(text), .number(text)])
    }

    @Test(arguments: [
        (#""a""#, "a"), (#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{C}\n\r\t"), (#""\u0041\u00e9\u20AC""#, "Aé€"),
        (#""\uD801\udc37""#, "\u{10437}"), (#""\ud83d\ude39\ud83d\udc8d""#, "😹💍"), (#""x\u0000y""#, "x\0y"),
        (#""\uFFFF\u2028""#, "\u{FFFF}\u{2028}"), ("\"é€😀\"", "é€😀"), ("\"\u{7F}\"", "\u{7F}"),
        (#""a\\u0041""#, #"a\u0041"#), ("\"\u{2028}\\n\u{2029}\"", "\u{2028}\n\u{2029}"), (#""\\""#, "\\"),
        (#""é\né""#, "é\né"), (#""\uDBFF\uDFFE""#, "\u{10FFFE}"),
    ])
    func `strings are unescaped`(text: String, expected: String) throws {
        let string = try #require(try parse(text).string)
        #expect(Array(string.utf8) == Array(expected.utf8))
    }

    @Test(
        arguments: [
            ("", .endsEarly, 0), (" ", .endsEarly, 1), ("[", .endsEarly, 1), ("[1", .endsEarly, 2),
            ("[1,", .endsEarly, 3),
            ("{", .endsEarly, 1), (#"{"a""#, .endsEarly, 4), (#"{"a":"#, .endsEarly, 5), (#"{"a":1"#, .endsEarly, 6),
            ("\"a", .endsEarly, 2), ("tru", .endsEarly, 3), ("nul", .endsEarly, 3), ("-", .endsEarly, 1),
            ("1.", .endsEarly, 2), ("1e", .endsEarly, 2), ("1e+", .endsEarly, 3), (#""\u00A"#, .endsEarly, 6),
            ("\"\\", .endsEarly, 2),
            ("[1 true]", .unexpectedByte(0x74), 3), ("[,1]", .unexpectedByte(0x2C), 1),
            ("[1,]", .unexpectedByte(0x5D), 3),
            ("[1,,2]", .unexpectedByte(0x2C), 3), ("[}", .unexpectedByte(0x7D), 1), ("[1}", .unexpectedByte(0x7D), 2),
            ("['a']", .unexpectedByte(0x27), 1), ("{a:1}", .unexpectedByte(0x61), 1),
            ("{1:1}", .unexpectedByte(0x31), 1),
            (#"{"a" 1}"#, .unexpectedByte(0x31), 5), (#"{"a":1,}"#, .unexpectedByte(0x7D), 7),
            (#"{"a":1 "b":2}"#, .unexpectedByte(0x22), 7), (#"{,"a":1}"#, .unexpectedByte(0x2C), 1),
            (#"{"a"::1}"#, .unexpectedByte(0x3A), 5), (#"{"a":}"#, .unexpectedByte(0x7D), 5),
            ("nan", .unexpectedByte(0x61), 1), ("NaN", .unexpectedByte(0x4E), 0),
            ("Infinity", .unexpectedByte(0x49), 0),
            ("True", .unexpectedByte(0x54), 0), ("+1", .unexpectedByte(0x2B), 0), (".5", .unexpectedByte(0x2E), 0),
            ("[1/* c */]", .unexpectedByte(0x2F), 2), ("// c\n1", .unexpectedByte(0x2F), 0),
            ("\u{C}1", .unexpectedByte(0x0C), 0), ("\u{A0}1", .unexpectedByte(0xC2), 0),
            ("[\u{B}]", .unexpectedByte(0x0B), 1),
            ("\u{FEFF}1", .unexpectedByte(0xEF), 0), ("\0", .unexpectedByte(0), 0), ("]", .unexpectedByte(0x5D), 0),
            ("1 2", .trailingBytes, 2), ("[]]", .trailingBytes, 2), ("{}#", .trailingBytes, 2),
            ("01", .trailingBytes, 1),
            ("-01", .trailingBytes, 2), ("1a", .trailingBytes, 1), ("0x42", .trailingBytes, 1),
            ("truee", .trailingBytes, 4),
            ("2.3.4", .trailingBytes, 3), ("null\0", .trailingBytes, 4), ("1e5e5", .trailingBytes, 3),
            ("-a", .malformedNumber, 1), ("--1", .malformedNumber, 1), ("1.a", .malformedNumber, 2),
            ("1.e1", .malformedNumber, 2),
            ("1ea", .malformedNumber, 2), ("1e1.", .trailingBytes, 3), ("[-]", .malformedNumber, 2),
            ("[1.]", .malformedNumber, 3),
            ("-Infinity", .malformedNumber, 1), ("1e++1", .malformedNumber, 3),
            ("\"a\nb\"", .controlCharacter, 2), ("\"\t\"", .controlCharacter, 1), ("\"\0\"", .controlCharacter, 1),
            ("\"\\n\u{1F}\"", .controlCharacter, 3),
            (#""\x41""#, .unknownEscape, 1), (#""\'""#, .unknownEscape, 1), (#""ab\U0041""#, .unknownEscape, 3),
            (#""\uZZZZ""#, .unknownEscape, 3), (#""\u00""#, .unknownEscape, 5), (#""\u+123""#, .unknownEscape, 3),
            (#""\ud800""#, .loneSurrogate, 1), (#""\ud800x""#, .loneSurrogate, 1), (#""\ud800\n""#, .loneSurrogate, 1),
            (#""\udc00""#, .loneSurrogate, 1), (#""\ud800\ud800""#, .loneSurrogate, 1),
            (#""\ud800\u0041""#, .loneSurrogate, 1),
            (#""a\udFAA""#, .loneSurrogate, 2),
            (#"{"a":1,"a":2}"#, .duplicateName, 7), (#"{"a":1,"\u0061":2}"#, .duplicateName, 7),
            (#"[{"b":{"a":1,"c":2,"a":1}}]"#, .duplicateName, 19),
        ] as [(String, JSONParseError.Reason, Int)]
    )
    func `malformed text is refused with its offset`(text: String, reason: JSONParseError.Reason, offset: Int) {
        #expect(throws: JSONParseError(reason, at: offset)) { try parse(text) }
    }

    @Test(
        arguments: [
            ([0x22, 0xFF, 0x22], 1), ([0x22, 0x61, 0xC3, 0x22], 2), ([0x22, 0xC0, 0x80, 0x22], 1),
            ([0x22, 0xED, 0xA0, 0x80, 0x22], 1), ([0x22, 0xF4, 0x90, 0x80, 0x80, 0x22], 1),
            ([0x22, 0xE2, 0x82, 0x22], 1),
            ([0x22, 0x5C, 0x6E, 0xFF, 0x22], 1),
        ] as [([UInt8], Int)]
    )
    func `bytes that are not UTF-8 are refused`(text: [UInt8], offset: Int) {
        #expect(throws: JSONParseError(.invalidUTF8, at: offset)) { try JSONValue(parsing: text, limits: limits) }
    }

    @Test func `names that only look the same are different names`() throws {
        let value = try parse("{\"\u{E9}\":1,\"e\u{301}\":2}")
        #expect(value["\u{E9}"]?.integer == 1)
        #expect(value["e\u{301}"]?.integer == 2)
    }

    @Test(arguments: [2, 15, 16, 17, 18, 200])
    func `a repeated name is found in objects of any size`(count: Int) throws {
        let members = (0..<count).map { #""n\#($0)":\#($0)"# }
        let value = try parse("{\(members.joined(separator: ","))}")
        #expect(value.object?.members.count == count)
        #expect(value["n\(count - 1)"]?.integer == count - 1)
        for repeated in [0, count / 2, count - 1] {
            #expect(throws: JSONParseError.self) {
                try parse("{\(members.joined(separator: ",")),\"n\(repeated)\":0}")
            }
        }
    }

    @Test func `depth is limited and deep text does not exhaust the stack`() throws {
        let deepest = String(repeating: "[", count: 64) + String(repeating: "]", count: 64)
        _ = try parse(deepest)
        #expect(throws: JSONParseError(.tooDeep(limit: 64), at: 64)) { try parse("[" + deepest + "]") }
        #expect(throws: JSONParseError(.tooDeep(limit: 64), at: 320)) {
            try parse(String(repeating: #"{"a":"#, count: 10_000))
        }
    }

    @Test func `length is limited`() throws {
        let tight = JSONLimits(bytes: 4)
        #expect(try JSONValue(parsing: "[12]", limits: tight) == [12])
        #expect(throws: JSONParseError(.tooLong(limitBytes: 4), at: 4)) {
            try JSONValue(parsing: "[123]", limits: tight)
        }
    }

    @Test func `every cut of a text is refused and every text survives a round trip`() throws {
        let text = #"{"id":"a\u00e9\n","n":-1.50e3,"list":[true,false,null,{"x":{}}],"s":"€"}"#
        let value = try parse(text)
        #expect(try parse(value.description) == value)
        let bytes = Array(text.utf8)
        for count in 0..<bytes.count {
            #expect(throws: JSONParseError.self) { try JSONValue(parsing: Array(bytes[..<count]), limits: limits) }
        }
    }

    @Test func `any byte in any place is taken or refused, never fatal`() {
        let text = Array(#"{"a":[1.5e3,"\u00e9x",true,{"b":null}],"c":""}"#.utf8)
        for index in text.indices {
            for byte in UInt8.min...UInt8.max {
                var mutated = text
                mutated[index] = byte
                guard let value = try? JSONValue(parsing: mutated, limits: limits) else { continue }
                #expect((try? JSONValue(parsing: value.encoded, limits: limits)) == value)
            }
        }
    }
}

@Suite struct JSONValueTests {
    @Test(
        arguments: [
            ("1", 1), ("-0", 0), ("9223372036854775807", .max), ("-9223372036854775808", .min),
            ("9223372036854775808", nil),
            ("1.0", nil), ("1e2", nil), (#""1""#, nil), ("null", nil),
        ] as [(String, Int?)]
    )
    func `integers are whole and fit`(text: String, expected: Int?) throws {
        #expect(try parse(text).integer == expected)
    }

    @Test func `accessors answer for their own kind only`() throws {
        let value = try parse(#"{"s":"x","n":1.50,"b":true,"z":null,"a":[1],"o":{"k":2}}"#)
        #expect(value["s"]?.string == "x")
        #expect(value["n"]?.numberText == "1.50")
        #expect(value["n"]?.double == 1.5)
        #expect(value["b"]?.bool == true)
        #expect(value["z"]?.isNull == true)
        #expect(value["a"]?.array == [1])
        #expect(value["o"]?["k"]?.integer == 2)
        #expect(value["missing"] == nil)
        #expect(value["s"]?["k"] == nil)
        #expect(value["s"]?.bool == nil)
        #expect(value["n"]?.string == nil)
    }
}
