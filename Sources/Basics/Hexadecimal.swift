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

    /// Appends the lower-case text of the lowest `digits` digits.
    public static func append(_ value: UInt64, digits: Int, to bytes: inout [UInt8]) {
        bytes.append(addingCapacity: digits) { output in
            for position in (0..<digits).reversed() {
                output.append(digit(UInt8(truncatingIfNeeded: value >> (position * 4))))
            }
        }
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
