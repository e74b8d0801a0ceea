/// The text of an instant, checked to be one: RFC 3339 §5.6, and what PostgreSQL itself prints.
///
///     2025-01-06T09:00:00Z   2025-01-06 09:00:00.25+00   2025-01-06t10:00:00.123456789+01:00
///
/// A time without a zone is refused: nobody knows which day it belongs to. So are a leap second and hour 24, because
/// PostgreSQL would carry them into the next day.
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

    init(_ text: Span<UInt8>) throws(Fault) {
        guard text.count >= 19, CalendarDate(text.extracting(0..<10)) != nil, Self.isTime(text) else {
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
        guard Self.isZone(text.extracting(zone..<text.count)) else { throw .malformed }
        significantLength = significant
        zoneLength = text.count - zone
    }

    /// Whether `Thh:mm:ss` follows the date.
    private static func isTime(_ text: Span<UInt8>) -> Bool {
        switch text[10] {
        case UInt8(ascii: "T"), UInt8(ascii: "t"), UInt8(ascii: " "): break
        default: return false
        }
        guard text[13] == UInt8(ascii: ":"), text[16] == UInt8(ascii: ":") else { return false }
        guard let hour = text.decimal(11..<13), let minute = text.decimal(14..<16), let second = text.decimal(17..<19)
        else { return false }
        return hour < 24 && minute < 60 && second < 60
    }

    /// Whether this is `Z`, `+hh`, `+hhmm` or `+hh:mm`, within the 15:59 that PostgreSQL takes.
    private static func isZone(_ text: Span<UInt8>) -> Bool {
        switch text[0] {
        case UInt8(ascii: "Z"), UInt8(ascii: "z"): return text.count == 1
        case UInt8(ascii: "+"), UInt8(ascii: "-"): break
        default: return false
        }
        guard text.count >= 3, let hours = text.decimal(1..<3), hours < 16 else { return false }
        switch text.count {
        case 3: return true
        case 5: return text.decimal(3..<5).map { $0 < 60 } ?? false
        case 6: return text[3] == UInt8(ascii: ":") && text.decimal(4..<6).map { $0 < 60 } ?? false
        default: return false
        }
    }
}
