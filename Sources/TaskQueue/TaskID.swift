internal import Basics

/// The name of one task, from its submission to the end of its result: a UUID of version 7.
///
/// Version 7 begins with the time, so that ids sort by age. It keeps its id when it is retried or replayed.
///
/// - SeeAlso: RFC 9562 §5.7.
public struct TaskID: Hashable, Sendable {
    private let high: UInt64
    private let low: UInt64

    /// Makes an id.
    ///
    /// - Parameter unixTime: Time since 1970-01-01T00:00:00Z; milliseconds of it are kept.
    public init(unixTime: Duration, using generator: inout some RandomNumberGenerator) {
        let milliseconds = UInt64(clamping: unixTime.wholeMilliseconds) & 0xFFFF_FFFF_FFFF
        high = milliseconds << 16 | 0x7000 | generator.next() & 0x0FFF
        low = 0x8000_0000_0000_0000 | generator.next() >> 2
    }

    /// Reads the usual text form, 36 characters with hexadecimal digits of either case; nil for anything else.
    public init?(_ text: String) {
        self.init(text.utf8.span)
    }

    /// Reads the usual text form from bytes.
    init?(_ text: Span<UInt8>) {
        guard text.count == 36 else { return nil }
        var words: (UInt64, UInt64) = (0, 0)
        for index in text.indices {
            let byte = text[index]
            if index == 8 || index == 13 || index == 18 || index == 23 {
                guard byte == UInt8(ascii: "-") else { return nil }
                continue
            }
            guard let digit = Self.value(ofHexDigit: byte) else { return nil }
            if index < 18 { words.0 = words.0 << 4 | digit } else { words.1 = words.1 << 4 | digit }
        }
        (high, low) = words
    }

    private static func value(ofHexDigit byte: UInt8) -> UInt64? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt64(byte - UInt8(ascii: "0"))
        case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt64(byte - UInt8(ascii: "a") + 10)
        case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt64(byte - UInt8(ascii: "A") + 10)
        default: nil
        }
    }
}

extension TaskID: CustomStringConvertible {
    /// Length of the usual text form.
    static let textBytes = 36

    /// The usual text form, in lower case.
    public var description: String {
        var text: [UInt8] = []
        text.reserveCapacity(Self.textBytes)
        append(to: &text)
        return String(decoding: text, as: UTF8.self)
    }

    /// Appends the usual text form, in lower case.
    func append(to text: inout [UInt8]) {
        text.append(addingCapacity: Self.textBytes) { output in
            for nibble in 0..<32 {
                if nibble == 8 || nibble == 12 || nibble == 16 || nibble == 20 { output.append(UInt8(ascii: "-")) }
                let word = nibble < 16 ? high : low
                let digit = UInt8(truncatingIfNeeded: word >> UInt64(60 - nibble % 16 * 4) & 0xF)
                output.append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
            }
        }
    }
}
