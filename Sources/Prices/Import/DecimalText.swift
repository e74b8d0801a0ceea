/// The text of a decimal number: a sign if need be, digits, a point if need be; no exponent, no separators.
enum DecimalText {
    /// The most characters, so that a row stays small; PostgreSQL could keep 131,072 digits.
    static let lengthMax = 64

    /// Whether these bytes are a decimal number, such as `101.25`, `-0.5`, `.5` or `97`.
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
        return whole + fraction > 0 && end == text.count
    }
}
