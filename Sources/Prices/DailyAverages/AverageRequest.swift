public import HTTPWire

/// What `GET /prices/average` asks for: valid, whoever made it.
public struct AverageRequest: Hashable, Sendable {
    /// The UTC days asked for.
    public let range: DateRange
    /// The symbol whose prices are meant; nil for those of all symbols.
    public let symbol: Symbol?

    /// Joins a range and a symbol.
    public init(range: DateRange, symbol: Symbol? = nil) {
        self.range = range
        self.symbol = symbol
    }
}

// MARK: - From the query of a URL

extension AverageRequest {
    /// Names of the query's parameters, and of the members of the task's arguments.
    enum Field {
        static let startDate = "start_date"
        static let endDate = "end_date"
        static let symbol = "symbol"
    }

    /// Reads the request from the query of a URL.
    ///
    /// - Parameter rangeDaysMax: The most days that a range may have (`limits.max_range_days`).
    /// - Throws: All faults at once, at most one per field. A range is looked at only when both of its dates are dates.
    public init(_ parameters: QueryParameters, rangeDaysMax: Int) throws(FieldFaults) {
        var faults: [FieldFault] = []
        let first = parameters.date(Field.startDate).value(orNoteIn: &faults)
        let last = parameters.date(Field.endDate).value(orNoteIn: &faults)
        var range: DateRange?
        if let first, let last {
            range = DateRange(first: first, last: last)
            faults += Self.faults(of: range, daysMax: rangeDaysMax)
        }
        let symbol = parameters.symbol(Field.symbol).value(orNoteIn: &faults)
        faults += parameters.unknown(besides: [Field.startDate, Field.endDate, Field.symbol])

        guard faults.isEmpty, let range else { throw FieldFaults(faults) }
        self.init(range: range, symbol: symbol ?? nil)
    }

    /// Reads a query that is right and in the form in which nearly every one comes: nothing escaped, nothing empty. nil
    /// for any other, which is then read with care; so this decides nothing, and only saves the making of strings.
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
            if name.equals(Field.startDate), first == nil {
                first = CalendarDate(value)
                guard first != nil else { return nil }
            } else if name.equals(Field.endDate), last == nil {
                last = CalendarDate(value)
                guard last != nil else { return nil }
            } else if name.equals(Field.symbol), symbol == nil {
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

    /// What is wrong with two dates taken together; either could be changed, so both are named.
    private static func faults(of range: DateRange?, daysMax: Int) -> [FieldFault] {
        guard let range else {
            return [
                FieldFault(.invalidDateRange, Field.startDate, "must not be after \(Field.endDate)"),
                FieldFault(.invalidDateRange, Field.endDate, "must not be before \(Field.startDate)"),
            ]
        }
        guard range.dayCount > daysMax else { return [] }
        let demand = "must be less than \(daysMax) days"
        return [
            FieldFault(.invalidDateRange, Field.startDate, "\(demand) before \(Field.endDate)"),
            FieldFault(.invalidDateRange, Field.endDate, "\(demand) after \(Field.startDate)"),
        ]
    }
}

extension FieldFaults {
    /// The faults of a query that cannot be decoded at all.
    public init(_ error: QueryError) {
        let fault =
            switch error {
            case .malformedEscape(let name):
                FieldFault(.invalidParameter, name.shortened, "has a broken percent-encoding")
            case .invalidUTF8(let name):
                FieldFault(.invalidParameter, name.shortened, "is not UTF-8")
            case .tooManyParameters(let limit):
                FieldFault(.invalidParameter, "query", "may have at most \(limit) parameters")
            }
        self.init([fault])
    }
}

extension QueryParameters {
    fileprivate func date(_ field: String) -> Result<CalendarDate, FieldFault> {
        single(field).flatMap { text in
            guard let text, !text.isEmpty else {
                return .failure(FieldFault(.missingParameter, field, "is required"))
            }
            guard let date = CalendarDate(text) else {
                return .failure(FieldFault(.invalidDate, field, "must be a calendar date in the form YYYY-MM-DD"))
            }
            return .success(date)
        }
    }

    fileprivate func symbol(_ field: String) -> Result<Symbol?, FieldFault> {
        single(field).flatMap { text in
            guard let text else { return .success(nil) }
            guard let symbol = Symbol(text) else {
                let demand = "must be 1 to \(Symbol.lengthMax) characters of A-Z a-z 0-9 . ^ = -"
                return .failure(FieldFault(.invalidParameter, field, demand))
            }
            return .success(symbol)
        }
    }

    /// The value of a parameter that may be given once; nil if it is not.
    private func single(_ field: String) -> Result<String?, FieldFault> {
        let values = values(field)
        guard values.count <= 1 else { return .failure(FieldFault(.invalidParameter, field, "must be given once")) }
        return .success(values.first)
    }

    /// One fault for each name that is not among `known`.
    fileprivate func unknown(besides known: [String]) -> [FieldFault] {
        var seen = Set(known)
        return all.filter { seen.insert($0.name).inserted }
            .map { FieldFault(.unknownParameter, $0.name.shortened, "is not a parameter of this route") }
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

extension Result where Failure == FieldFault {
    fileprivate func value(orNoteIn faults: inout [FieldFault]) -> Success? {
        switch self {
        case .success(let value): return value
        case .failure(let fault):
            faults.append(fault)
            return nil
        }
    }
}

extension String {
    /// A name that a client made up, cut to a length that is fit to be repeated to it.
    fileprivate var shortened: String {
        unicodeScalars.count <= 64 ? self : String(unicodeScalars.prefix(63)) + "…"
    }
}
