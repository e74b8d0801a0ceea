internal import JSONWire

/// A task as it travels through Redis: one JSON object in one field of a stream entry.
///
///     {"id":"…","name":"prices.average","arguments":{…},"attempt":1,"created_at":1736121600000,
///      "time_limit":5000,"reply":"q:{tasks}:reply:…","request_id":"…","traceparent":"…","tracked":true}
///
/// Members without a value are left out. Names are stable: workers of an older version read envelopes of a newer one,
/// so unknown members are ignored.
///
/// How old a task is, and so whether it is too late, is told by Redis' clock alone: by the time in its entry's id, and
/// ``ageMilliseconds`` for the entries that it had before. Clocks of the machines that submit and run it are never
/// compared.
public struct TaskEnvelope: Equatable, Sendable {
    /// Longest envelope that is read or written, in bytes.
    static let limitBytes = 1024 * 1024

    let id: TaskID
    let name: String
    /// What the handler gets, as JSON. It is passed on as it came, and parsed by whom it concerns.
    let encodedArguments: String
    /// Counted from 1; deliveries to workers that died are counted by the stream and come on top.
    var attempt = 1
    /// Unix time in milliseconds, by the submitter's clock; only shown.
    let createdAtMilliseconds: Int
    /// How old the task may become before nobody wants the result; nil for a task that is never too late.
    var timeLimitMilliseconds: Int?
    /// How old the task was when this entry was added to the stream: more than nothing after a retry.
    var ageMilliseconds = 0
    /// The channel on which somebody waits; nil when nobody does.
    var replyKey: String?
    var requestID: String?
    var traceparent: String?
    var tracestate: String?
    /// Whether a state can be asked for by id.
    var isTracked = false

    /// What the handler gets.
    var arguments: JSONValue {
        (try? JSONValue(parsing: encodedArguments, limits: JSONLimits(bytes: Self.limitBytes))) ?? .null
    }
}

extension TaskEnvelope {
    private enum Name: String, CaseIterable {
        case id, name, arguments, attempt
        case createdAt = "created_at"
        case timeLimit = "time_limit"
        case age, reply
        case requestID = "request_id"
        case traceparent, tracestate, tracked
    }

    private static let names = JSONNames<Name>()

    /// The envelope as JSON.
    public func encoded() -> [UInt8] {
        var writer = JSONWriter(capacity: 384 + encodedArguments.utf8.count)
        writer.object { writer in
            writer.member("id", id.description)
            writer.member("name", name)
            writer.key("arguments")
            writer.raw(encodedArguments.utf8.span)
            writer.member("attempt", attempt)
            writer.member("created_at", createdAtMilliseconds)
            if let timeLimitMilliseconds { writer.member("time_limit", timeLimitMilliseconds) }
            if ageMilliseconds > 0 { writer.member("age", ageMilliseconds) }
            if let replyKey { writer.member("reply", replyKey) }
            if let requestID { writer.member("request_id", requestID) }
            if let traceparent { writer.member("traceparent", traceparent) }
            if let tracestate { writer.member("tracestate", tracestate) }
            if isTracked { writer.member("tracked", true) }
        }
        return writer.take()
    }

    /// Reads an envelope; nil when it is not one.
    public init?(parsing text: Span<UInt8>) {
        guard let envelope = try? Self.read(text) else { return nil }
        self = envelope
    }

    /// Every task of a worker comes through here, so nothing is made but what is kept.
    private static func read(_ text: Span<UInt8>) throws(JSONParseError) -> TaskEnvelope? {
        var (id, name, arguments) = (TaskID?.none, String?.none, String?.none)
        var (attempt, createdAt, timeLimit, age) = (Int?.none, Int?.none, Int?.none, 0)
        var (replyKey, requestID, traceparent, tracestate) = (String?.none, String?.none, String?.none, String?.none)
        var isTracked = false
        var reader = try JSONReader(text, limits: JSONLimits(bytes: limitBytes))
        var members = JSONMembers(names)
        try reader.beginObject(text)
        while let member = try members.next(&reader, text) {
            switch member {
            case .id: id = try reader.string(text) { TaskID($0) }
            case .name: name = try reader.string(text)
            case .arguments: arguments = try reader.raw(text)
            case .attempt: attempt = try reader.integer(text)
            case .createdAt: createdAt = try reader.integer(text)
            case .timeLimit: timeLimit = try reader.integer(text)
            case .age: age = max(0, try reader.integer(text))
            case .reply: replyKey = try reader.string(text)
            case .requestID: requestID = try reader.string(text)
            case .traceparent: traceparent = try reader.string(text)
            case .tracestate: tracestate = try reader.string(text)
            case .tracked: isTracked = try reader.bool(text)
            }
        }
        try reader.end(text)
        guard let id, let name, let arguments, let attempt, attempt >= 1, let createdAt else { return nil }
        return TaskEnvelope(
            id: id,
            name: name,
            encodedArguments: arguments,
            attempt: attempt,
            createdAtMilliseconds: createdAt,
            timeLimitMilliseconds: timeLimit,
            ageMilliseconds: age,
            replyKey: replyKey,
            requestID: requestID,
            traceparent: traceparent,
            tracestate: tracestate,
            isTracked: isTracked
        )
    }
}
