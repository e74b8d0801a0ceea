/// A UUID that begins with the time, so that those made later sort later.
///
/// - SeeAlso: RFC 9562 §5.7.
public struct UUIDVersion7: Hashable, Sendable {
    private let high: UInt64
    private let low: UInt64

    /// Makes one.
    ///
    /// - Parameters:
    ///   - milliseconds: Since 1970-01-01T00:00:00Z; the low 48 bits are kept.
    ///   - counter: What is random, or orders those of one millisecond; the low 12 bits are kept.
    ///   - random: All but two bits are kept.
    public init(milliseconds: UInt64, counter: UInt64, random: UInt64) {
        high = milliseconds << 16 | 0x7000 | counter & 0x0FFF
        low = 0x8000_0000_0000_0000 | random >> 2
    }

    /// Reads the usual text form of any UUID, with hexadecimal digits of either case; nil for anything else.
    public init?(_ text: Span<UInt8>) {
        guard text.count == Self.textBytes else { return nil }
        var words: (high: UInt64, low: UInt64) = (0, 0)
        for index in text.indices {
            if index == 8 || index == 13 || index == 18 || index == 23 {
                guard text[index] == UInt8(ascii: "-") else { return nil }
                continue
            }
            guard let digit = Hexadecimal.value(text[index]).map({ UInt64($0) }) else { return nil }
            if index < 18 { words.high = words.high << 4 | digit } else { words.low = words.low << 4 | digit }
        }
        (high, low) = words
    }

    /// When it was made.
    public var milliseconds: UInt64 { high >> 16 }

    /// Length of the usual text form.
    public static let textBytes = 36

    /// Appends the usual text form, in lower case.
    public func append(to text: inout [UInt8]) {
        text.append(addingCapacity: Self.textBytes) { output in
            for nibble in 0..<32 {
                if nibble == 8 || nibble == 12 || nibble == 16 || nibble == 20 { output.append(UInt8(ascii: "-")) }
                let word = nibble < 16 ? high : low
                output.append(Hexadecimal.digit(UInt8(truncatingIfNeeded: word >> UInt64(60 - nibble % 16 * 4))))
            }
        }
    }
}

extension UUIDVersion7: CustomStringConvertible {
    /// The usual text form, in lower case.
    public var description: String {
        var text: [UInt8] = []
        text.reserveCapacity(Self.textBytes)
        append(to: &text)
        return String(decoding: text, as: UTF8.self)
    }
}
