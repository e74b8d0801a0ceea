/// An exact decimal number with a fixed count of decimals: `units` divided by ten to the power of `places`.
///
/// What money is: read from the text of a number, compared, written and stored without a binary floating point number
/// on the way.
public struct FixedDecimal: Hashable, Sendable {
    /// The most decimals, and the most digits of all.
    public static let digitsMax = 18

    /// The number without its point: 15000 for 150.00.
    public let units: Int
    /// How many decimals there are, 0 to ``digitsMax``.
    public let places: Int

    /// Puts a point before the last `places` digits of `units`.
    public init(units: Int, places: Int) {
        precondition((0...Self.digitsMax).contains(places), "a number has 0 to \(Self.digitsMax) decimals")
        self.units = units
        self.places = places
    }

    /// Reads the text of a JSON number by its value: `1.5`, `1.50`, `15e-1` and `0.15E+1` are the same.
    ///
    /// - Returns: nil for a text that is no number, for one that has more decimals that are not zero, and for one of
    ///   more than ``digitsMax`` digits; nothing is ever rounded.
    public init?(_ text: String, places: Int) {
        let bytes = text.utf8.span
        guard JSONNumber.isValid(bytes) else { return nil }
        self.init(units: 0, places: places)
        guard let units = Self.units(bytes, places: places) else { return nil }
        self.init(units: units, places: places)
    }

    private static func units(_ text: Span<UInt8>, places: Int) -> Int? {
        var position = 0
        let isNegative = text[0] == UInt8(ascii: "-")
        if isNegative { position = 1 }
        // The digits up to the last one that is not zero, and by which power of ten the last of them counts.
        var significand = 0
        var digitCount = 0
        var pendingZeros = 0
        var exponent = places
        var isFraction = false
        while position < text.count {
            let byte = text[position]
            if byte == UInt8(ascii: ".") {
                isFraction = true
            } else if byte | 0x20 == UInt8(ascii: "e") {
                break
            } else {
                if isFraction { exponent -= 1 }
                if byte == UInt8(ascii: "0") {
                    if digitCount > 0 { pendingZeros += 1 }
                } else {
                    guard digitCount + pendingZeros < digitsMax else { return nil }
                    for _ in 0..<pendingZeros { significand *= 10 }
                    significand = significand * 10 + Int(byte - UInt8(ascii: "0"))
                    digitCount += pendingZeros + 1
                    pendingZeros = 0
                }
            }
            position += 1
        }
        guard digitCount > 0 else { return 0 }
        exponent += pendingZeros + writtenExponent(text, from: position + 1)
        guard exponent >= 0, digitCount + exponent <= digitsMax else { return nil }
        for _ in 0..<exponent { significand *= 10 }
        return isNegative ? -significand : significand
    }

    /// What stands behind the `e`; 0 if nothing does. Beyond a million, which no other part of a text that fits in
    /// memory makes good, it is not counted further.
    private static func writtenExponent(_ text: Span<UInt8>, from start: Int) -> Int {
        guard start < text.count else { return 0 }
        let isSigned = text[start] == UInt8(ascii: "-") || text[start] == UInt8(ascii: "+")
        var value = 0
        for index in (isSigned ? start + 1 : start)..<text.count {
            value = min(value * 10 + Int(text[index] - UInt8(ascii: "0")), farExponent)
        }
        return text[start] == UInt8(ascii: "-") ? -value : value
    }

    private static let farExponent = 1 << 40
}

extension FixedDecimal: CustomStringConvertible {
    /// The number with all of its decimals: `150.00`, which is JSON as well.
    public var description: String {
        guard places > 0 else { return String(units) }
        var digits = String(units.magnitude)
        if digits.utf8.count <= places {
            digits = String(repeating: "0", count: places + 1 - digits.utf8.count) + digits
        }
        return "\(units < 0 ? "-" : "")\(digits.dropLast(places)).\(digits.suffix(places))"
    }
}
