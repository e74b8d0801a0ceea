/// The grammar of a JSON number (RFC 8259 §6), which is written down once, here.
///
///     number = [ "-" ] ( "0" / digit1-9 *DIGIT ) [ "." 1*DIGIT ] [ ( "e" / "E" ) [ "-" / "+" ] 1*DIGIT ]
enum JSONNumber {
    /// Why no number stands at an offset.
    struct Fault: Error {
        /// The byte that cannot be, or the end of the text.
        let offset: Int
    }

    /// True when `text` is one number and nothing else.
    static func isValid(_ text: Span<UInt8>) -> Bool {
        (try? end(in: text, from: 0)) == text.count
    }

    /// Where the number that starts at an offset ends: it is the longest one that does.
    static func end(in text: Span<UInt8>, from start: Int) throws(Fault) -> Int {
        var position = start
        if position < text.count, text[position] == UInt8(ascii: "-") { position += 1 }
        if position < text.count, text[position] == UInt8(ascii: "0") {
            position += 1
        } else {
            position = try digits(in: text, from: position)
        }
        if position < text.count, text[position] == UInt8(ascii: ".") {
            position = try digits(in: text, from: position + 1)
        }
        if position < text.count, text[position] | 0x20 == UInt8(ascii: "e") {
            position += 1
            if position < text.count, text[position] == UInt8(ascii: "-") || text[position] == UInt8(ascii: "+") {
                position += 1
            }
            position = try digits(in: text, from: position)
        }
        return position
    }

    /// The value of a number, as ``end(in:from:)`` delimits it; nil if it has a fraction or an exponent, or is beyond
    /// `Int`.
    static func integer(_ text: Span<UInt8>) -> Int? {
        let isNegative = text[0] == UInt8(ascii: "-")
        var value = 0
        for index in (isNegative ? 1 : 0)..<text.count {
            let digit = text[index] &- UInt8(ascii: "0")
            guard digit <= 9 else { return nil }
            // Towards the sign, because `Int.min` has no positive twin.
            let (product, overflows) = value.multipliedReportingOverflow(by: 10)
            let (sum, overflowsToo) =
                isNegative
                ? product.subtractingReportingOverflow(Int(digit)) : product.addingReportingOverflow(Int(digit))
            guard !overflows, !overflowsToo else { return nil }
            value = sum
        }
        return value
    }

    /// Where a run of at least one digit ends.
    private static func digits(in text: Span<UInt8>, from start: Int) throws(Fault) -> Int {
        var position = start
        while position < text.count, UInt8(ascii: "0")...UInt8(ascii: "9") ~= text[position] { position += 1 }
        guard position > start else { throw Fault(offset: position) }
        return position
    }
}
