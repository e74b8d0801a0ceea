/// The text of an instant, checked to be one: RFC 3339 §5.6, and what PostgreSQL itself prints.
///
///     2025-01-06T09:00:00Z   2025-01-06 09:00:00.25+00   2025-01-06t10:00:00.123456789+01:00
///
/// A time without a zone is refused: nobody knows which day it belongs to. So are a leap second and hour 24, because
/// PostgreSQL would carry them into the next day, and what in UTC is before the year 1 or after the year 9999, which
/// no answer could tell.
struct TimestampText: Equatable {
    enum Fault: Error, Hashable {
        case malformed
        case noZone
    }

    /// How many bytes stand before the zone that PostgreSQL can keep. Digits behind the microsecond are dropped; it
    /// would round them, and so move the last instant of a day into the next.
    let significantLength: Int
    /// How many bytes the zone has, at the end.
    let zoneLength: Int

    private static let fractionDigitsMax = 9
    private static let fractionDigitsKept = 6
    /// Of the years 1 to 9999.
    private static let minutes = 0..<3_652_059 * 1440

    init(_ text: Span<UInt8>) throws(Fault) {
        guard text.count >= 19, let date = CalendarDate(text.extracting(0..<10)), let minute = Self.minute(text) else {
            throw .malformed
        }
        var zone = 19
        var significant = 19
        if zone < text.count, text[zone] == UInt8(ascii: ".") {
            let digits = text.digitCount(from: 20)
            guard (1...Self.fractionDigitsMax).contains(digits) else { throw .malformed }
            zone = 20 + digits
            significant = 20 + min(digits, Self.fractionDigitsKept)
        }
        guard zone < text.count else { throw .noZone }
        guard let offset = Self.offset(text.extracting(zone..<text.count)),
            Self.minutes.contains(date.ordinal * 1440 + minute - offset)
        else { throw .malformed }
        significantLength = significant
        zoneLength = text.count - zone
    }

    /// The minute of the day, if `Thh:mm:ss` follows the date.
    private static func minute(_ text: Span<UInt8>) -> Int? {
        switch text[10] {
        case UInt8(ascii: "T"), UInt8(ascii: "t"), UInt8(ascii: " "): break
        default: return nil
        }
        guard text[13] == UInt8(ascii: ":"), text[16] == UInt8(ascii: ":") else { return nil }
        guard let hour = text.decimal(11..<13), let minute = text.decimal(14..<16), let second = text.decimal(17..<19),
            hour < 24, minute < 60, second < 60
        else { return nil }
        return hour * 60 + minute
    }

    /// The minutes of `Z`, `+hh`, `+hhmm` or `+hh:mm`, within the 15:59 that PostgreSQL takes.
    private static func offset(_ text: Span<UInt8>) -> Int? {
        switch text[0] {
        case UInt8(ascii: "Z"), UInt8(ascii: "z"): return text.count == 1 ? 0 : nil
        case UInt8(ascii: "+"), UInt8(ascii: "-"): break
        default: return nil
        }
        guard text.count >= 3, let hours = text.decimal(1..<3), hours < 16 else { return nil }
        var minutes: Int? = 0
        switch text.count {
        case 3: break
        case 5: minutes = text.decimal(3..<5)
        case 6: minutes = text[3] == UInt8(ascii: ":") ? text.decimal(4..<6) : nil
        default: return nil
        }
        guard let minutes, minutes < 60 else { return nil }
        return (hours * 60 + minutes) * (text[0] == UInt8(ascii: "-") ? -1 : 1)
    }
}
