/// A price as its provider wrote it: an exact decimal of any number of decimals that is not zero.
///
/// A price of 0 is what providers send when they have none, so there is none of it here. Equal numbers are equal,
/// however they were written: `1.50`, `1.5` and `15e-1` are one price.
public struct QuotePrice: Hashable, Sendable, CustomStringConvertible {
    /// The most digits before the point, and the most after it.
    static let digitsMax = 38

    /// The number without an exponent or zeros at its end: `150.25`, `-37.63`, `0.000012`. It is JSON, and SQL.
    public let text: String

    /// Reads the text of a JSON number; zeros may stand before it.
    ///
    /// - Returns: nil for anything else, for zero, and for what has more than ``digitsMax`` digits on one side.
    public init?(_ text: String) {
        guard let plain = Self.plain(Array(text.utf8)) else { return nil }
        self.text = plain
    }

    /// The number, as JSON writes it.
    public var description: String { text }

    /// Takes the number apart, and puts it together without an exponent.
    private static func plain(_ bytes: [UInt8]) -> String? {
        var rest = bytes[...]
        let isNegative = rest.first == UInt8(ascii: "-")
        if isNegative { rest.removeFirst() }
        var digits = takeDigits(&rest)
        guard !digits.isEmpty else { return nil }
        var point = digits.count
        if rest.first == UInt8(ascii: ".") {
            rest.removeFirst()
            let fraction = takeDigits(&rest)
            guard !fraction.isEmpty else { return nil }
            digits += fraction
        }
        guard let exponent = takeExponent(&rest), rest.isEmpty else { return nil }
        point += exponent
        while digits.last == zero { digits.removeLast() }
        let leading = digits.prefix { $0 == zero }.count
        digits.removeFirst(leading)
        point -= leading
        guard !digits.isEmpty, point <= digitsMax, digits.count - point <= digitsMax else { return nil }
        var plain: [UInt8] = isNegative ? [UInt8(ascii: "-")] : []
        plain += point > 0 ? Array(digits.prefix(point)) : [zero]
        if point > digits.count { plain += Array(repeating: zero, count: point - digits.count) }
        if point < digits.count {
            plain.append(UInt8(ascii: "."))
            if point < 0 { plain += Array(repeating: zero, count: -point) }
            plain += digits.dropFirst(max(point, 0))
        }
        return String(decoding: plain, as: UTF8.self)
    }

    private static let zero = UInt8(ascii: "0")

    private static func takeDigits(_ rest: inout ArraySlice<UInt8>) -> [UInt8] {
        let digits = rest.prefix { zero...UInt8(ascii: "9") ~= $0 }
        rest.removeFirst(digits.count)
        return Array(digits)
    }

    /// What stands behind the `e`, 0 if there is none; nil if that is not a number of up to three digits.
    private static func takeExponent(_ rest: inout ArraySlice<UInt8>) -> Int? {
        guard let mark = rest.first, mark | 0x20 == UInt8(ascii: "e") else { return 0 }
        rest.removeFirst()
        let isNegative = rest.first == UInt8(ascii: "-")
        if isNegative || rest.first == UInt8(ascii: "+") { rest.removeFirst() }
        let digits = takeDigits(&rest)
        guard (1...3).contains(digits.count), let value = Int(String(decoding: digits, as: UTF8.self)) else {
            return nil
        }
        return isNegative ? -value : value
    }
}
