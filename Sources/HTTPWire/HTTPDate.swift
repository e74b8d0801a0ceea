/// The time as HTTP writes it: `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 §5.6.7).
public enum HTTPDate {
    /// The time `unixSeconds` after 1970-01-01T00:00:00Z, in years 1970 to 9999.
    public static func format(unixSeconds: Int) -> String {
        var text: [UInt8] = []
        append(unixSeconds: unixSeconds, to: &text)
        return text.span.text
    }

    static func append(unixSeconds: Int, to buffer: inout [UInt8]) {
        precondition((0..<253_402_300_800).contains(unixSeconds), "years 1970 to 9999")
        let (days, second) = unixSeconds.quotientAndRemainder(dividingBy: 86_400)
        let (year, month, day) = civilDate(daysSince1970: days)
        let dayNames = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
        let monthNames = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        buffer.append(utf8: dayNames[days % 7])
        buffer.append(utf8: ", ")
        appendTwoDigits(day, to: &buffer)
        buffer.append(ASCII.space)
        buffer.append(utf8: monthNames[month - 1])
        buffer.append(ASCII.space)
        appendTwoDigits(year / 100, to: &buffer)
        appendTwoDigits(year % 100, to: &buffer)
        buffer.append(ASCII.space)
        appendTwoDigits(second / 3600, to: &buffer)
        buffer.append(ASCII.colon)
        appendTwoDigits(second / 60 % 60, to: &buffer)
        buffer.append(ASCII.colon)
        appendTwoDigits(second % 60, to: &buffer)
        buffer.append(utf8: " GMT")
    }

    private static func appendTwoDigits(_ number: Int, to buffer: inout [UInt8]) {
        buffer.append(ASCII.zero + UInt8(number / 10))
        buffer.append(ASCII.zero + UInt8(number % 10))
    }

    /// The Gregorian date, by Howard Hinnant's `civil_from_days`: years are counted from March, so that the leap day is
    /// the last of its year.
    private static func civilDate(daysSince1970: Int) -> (year: Int, month: Int, day: Int) {
        let days = daysSince1970 + 719_468  // since 0000-03-01
        let era = days / 146_097
        let dayOfEra = days % 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        return (era * 400 + yearOfEra + (month <= 2 ? 1 : 0), month, day)
    }
}

/// The `Date` field of the current second, made once a second and copied into every response.
public struct DateField: Sendable {
    private var second = -1
    private var line: [UInt8] = []

    /// Empty until the first use.
    public init() {}

    /// The field line with its line end, for the time `unixSeconds` after 1970.
    public mutating func line(unixSeconds: Int) -> [UInt8] {
        if unixSeconds != second {
            second = unixSeconds
            line.removeAll(keepingCapacity: true)
            line.append(utf8: "Date: ")
            HTTPDate.append(unixSeconds: unixSeconds, to: &line)
            line.append(utf8: "\r\n")
        }
        return line
    }
}
