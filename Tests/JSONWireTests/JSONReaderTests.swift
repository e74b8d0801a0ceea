import JSONWire
import Testing

@Suite struct JSONReaderTests {
    private enum Name: String, CaseIterable {
        case symbol, price, isOpen
    }

    private struct Quote: Equatable {
        var symbol: String?
        var price: Int?
        var isOpen: Bool?
        var unknownCount = 0
    }

    private static let names = JSONNames<Name>()

    private func quote(_ text: [UInt8], limits: JSONLimits = JSONLimits(bytes: 1000)) throws(JSONParseError) -> Quote {
        let text = text.span
        var quote = Quote()
        var reader = try JSONReader(text, limits: limits)
        var members = JSONMembers(Self.names)
        try reader.beginObject(text)
        while let name = try members.next(&reader, text) {
            switch name {
            case .symbol: quote.symbol = try reader.string(text)
            case .price: quote.price = try reader.integer(text)
            case .isOpen: quote.isOpen = try reader.bool(text)
            }
        }
        try reader.end(text)
        quote.unknownCount = members.unknownCount
        return quote
    }

    private func quote(_ text: String) throws(JSONParseError) -> Quote { try quote(Array(text.utf8)) }

    @Test(
        arguments: [
            (#"{"symbol":"A","price":150,"isOpen":true}"#, Quote(symbol: "A", price: 150, isOpen: true)),
            ("\t{ \"isOpen\" : false , \"symbol\" : \"A\" } \n", Quote(symbol: "A", isOpen: false)),
            (#"{"s\u0079mbol":"\u0041","symbo":1,"symbols":2}"#, Quote(symbol: "A", unknownCount: 2)),
            (
                #"{"":[[],{"symbol":[1,-2.5e3,null,"]"]},true],"price":-9223372036854775808}"#,
                Quote(price: .min, unknownCount: 1)
            ),
            ("{}", Quote()),
        ] as [(String, Quote)]
    )
    private func `members are told apart by name, and others are passed over`(text: String, expected: Quote) throws {
        #expect(try quote(text) == expected)
    }

    @Test(
        arguments: [
            (#"{"price":1,"price":1}"#, .duplicateName, 11), (#"{"price":1,"pric\u0065":1}"#, .duplicateName, 11),
            (#"{"price":1.0}"#, .notAnInteger, 9), (#"{"price":1e2}"#, .notAnInteger, 9),
            (#"{"price":9223372036854775808}"#, .notAnInteger, 9),
            (#"{"price":-9223372036854775809}"#, .notAnInteger, 9),
            (#"{"price":100000000000000000000000}"#, .notAnInteger, 9),
            (#"{"price":"1"}"#, .malformedNumber, 9), (#"{"price":01}"#, .unexpectedByte(0x31), 10),
            (#"{"symbol":1}"#, .unexpectedByte(0x31), 10), (#"{"symbol":null}"#, .unexpectedByte(0x6E), 10),
            (#"{"isOpen":1}"#, .unexpectedByte(0x31), 10), (#"{"isOpen":falsy}"#, .unexpectedByte(0x79), 14),
            (#"{"x":[1,]}"#, .unexpectedByte(0x5D), 8), (#"{"x":{"a":1,}}"#, .unexpectedByte(0x7D), 12),
            (#"{"x":[}}"#, .unexpectedByte(0x7D), 6), (#"{"x":1.}"#, .malformedNumber, 7),
            (#"{"x":"\q"}"#, .unknownEscape, 6), (#"{"x":nul}"#, .unexpectedByte(0x7D), 8),
            (#"{"x" 1}"#, .unexpectedByte(0x31), 5), (#"{"price" 1}"#, .unexpectedByte(0x31), 9),
            (#"{"price":1"#, .endsEarly, 10), (#"{"price"#, .endsEarly, 7), ("[]", .unexpectedByte(0x5B), 0),
            ("{}{", .trailingBytes, 2), ("", .endsEarly, 0),
        ] as [(String, JSONParseError.Reason, Int)]
    )
    func `what is not as it is read is refused with its offset`(
        text: String,
        reason: JSONParseError.Reason,
        offset: Int
    ) {
        #expect(throws: JSONParseError(reason, at: offset)) { try quote(text) }
    }

    @Test func `length and depth are limited, also of what is passed over`() throws {
        let tight = JSONLimits(bytes: 10, depth: 2)
        #expect(try quote(Array(#"{"x":[5]}"#.utf8), limits: tight).unknownCount == 1)
        #expect(throws: JSONParseError(.tooLong(limitBytes: 10), at: 10)) {
            try quote(Array(#"{"x":[500]}"#.utf8), limits: tight)
        }
        #expect(throws: JSONParseError(.tooDeep(limit: 2), at: 6)) {
            try quote(Array(#"{"x":[[]]}"#.utf8), limits: tight)
        }
    }

    @Test func `a value is passed on as it is written`() throws {
        let text = Array(#" {"a" : [1.50, "\u0041"]} "#.utf8)
        var reader = try JSONReader(text.span, limits: JSONLimits(bytes: 100))
        #expect(try reader.raw(text.span) == #"{"a" : [1.50, "\u0041"]}"#)
        try reader.end(text.span)
        let broken: [UInt8] = [0x22, 0x61, 0xFF, 0x22]
        var other = try JSONReader(broken.span, limits: JSONLimits(bytes: 100))
        #expect(throws: JSONParseError(.invalidUTF8, at: 2)) { try other.raw(broken.span) }
    }

    private func skip(_ text: [UInt8]) throws(JSONParseError) {
        var reader = try JSONReader(text.span, limits: JSONLimits(bytes: 100))
        try reader.skip(text.span)
        try reader.end(text.span)
    }

    @Test func `a value is passed over exactly when it is JSON`() {
        let text = Array(#"{"a":[1.5e3,"\u00e9x",true,{"b":null}],"c":"","d":-0}"#.utf8)
        for index in text.indices {
            for byte in UInt8.min..<0x80 {
                var mutated = text
                mutated[index] = byte
                let isJSON = (try? JSONTolerantValue(parsing: mutated, limits: JSONLimits(bytes: 100))) != nil
                #expect(((try? skip(mutated)) != nil) == isJSON)
            }
        }
    }
}
