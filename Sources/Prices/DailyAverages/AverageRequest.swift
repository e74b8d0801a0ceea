internal import HTTPWire
internal import JSONWire
public import WebAPI

/// What `GET /prices/average` asks for: valid, whoever made it.
public struct AverageRequest: Hashable, Sendable {
    /// The UTC days asked for.
    public let range: DateRange
    /// The symbol whose prices are meant; nil for those of all symbols.
    public let symbol: Symbol?

    init(range: DateRange, symbol: Symbol? = nil) {
        self.range = range
        self.symbol = symbol
    }
}

// MARK: - From a request

extension AverageRequest {
    /// Names of the query's parameters, and of the members of the task's arguments.
    enum Name: String, CaseIterable {
        case startDate = "start_date"
        case endDate = "end_date"
        case symbol
    }

    static let startDate = Field.query(
        Name.startDate.rawValue,
        .date,
        "The first day.",
        isRequired: true,
        example: "2025-01-06"
    )
    static let endDate = Field.query(
        Name.endDate.rawValue,
        .date,
        "The last day.",
        isRequired: true,
        example: "2025-01-07"
    )
    static let symbol = Field.query(
        Name.symbol.rawValue,
        .symbol,
        "Only the prices of this symbol. Without it, the mean is over every price of the day.",
        example: "AAPL"
    )

    /// Reads the request.
    ///
    /// - Parameter rangeDaysMax: The most days that a range may have (`limits.max_range_days`).
    /// - Throws: All faults at once. A range is looked at only when both of its dates are dates.
    public init(_ request: RequestContent, rangeDaysMax: Int) throws(APIError) {
        if let query = request.head.queryBytes, let plain = Self(plain: query.span, rangeDaysMax: rangeDaysMax) {
            self = plain
        } else {
            try self.init(careful: request, rangeDaysMax: rangeDaysMax)
        }
    }

    private init(careful request: RequestContent, rangeDaysMax: Int) throws(APIError) {
        var fields = try Fields(request)
        let first = fields.read(Self.startDate)
        let last = fields.read(Self.endDate)
        var range: DateRange?
        if let first, let last {
            range = DateRange(first: first, last: last)
            Self.check(range, daysMax: rangeDaysMax, &fields)
        }
        let symbol = fields.read(Self.symbol)
        self.init(range: try fields.finish(range), symbol: symbol)
    }

    /// Notes what is wrong with two dates taken together; either could be changed, so both are named.
    private static func check(_ range: DateRange?, daysMax: Int, _ fields: inout Fields) {
        let (start, end) = (Name.startDate.rawValue, Name.endDate.rawValue)
        if let range {
            guard range.dayCount > daysMax else { return }
            let demand = "must be less than \(daysMax) days"
            fields.refuse(startDate, "\(start) \(demand) before \(end)", .invalidDateRange)
            fields.refuse(endDate, "\(end) \(demand) after \(start)", .invalidDateRange)
        } else {
            fields.refuse(startDate, "\(start) must not be after \(end)", .invalidDateRange)
            fields.refuse(endDate, "\(end) must not be before \(start)", .invalidDateRange)
        }
    }

    /// Reads a query that is right and in the form in which nearly every one comes: nothing escaped, nothing empty. nil
    /// for any other, which is then read with care; so this decides nothing, and only saves the making of strings:
    /// 83 ns and no allocation in place of 1,035 ns and 10 (`prices/check-request` and `prices/check-escaped-request`
    /// of `swift run -c release --package-path Benchmarks/Micro micro --filter prices`).
    init?(plain query: Span<UInt8>, rangeDaysMax: Int) {
        var first: CalendarDate?
        var last: CalendarDate?
        var symbol: Symbol?
        var start = 0
        while start < query.count {
            let end = query.firstIndex(of: UInt8(ascii: "&"), from: start) ?? query.count
            guard let equals = query.firstIndex(of: UInt8(ascii: "="), from: start), equals < end else { return nil }
            let name = query.extracting(start..<equals)
            let value = query.extracting(equals + 1..<end)
            if name.equals(Name.startDate.rawValue), first == nil {
                first = CalendarDate(value)
                guard first != nil else { return nil }
            } else if name.equals(Name.endDate.rawValue), last == nil {
                last = CalendarDate(value)
                guard last != nil else { return nil }
            } else if name.equals(Name.symbol.rawValue), symbol == nil {
                symbol = Symbol(value)
                guard symbol != nil else { return nil }
            } else {
                return nil
            }
            start = end + 1
        }
        guard let first, let last, let range = DateRange(first: first, last: last), range.dayCount <= rangeDaysMax
        else { return nil }
        self.init(range: range, symbol: symbol)
    }
}

extension Span where Element == UInt8 {
    fileprivate func firstIndex(of byte: UInt8, from start: Int) -> Int? {
        var index = start
        while index < count {
            if self[index] == byte { return index }
            index += 1
        }
        return nil
    }

    fileprivate func equals(_ text: String) -> Bool {
        let other = text.utf8.span
        guard count == other.count else { return false }
        for index in indices where self[index] != other[index] { return false }
        return true
    }
}

extension FieldRule<CalendarDate> {
    /// A day, as ``CalendarDate`` reads it.
    static let date = FieldRule(
        "must be a calendar date in the form YYYY-MM-DD",
        fault: .invalidDate,
        schema: .date
    ) { CalendarDate($0) }
}
