/// The text of a decimal number: digits, and if need be a sign, a point and a power of ten; no separators.
enum DecimalText {
    /// The most characters, and the most digits on either side of the point once a power of ten is written out, so that
    /// a row stays small; PostgreSQL could keep 131,072 digits.
    static let lengthMax = 64

    /// Whether these bytes are a decimal number, such as `101.25`, `-0.5`, `.5`, `97` or `1e-05`, which is as exact as
    /// any other: PostgreSQL makes 0.00001 of it.
    static func isValid(_ text: Span<UInt8>) -> Bool {
        guard (1...lengthMax).contains(text.count) else { return false }
        let isSigned = text[0] == UInt8(ascii: "-") || text[0] == UInt8(ascii: "+")
        let wholeStart = isSigned ? 1 : 0
        let whole = text.digitCount(from: wholeStart)
        var end = wholeStart + whole
        var fraction = 0
        if end < text.count, text[end] == UInt8(ascii: ".") {
            fraction = text.digitCount(from: end + 1)
            end += 1 + fraction
        }
        guard whole + fraction > 0 else { return false }
        guard end < text.count else { return true }
        guard let exponent = exponent(text, from: end) else { return false }
        return whole + exponent <= lengthMax && fraction - exponent <= lengthMax
    }

    /// Reads the rest of the text, which must be `e`, a sign if need be, and one to three digits.
    private static func exponent(_ text: Span<UInt8>, from start: Int) -> Int? {
        guard text[start] == UInt8(ascii: "e") || text[start] == UInt8(ascii: "E") else { return nil }
        var first = start + 1
        guard first < text.count else { return nil }
        let isNegative = text[first] == UInt8(ascii: "-")
        if isNegative || text[first] == UInt8(ascii: "+") { first += 1 }
        guard (1...3).contains(text.count - first), let digits = text.decimal(first..<text.count) else { return nil }
        return isNegative ? -digits : digits
    }
}
