import Testing

@testable import Prices

@Suite struct CalendarDateTests {
    @Test(arguments: [
        ("2025-01-06", 2025, 1, 6), ("0001-01-01", 1, 1, 1), ("9999-12-31", 9999, 12, 31),
        ("2024-02-29", 2024, 2, 29), ("2000-02-29", 2000, 2, 29), ("2023-02-28", 2023, 2, 28),
        ("2025-04-30", 2025, 4, 30),
    ])
    func `a day is read and written`(text: String, year: Int, month: Int, day: Int) throws {
        let date = try #require(CalendarDate(text))
        #expect((date.year, date.month, date.day) == (year, month, day))
        #expect(date.description == text)
    }

    @Test(arguments: [
        "", " ", "2025-1-6", " 2025-01-06", "2025-01-06 ", "2025-01-06T00:00:00", "2025-01-06\0", "20250106",
        "2025/01/06", "2025-01-6\n", "+025-01-06", "-025-01-06", "2025-+1-06", "2025-01- 6", "２０２５-01-06",
        "2025-02-30", "2025-02-29", "1900-02-29", "2100-02-29", "2025-04-31", "2025-13-01", "2025-00-01",
        "2025-01-00", "2025-01-32", "0000-01-01", "10000-01-01", "2025-W01-1", "2025-001", "today", "infinity",
    ])
    func `what is not exactly ten characters that name a day is refused`(text: String) {
        #expect(CalendarDate(text) == nil)
    }

    @Test func `every day of ten thousand years follows the one before`() throws {
        // The rules anew, as a walk: the table in CalendarDate counts days by formula.
        var ordinal = 0
        for year in 1...9999 {
            let isLeap = year.isMultiple(of: 400) || (year.isMultiple(of: 4) && !year.isMultiple(of: 100))
            for (month, length) in zip(1...12, [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]) {
                let first = try #require(CalendarDate(year: year, month: month, day: 1))
                let last = try #require(CalendarDate(year: year, month: month, day: length))
                guard first.ordinal == ordinal, last.ordinal == ordinal + length - 1 else {
                    Issue.record("wrong count at \(first)")
                    return
                }
                #expect(CalendarDate(year: year, month: month, day: length + 1) == nil)
                ordinal += length
            }
        }
        #expect(ordinal == 3_652_059)
    }

    @Test func `days are ordered`() throws {
        let days = ["0001-01-01", "1999-12-31", "2000-01-01", "2000-01-02", "2000-02-01", "9999-12-31"]
        let dates = days.compactMap { CalendarDate($0) }
        #expect(dates.count == days.count)
        #expect(dates.shuffled().sorted() == dates)
    }

    @Test(arguments: [
        ("2025-01-01", "2025-01-31", "2025-01-01", "2025-02-01"),
        ("2025-01-02", "2025-02-27", "2025-02-01", "2025-02-01"),
        ("2025-01-31", "2025-03-01", "2025-02-01", "2025-03-01"),
        ("2024-01-31", "2024-02-28", "2024-02-01", "2024-02-01"),
        ("2024-02-01", "2024-02-29", "2024-02-01", "2024-03-01"),
        ("2025-03-05", "2025-03-09", "2025-04-01", "2025-04-01"),
        ("2024-12-31", "2026-01-01", "2025-01-01", "2026-01-01"),
        ("1999-12-01", "2000-01-01", "1999-12-01", "2000-01-01"),
    ])
    func `a range knows its whole months`(first: String, last: String, start: String, end: String) throws {
        let first = try #require(CalendarDate(first))
        let last = try #require(CalendarDate(last))
        let start = try #require(CalendarDate(start))
        let end = try #require(CalendarDate(end))
        let range = try #require(DateRange(first: first, last: last))
        #expect(range.daysOfWholeMonths == start.daysSince2000..<end.daysSince2000)
    }

    @Test func `the last month of all is whole, too`() throws {
        let first = try #require(CalendarDate("9999-12-01"))
        let last = try #require(CalendarDate("9999-12-31"))
        #expect(DateRange(first: first, last: last)?.daysOfWholeMonths.count == 31)
    }

    @Test(arguments: [
        ("2025-01-06", "2025-01-06", 1), ("2025-01-06", "2025-01-07", 2), ("2024-02-28", "2024-03-01", 3),
        ("2023-02-28", "2023-03-01", 2), ("2024-01-01", "2024-12-31", 366), ("0001-01-01", "9999-12-31", 3_652_059),
    ])
    func `a range counts both of its ends`(first: String, last: String, days: Int) throws {
        let first = try #require(CalendarDate(first))
        let last = try #require(CalendarDate(last))
        #expect(DateRange(first: first, last: last)?.dayCount == days)
        #expect((DateRange(first: last, last: first) == nil) == (first != last))
    }
}
