internal import Basics

/// A day of the proleptic Gregorian calendar, from 0001-01-01 to 9999-12-31.
///
/// There is no year 0000: PostgreSQL knows none, and ISO 8601 allows it only by agreement.
public struct CalendarDate: Hashable, Sendable {
    private let civil: CivilDay

    /// 1 to 9999.
    public var year: Int { civil.year }
    /// 1 to 12.
    public var month: Int { civil.month }
    /// 1 to 31, as far as the month goes.
    public var day: Int { civil.day }

    /// Takes a date if it exists.
    init?(year: Int, month: Int, day: Int) {
        guard (1...9999).contains(year), let day = CivilDay(year: year, month: month, day: day) else { return nil }
        civil = day
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

    /// Days since 2000-01-01, as PostgreSQL counts them.
    var daysSince2000: Int32 { Int32(civil.daysSince1970 - 10_957) }

    /// The first day of its month, counted in the same way.
    var startOfMonthSince2000: Int32 { daysSince2000 - Int32(day - 1) }

    /// The first day of the month after it, counted in the same way: a day in the year 10000 for the last month of all.
    var endOfMonthSince2000: Int32 { startOfMonthSince2000 + Int32(CivilDay.dayCount(ofMonth: month, year: year)) }

    /// Days since 0001-01-01, which is 0; so that days can be counted.
    var ordinal: Int { civil.daysSince1970 + 719_162 }
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
