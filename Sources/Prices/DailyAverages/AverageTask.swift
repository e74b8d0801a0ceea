public import JSONWire

/// The task `prices.average`: its arguments and its result are what the HTTP route takes and gives.
public enum AverageTask {
    /// The task's name in the queue.
    public static let name = "prices.average"
}

extension AverageRequest {
    /// The task's arguments: `{"start_date":"2025-01-06","end_date":"2025-01-07","symbol":"AAPL"}`.
    ///
    /// Equal requests have equal arguments, so these are also the key by which identical work in flight is one task.
    public var taskArguments: JSONValue {
        var members = [
            JSONObject.Member(name: Field.startDate, value: .string(range.first.description)),
            JSONObject.Member(name: Field.endDate, value: .string(range.last.description)),
        ]
        if let symbol { members.append(JSONObject.Member(name: Field.symbol, value: .string(symbol.text))) }
        return .object(JSONObject(members))
    }

    /// Reads the task's arguments; nil if they are not what ``taskArguments`` writes.
    ///
    /// The length of the range is not checked again: its limit is the business of who enqueues.
    public init?(taskArguments arguments: JSONValue) {
        guard let object = arguments.object,
            let first = object[Field.startDate]?.string.flatMap({ CalendarDate($0) }),
            let last = object[Field.endDate]?.string.flatMap({ CalendarDate($0) }),
            let range = DateRange(first: first, last: last)
        else { return nil }
        switch object[Field.symbol] {
        case nil:
            guard object.members.count == 2 else { return nil }
            self.init(range: range)
        case .some(let value):
            guard object.members.count == 3, let symbol = value.string.flatMap({ Symbol($0) }) else { return nil }
            self.init(range: range, symbol: symbol)
        }
    }
}
