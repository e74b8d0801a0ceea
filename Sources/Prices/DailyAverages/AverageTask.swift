internal import JSONWire

/// The task `prices.average`: its arguments and its result are what the HTTP route takes and gives.
enum AverageTask {
    /// The task's name in the queue.
    static let name = "prices.average"
}

extension AverageRequest {
    /// The task's arguments: `{"start_date":"2025-01-06","end_date":"2025-01-07","symbol":"AAPL"}`.
    ///
    /// Equal requests have equal arguments, so these are also the key by which identical work in flight is one task.
    var taskArguments: String {
        var writer = JSONWriter(capacity: 64)
        writer.object { writer in
            writer.member(Name.startDate.rawValue, range.first.description)
            writer.member(Name.endDate.rawValue, range.last.description)
            if let symbol { writer.member(Name.symbol.rawValue, symbol.text) }
        }
        return String(decoding: writer.bytes, as: UTF8.self)
    }

    /// Reads the task's arguments; nil if they are not what ``taskArguments`` writes.
    ///
    /// The length of the range is not checked again: its limit is the business of who enqueues.
    init?(taskArguments arguments: String) {
        guard let request = try? Self.read(arguments.utf8.span) else { return nil }
        self = request
    }

    private static let names = JSONNames<Name>()

    private static func read(_ text: Span<UInt8>) throws(JSONParseError) -> AverageRequest? {
        var (first, last, symbol) = (CalendarDate?.none, CalendarDate?.none, Symbol?.none)
        var reader = try JSONReader(text, limits: JSONLimits(bytes: 1024))
        var members = JSONMembers(names)
        try reader.beginObject(text)
        while let name = try members.next(&reader, text) {
            switch name {
            case .startDate: first = try reader.string(text) { CalendarDate($0) }
            case .endDate: last = try reader.string(text) { CalendarDate($0) }
            case .symbol:
                symbol = try reader.string(text) { Symbol($0) }
                guard symbol != nil else { return nil }
            }
        }
        try reader.end(text)
        guard members.unknownCount == 0, let first, let last, let range = DateRange(first: first, last: last)
        else { return nil }
        return AverageRequest(range: range, symbol: symbol)
    }
}
