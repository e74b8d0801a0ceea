/// A day of the proleptic Gregorian calendar, from 0001-01-01 to 9999-12-31.
///
/// There is no year 0000: PostgreSQL knows none, and ISO 8601 allows it only by agreement.
public struct CalendarDate: Hashable, Sendable {
    /// 1 to 9999.
    public let year: Int
    /// 1 to 12.
    public let month: Int
    /// 1 to 31, as far as the month goes.
    public let day: Int

    /// Takes a date if it exists.
    public init?(year: Int, month: Int, day: Int) {
        guard (1...9999).contains(year), (1...12).contains(month) else { return nil }
        guard (1...Self.dayCount(ofMonth: month, year: year)).contains(day) else { return nil }
        self.year = year
        self.month = month
        self.day = day
    }

    /// Reads exactly ten characters, `YYYY-MM-DD`, that name a day.
    public init?(_ text: String) {
        self.init(text.utf8.span)
    }

    /// Reads exactly ten bytes, `YYYY-MM-DD`, that name a day.
    init?(_ text: Span<UInt8>) {
        guard text.count == 10, text[4] == UInt8(ascii: "-"), text[7] == UInt8(ascii: "-") else { return nil }
        guard let year = text.decimal(0..<4), let month = text.decimal(5..<7), let day = text.decimal(8..<10) else {
            return nil
        }
        self.init(year: year, month: month, day: day)
    }

    private static func dayCount(ofMonth month: Int, year: Int) -> Int {
        switch month {
        case 4, 6, 9, 11: 30
        case 2: isLeap(year) ? 29 : 28
        default: 31
        }
    }

    private static func isLeap(_ year: Int) -> Bool {
        year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
    }

    /// Days since 2000-01-01, as PostgreSQL counts them.
    var daysSince2000: Int32 { Int32(ordinal - 730_119) }

    /// The first day of its month, counted in the same way.
    var startOfMonthSince2000: Int32 { daysSince2000 - Int32(day - 1) }

    /// The first day of the month after it, counted in the same way: a day in the year 10000 for the last month of all.
    var endOfMonthSince2000: Int32 { startOfMonthSince2000 + Int32(Self.dayCount(ofMonth: month, year: year)) }

    /// Days since 0001-01-01, which is 0; so that days can be counted.
    var ordinal: Int {
        let past = year - 1
        let daysBeforeYear = past * 365 + past / 4 - past / 100 + past / 400
        let daysBeforeMonth = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334][month - 1]
        return daysBeforeYear + daysBeforeMonth + (month > 2 && Self.isLeap(year) ? 1 : 0) + day - 1
    }
}

extension CalendarDate: Comparable {
    /// Whether `left` is an earlier day.
    public static func < (left: CalendarDate, right: CalendarDate) -> Bool {
        (left.year, left.month, left.day) < (right.year, right.month, right.day)
    }
}

extension CalendarDate: CustomStringConvertible {
    /// `YYYY-MM-DD`.
    public var description: String {
        var text: [UInt8] = []
        text.reserveCapacity(10)
        text.append(decimal: year, digits: 4)
        text.append(UInt8(ascii: "-"))
        text.append(decimal: month, digits: 2)
        text.append(UInt8(ascii: "-"))
        text.append(decimal: day, digits: 2)
        return String(decoding: text, as: UTF8.self)
    }
}

extension [UInt8] {
    /// Appends the last `digits` decimal digits of a number that is not negative, with leading zeros.
    fileprivate mutating func append(decimal number: Int, digits: Int) {
        var divisor = 1
        for _ in 1..<digits { divisor *= 10 }
        for _ in 0..<digits {
            append(UInt8(ascii: "0") + UInt8(number / divisor % 10))
            divisor /= 10
        }
    }
}
