/// The days from `first` to `last`, both included; at least one.
public struct DateRange: Hashable, Sendable {
    /// The earliest day.
    public let first: CalendarDate
    /// The latest day.
    public let last: CalendarDate

    /// Takes a range whose days are in order.
    public init?(first: CalendarDate, last: CalendarDate) {
        guard first <= last else { return nil }
        self.first = first
        self.last = last
    }

    /// How many days there are, 1 for a range of a single day.
    var dayCount: Int { last.ordinal - first.ordinal + 1 }

    /// The days of the calendar months that lie in the range from their first day to their last, since 2000-01-01 as
    /// PostgreSQL counts them; empty if no month does.
    var daysOfWholeMonths: Range<Int32> {
        let start = first.day == 1 ? first.daysSince2000 : first.endOfMonthSince2000
        let end = last.daysSince2000 + 1
        return start..<max(start, end == last.endOfMonthSince2000 ? end : last.startOfMonthSince2000)
    }
}
