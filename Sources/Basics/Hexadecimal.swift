/// Hexadecimal digits.
public enum Hexadecimal {
    /// The value of a digit; nil for another byte.
    @inline(__always)
    public static func value(_ digit: UInt8) -> UInt8? {
        let decimal = digit &- UInt8(ascii: "0")
        if decimal < 10 { return decimal }
        let letter = (digit | 0x20) &- UInt8(ascii: "a")
        return letter < 6 ? letter + 10 : nil
    }

    /// The lower-case digit of the low four bits.
    @inline(__always)
    public static func digit(_ value: UInt8) -> UInt8 {
        let value = value & 15
        return value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + (value - 10)
    }

    /// Two lower-case digits for each byte.
    public static func text(_ bytes: some Collection<UInt8>) -> String {
        var digits: [UInt8] = []
        digits.reserveCapacity(2 * bytes.count)
        for byte in bytes {
            digits.append(digit(byte >> 4))
            digits.append(digit(byte))
        }
        return String(decoding: digits, as: UTF8.self)
    }

    /// Sixteen digits.
    public static func text(_ number: UInt64) -> String {
        text((0..<8).reversed().map { UInt8(truncatingIfNeeded: number >> ($0 * 8)) })
    }

    /// Appends sixteen lower-case digits.
    public static func append(_ value: UInt64, to bytes: inout [UInt8]) {
        bytes.append(addingCapacity: 16) { append(value, to: &$0) }
    }

    /// Appends sixteen lower-case digits; traps where they have no room.
    public static func append(_ value: UInt64, to text: inout OutputSpan<UInt8>) {
        text.append(highestFirst: eightDigits(UInt32(truncatingIfNeeded: value >> 32)))
        text.append(highestFirst: eightDigits(UInt32(truncatingIfNeeded: value)))
    }

    /// The lower-case digits of a number, made all at once, one in each byte; the first one is highest.
    private static func eightDigits(_ value: UInt32) -> UInt64 {
        var word = UInt64(value)
        word = (word | word << 16) & 0x0000_FFFF_0000_FFFF
        word = (word | word << 8) & 0x00FF_00FF_00FF_00FF
        word = (word | word << 4) & 0x0F0F_0F0F_0F0F_0F0F
        // From ten on, adding six makes a digit carry into the upper half of its byte; letters lie 39 above.
        let letters = (word &+ 0x0606_0606_0606_0606) >> 4 & 0x0101_0101_0101_0101
        return word &+ 0x3030_3030_3030_3030 &+ letters &* 39
    }

    /// Reads a range of lower-case digits, at most 16; nil for anything else.
    public static func lowerCaseValue(_ text: Span<UInt8>, _ range: Range<Int>) -> UInt64? {
        var value: UInt64 = 0
        for index in range {
            guard !(UInt8(ascii: "A")...UInt8(ascii: "F")).contains(text[index]), let digit = Self.value(text[index])
            else { return nil }
            value = value << 4 | UInt64(digit)
        }
        return value
    }
}
