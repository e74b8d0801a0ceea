internal import Basics

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
        let date = CivilDay(daysSince1970: days)
        let dayNames = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
        let monthNames = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        buffer.append(utf8: dayNames[days % 7])
        buffer.append(utf8: ", ")
        appendTwoDigits(date.day, to: &buffer)
        buffer.append(ASCII.space)
        buffer.append(utf8: monthNames[date.month - 1])
        buffer.append(ASCII.space)
        appendTwoDigits(date.year / 100, to: &buffer)
        appendTwoDigits(date.year % 100, to: &buffer)
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
