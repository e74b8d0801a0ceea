internal import JSONWire

/// The name of an order: a UUID of version 7, which begins with the time, so that ids sort by age.
///
/// - SeeAlso: RFC 9562 §5.7.
struct OrderID: Hashable, Sendable {
    private let high: UInt64
    private let low: UInt64

    fileprivate init(milliseconds: UInt64, counter: UInt64, random: UInt64) {
        high = milliseconds << 16 | 0x7000 | counter & 0x0FFF
        low = 0x8000_0000_0000_0000 | random >> 2
    }

    /// Reads the usual text form, 36 characters with hexadecimal digits of either case; nil for anything else.
    init?(_ text: String) {
        let bytes = text.utf8.span
        guard bytes.count == 36 else { return nil }
        var words: (high: UInt64, low: UInt64) = (0, 0)
        for index in bytes.indices {
            if index == 8 || index == 13 || index == 18 || index == 23 {
                guard bytes[index] == UInt8(ascii: "-") else { return nil }
                continue
            }
            guard let digit = Self.value(ofHexDigit: bytes[index]) else { return nil }
            if index < 18 { words.high = words.high << 4 | digit } else { words.low = words.low << 4 | digit }
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

    /// When it was made, to the millisecond.
    var createdAt: Timestamp { Timestamp(unixTime: .milliseconds(Int64(high >> 16))) }
}

extension OrderID: CustomStringConvertible {
    /// The usual text form, in lower case.
    var description: String {
        var text: [UInt8] = []
        text.reserveCapacity(36)
        for nibble in 0..<32 {
            if nibble == 8 || nibble == 12 || nibble == 16 || nibble == 20 { text.append(UInt8(ascii: "-")) }
            let word = nibble < 16 ? high : low
            let digit = UInt8(truncatingIfNeeded: word >> UInt64(60 - nibble % 16 * 4) & 0xF)
            text.append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
        }
        return String(decoding: text, as: UTF8.self)
    }
}

/// Makes ids of which each is above the one before, also within a millisecond and when the clock is set back.
struct OrderIDSource {
    private var milliseconds: UInt64 = 0
    private var counter: UInt64 = 0

    /// - Parameter unixTime: Time since 1970-01-01T00:00:00Z.
    mutating func next(unixTime: Duration, using random: inout some RandomNumberGenerator) -> OrderID {
        let now =
            UInt64(clamping: unixTime.components.seconds) * 1000
            + UInt64(unixTime.components.attoseconds / 1_000_000_000_000_000)
        if now > milliseconds {
            milliseconds = now
            // From the lower half, so that there is room to count (RFC 9562 §6.2, method 1).
            counter = random.next() & 0x07FF
        } else if counter < 0x0FFF {
            counter += 1
        } else {
            milliseconds += 1
            counter = 0
        }
        return OrderID(milliseconds: milliseconds, counter: counter, random: random.next())
    }
}
