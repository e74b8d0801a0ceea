internal import Basics

/// The time as HTTP writes it: `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 §5.6.7).
public enum HTTPDate {
    /// The time `unixSeconds` after 1970-01-01T00:00:00Z, in years 1970 to 9999.
    public static func format(unixSeconds: Int) -> String {
        var text: [UInt8] = []
        append(unixSeconds: unixSeconds, to: &text)
        return text.span.text
    }

    /// What the form has room for: the years 1970 to 9999.
    private static let secondsWritten = 0..<253_402_300_800

    private static let monthNames = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    /// The seconds after 1970 that a date means: in the form above, or one of the two old ones (`Sunday, 06-Nov-94
    /// 08:49:37 GMT`, `Sun Nov  6 08:49:37 1994`); nil for anything else, and for what was before 1970.
    ///
    /// - Parameter currentYear: A year of two digits is the one with that ending that is at most 50 years ahead of it.
    ///   Asked for such a year only.
    public static func parse(_ text: String, currentYear: @autoclosure () -> Int = thisYear) -> Int? {
        let words = text.split(separator: " ", omittingEmptySubsequences: false)
        switch words.count {
        case 6 where words[0].hasSuffix(",") && words[5] == "GMT":
            guard words[1].utf8.count == 2, words[3].utf8.count == 4 else { return nil }
            return seconds(words[1], words[2], number(words[3]), words[4])
        case 4 where words[0].hasSuffix(",") && words[3] == "GMT":
            let date = words[1].split(separator: "-", omittingEmptySubsequences: false)
            guard date.count == 3, date[0].utf8.count == 2, date[2].utf8.count == 2 else { return nil }
            return seconds(date[0], date[1], year(date[2], currentYear()), words[2])
        case 5 where words[2].utf8.count == 2 && words[4].utf8.count == 4:
            return seconds(words[2], words[1], number(words[4]), words[3])
        // A day of one digit has a space before it.
        case 6 where words[2].isEmpty && words[3].utf8.count == 1 && words[5].utf8.count == 4:
            return seconds(words[3], words[1], number(words[5]), words[4])
        default: return nil
        }
    }

    /// By the system's clock, in UTC.
    public static var thisYear: Int {
        CivilDay(daysSince1970: SystemClock.unixNanoseconds / 1_000_000_000 / 86_400).year
    }

    /// Of digits alone.
    private static func number(_ text: Substring) -> Int? {
        text.utf8.allSatisfy(ASCII.isDigit) ? Int(text) : nil
    }

    /// Of two digits.
    private static func year(_ text: Substring, _ current: Int) -> Int? {
        guard let number = number(text) else { return nil }
        let year = current / 100 * 100 + number
        return year > current + 50 ? year - 100 : year
    }

    private static func seconds(_ day: Substring, _ month: Substring, _ year: Int?, _ time: Substring) -> Int? {
        let parts = time.split(separator: ":", omittingEmptySubsequences: false)
        guard let year, let month = monthNames.firstIndex(of: String(month)),
            let day = number(day), let date = CivilDay(year: year, month: month + 1, day: day),
            parts.count == 3, parts.allSatisfy({ $0.utf8.count == 2 }),
            let hour = number(parts[0]), let minute = number(parts[1]), let second = number(parts[2]),
            (0...23).contains(hour), (0...59).contains(minute), (0...60).contains(second)
        else { return nil }
        let seconds = date.daysSince1970 * 86_400 + hour * 3600 + minute * 60 + second
        // The last second of a year may be a leap second.
        return secondsWritten.contains(seconds) ? seconds : nil
    }

    static func append(unixSeconds: Int, to buffer: inout [UInt8]) {
        precondition(secondsWritten.contains(unixSeconds), "years 1970 to 9999")
        let (days, second) = unixSeconds.quotientAndRemainder(dividingBy: 86_400)
        let date = CivilDay(daysSince1970: days)
        let dayNames = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
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
