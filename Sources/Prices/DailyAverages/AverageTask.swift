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
            writer.member(Name.startDate, range.first.description)
            writer.member(Name.endDate, range.last.description)
            if let symbol { writer.member(Name.symbol, symbol.text) }
        }
        return String(decoding: writer.bytes, as: UTF8.self)
    }

    /// Reads the task's arguments; nil if they are not what ``taskArguments`` writes.
    ///
    /// The length of the range is not checked again: its limit is the business of who enqueues.
    init?(taskArguments arguments: String) {
        if let range = Self.range(at: arguments.utf8.span) {
            self.init(range: range)
        } else {
            guard let value = try? JSONValue(parsing: arguments, limits: JSONLimits(bytes: 1024)) else { return nil }
            self.init(taskArguments: value)
        }
    }

    /// The range in arguments without a symbol, which nearly all are: these have a fixed length, with the dates at
    /// fixed places, so that no tree of JSON values has to be built for them.
    private static func range(at text: Span<UInt8>) -> DateRange? {
        let (start, end) = (Layout.prefix.count, Layout.prefix.count + 10 + Layout.middle.count)
        guard text.count == end + 10 + Layout.suffix.count,
            text.has(Layout.prefix, at: 0), text.has(Layout.middle, at: start + 10),
            text.has(Layout.suffix, at: end + 10),
            let first = CalendarDate(text.extracting(start..<(start + 10))),
            let last = CalendarDate(text.extracting(end..<(end + 10)))
        else { return nil }
        return DateRange(first: first, last: last)
    }

    private enum Layout {
        static let prefix = Array("{\"\(Name.startDate)\":\"".utf8)
        static let middle = Array("\",\"\(Name.endDate)\":\"".utf8)
        static let suffix = Array("\"}".utf8)
    }

    private init?(taskArguments arguments: JSONValue) {
        guard let object = arguments.object,
            let first = object[Name.startDate]?.string.flatMap({ CalendarDate($0) }),
            let last = object[Name.endDate]?.string.flatMap({ CalendarDate($0) }),
            let range = DateRange(first: first, last: last)
        else { return nil }
        switch object[Name.symbol] {
        case nil:
            guard object.members.count == 2 else { return nil }
            self.init(range: range)
        case .some(let value):
            guard object.members.count == 3, let symbol = value.string.flatMap({ Symbol($0) }) else { return nil }
            self.init(range: range, symbol: symbol)
        }
    }
}

extension Span<UInt8> {
    /// Whether these bytes stand there. The span must reach that far.
    fileprivate func has(_ bytes: [UInt8], at position: Int) -> Bool {
        for index in bytes.indices where self[position + index] != bytes[index] { return false }
        return true
    }
}
