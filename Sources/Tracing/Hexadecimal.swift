/// Lower-case hexadecimal text of identifiers.
package enum Hexadecimal {
    /// Appends the `digits` lowest digits of `value`.
    package static func append(_ value: UInt64, digits: Int, to bytes: inout [UInt8]) {
        bytes.append(addingCapacity: digits) { output in
            for position in (0..<digits).reversed() {
                let digit = UInt8(truncatingIfNeeded: value >> (position * 4) & 0xf)
                output.append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
            }
        }
    }

    /// Reads a range of lower-case digits, at most 16; nil for anything else.
    package static func value(_ text: Span<UInt8>, _ range: Range<Int>) -> UInt64? {
        var value: UInt64 = 0
        for index in range {
            let character = text[index]
            switch character {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = value << 4 | UInt64(character - UInt8(ascii: "0"))
            case UInt8(ascii: "a")...UInt8(ascii: "f"): value = value << 4 | UInt64(character - UInt8(ascii: "a") + 10)
            default: return nil
            }
        }
        return value
    }
}
