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
    public var dayCount: Int { last.ordinal - first.ordinal + 1 }
}
