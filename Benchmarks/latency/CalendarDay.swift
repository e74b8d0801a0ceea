import ArgumentParser

/// A day of the Gregorian calendar.
struct CalendarDay: Equatable, Sendable {
    let year: Int
    let month: Int
    let day: Int

    private static func length(ofMonth month: Int, _ year: Int) -> Int {
        switch month {
        case 4, 6, 9, 11: 30
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        default: 31
        }
    }

    private var next: CalendarDay {
        if day < Self.length(ofMonth: month, year) { return CalendarDay(year: year, month: month, day: day + 1) }
        if month < 12 { return CalendarDay(year: year, month: month + 1, day: 1) }
        return CalendarDay(year: year + 1, month: 1, day: 1)
    }

    /// Every day from the first to the last, both included; none if they are the other way round.
    static func all(_ first: CalendarDay, through last: CalendarDay) -> [CalendarDay] {
        var days: [CalendarDay] = []
        var day = first
        while day <= last {
            days.append(day)
            day = day.next
        }
        return days
    }
}

extension CalendarDay: Comparable {
    static func < (left: CalendarDay, right: CalendarDay) -> Bool {
        (left.year, left.month, left.day) < (right.year, right.month, right.day)
    }
}

extension CalendarDay: ExpressibleByArgument, CustomStringConvertible {
    /// Reads `YYYY-MM-DD`.
    init?(argument: String) {
        let parts = argument.split(separator: "-", omittingEmptySubsequences: false)
        guard argument.utf8.count == 10, parts.map(\.count) == [4, 2, 2] else { return nil }
        guard let year = Int(parts[0]), let month = Int(parts[1]), let day = Int(parts[2]) else { return nil }
        guard (1...9999).contains(year), (1...12).contains(month) else { return nil }
        guard (1...Self.length(ofMonth: month, year)).contains(day) else { return nil }
        self.init(year: year, month: month, day: day)
    }

    var description: String {
        [(year, 4), (month, 2), (day, 2)]
            .map { number, width in String(repeating: "0", count: width - "\(number)".count) + "\(number)" }
            .joined(separator: "-")
    }
}

/// How many days ranges have: `1-30`, or `7` for always seven.
struct DayCounts: ExpressibleByArgument, CustomStringConvertible, Sendable {
    let range: ClosedRange<Int>

    init(_ range: ClosedRange<Int>) { self.range = range }

    init?(argument: String) {
        let bounds = argument.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
        guard (1...2).contains(bounds.count), let low = bounds[0], let high = bounds[bounds.count - 1] else {
            return nil
        }
        guard 1 <= low, low <= high else { return nil }
        self.init(low...high)
    }

    var description: String { "\(range.lowerBound)-\(range.upperBound)" }
}
