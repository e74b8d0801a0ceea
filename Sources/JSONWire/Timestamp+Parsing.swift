internal import Basics

extension Timestamp {
    /// Reads a moment as RFC 3339 §5.6 writes it, with any offset: `2025-01-06T09:30:00Z`, or the same moment as
    /// `2025-01-06t10:30:00.0+01:00`.
    ///
    /// - Returns: nil for anything else: for a time without an offset, a day or an hour that does not exist, a leap
    ///   second, more than nine decimals of the second, and what in UTC is before the year 1 or after the year 9999.
    public init?(_ text: String) {
        let text = text.utf8.span
        guard let zone = Self.zoneStart(text), let offset = Self.offsetMinutes(text.extracting(zone..<text.count)),
            let date = Self.date(text),
            let hour = text.number(11..<13), let minute = text.number(14..<16), let second = text.number(17..<19),
            hour < 24, minute < 60, second < 60
        else { return nil }
        var nanoseconds = 0
        if zone > 19 {
            guard let fraction = text.number(20..<zone) else { return nil }
            nanoseconds = fraction
            for _ in (zone - 20)..<9 { nanoseconds *= 10 }
        }
        let minutes = date.daysSince1970 * 1440 + hour * 60 + minute - offset
        let seconds = minutes * 60 + second
        guard Self.secondsRange.contains(seconds) else { return nil }
        self.init(unixTime: .seconds(seconds) + .nanoseconds(nanoseconds))
    }

    /// Where the offset starts, if what is before it has the form `YYYY-MM-DDThh:mm:ss[.f]`.
    private static func zoneStart(_ text: Span<UInt8>) -> Int? {
        guard text.count >= 20, text[4] == UInt8(ascii: "-"), text[7] == UInt8(ascii: "-"),
            text[10] | 0x20 == UInt8(ascii: "t"), text[13] == UInt8(ascii: ":"), text[16] == UInt8(ascii: ":")
        else { return nil }
        guard text[19] == UInt8(ascii: ".") else { return 19 }
        var end = 20
        while end < text.count, UInt8(ascii: "0")...UInt8(ascii: "9") ~= text[end] { end += 1 }
        return (21...29).contains(end) && end < text.count ? end : nil
    }

    /// `Z`, `+hh:mm` or `-hh:mm`, in minutes.
    private static func offsetMinutes(_ zone: Span<UInt8>) -> Int? {
        if zone.count == 1 { return zone[0] | 0x20 == UInt8(ascii: "z") ? 0 : nil }
        guard zone.count == 6, zone[0] == UInt8(ascii: "+") || zone[0] == UInt8(ascii: "-"),
            zone[3] == UInt8(ascii: ":"), let hours = zone.number(1..<3), let minutes = zone.number(4..<6),
            hours < 24, minutes < 60
        else { return nil }
        let offset = hours * 60 + minutes
        return zone[0] == UInt8(ascii: "-") ? -offset : offset
    }

    private static func date(_ text: Span<UInt8>) -> CivilDay? {
        guard let year = text.number(0..<4), let month = text.number(5..<7), let day = text.number(8..<10) else {
            return nil
        }
        return CivilDay(year: year, month: month, day: day)
    }
}

extension Span<UInt8> {
    /// The number that the digits in `range` spell; nil if one of them is none.
    fileprivate func number(_ range: Range<Int>) -> Int? {
        var value = 0
        for index in range {
            guard UInt8(ascii: "0")...UInt8(ascii: "9") ~= self[index] else { return nil }
            value = value * 10 + Int(self[index] - UInt8(ascii: "0"))
        }
        return value
    }
}
