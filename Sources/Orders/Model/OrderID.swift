internal import Basics
internal import JSONWire

/// The name of an order: a UUID of version 7, which begins with the time, so that ids sort by age.
struct OrderID: Hashable, Sendable {
    private let uuid: UUIDVersion7

    fileprivate init(milliseconds: UInt64, counter: UInt64, random: UInt64) {
        uuid = UUIDVersion7(milliseconds: milliseconds, counter: counter, random: random)
    }

    /// Reads the usual text form, 36 characters with hexadecimal digits of either case; nil for anything else.
    init?(_ text: String) {
        guard let uuid = UUIDVersion7(text.utf8.span) else { return nil }
        self.uuid = uuid
    }

    /// When it was made, to the millisecond.
    var createdAt: Timestamp { Timestamp(unixTime: .milliseconds(Int64(uuid.milliseconds))) }
}

extension OrderID: CustomStringConvertible {
    /// The usual text form, in lower case.
    var description: String { uuid.description }
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
