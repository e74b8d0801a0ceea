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
        // Nearly all are as ``encoded()`` of this very version writes them, and are read six times as fast.
        if let envelope = PlainEnvelopeReader.envelope(in: text) { self = envelope } else { self.init(anyJSON: text) }
    }

    /// Reads any JSON that is an envelope.
    init?(anyJSON text: Span<UInt8>) {
        guard let value = try? JSONValue(parsing: text, limits: JSONLimits(bytes: Self.limitBytes)),
            let object = value.object
        else { return nil }
        var parts: (id: TaskID?, name: String?, arguments: JSONValue?, attempt: Int?, createdAt: Int?)
        var optional = Optionals()
        for member in object.members {
            switch member.name {
            case "id": parts.id = member.value.string.flatMap { TaskID($0) }
            case "name": parts.name = member.value.string
            case "arguments": parts.arguments = member.value
            case "attempt": parts.attempt = member.value.integer
            case "created_at": parts.createdAt = member.value.integer
            case "time_limit": optional.timeLimit = member.value.integer
            case "age": optional.age = max(0, member.value.integer ?? 0)
            case "reply": optional.replyKey = member.value.string
            case "request_id": optional.requestID = member.value.string
            case "traceparent": optional.traceparent = member.value.string
            case "tracestate": optional.tracestate = member.value.string
            case "tracked": optional.isTracked = member.value.bool ?? false
            default: break
            }
        }
        guard let id = parts.id, let name = parts.name, let arguments = parts.arguments,
            let attempt = parts.attempt, attempt >= 1, let createdAt = parts.createdAt
        else { return nil }
        self.init(id: id, name: name, encodedArguments: arguments.description, createdAtMilliseconds: createdAt)
        self.attempt = attempt
        timeLimitMilliseconds = optional.timeLimit
        ageMilliseconds = optional.age
        replyKey = optional.replyKey
        requestID = optional.requestID
        traceparent = optional.traceparent
        tracestate = optional.tracestate
        isTracked = optional.isTracked
    }

    /// The members that may be absent.
    private struct Optionals {
        var timeLimit: Int?
        var age = 0
        var replyKey: String?
        var requestID: String?
        var traceparent: String?
        var tracestate: String?
        var isTracked = false
    }

    init(id: TaskID, name: String, encodedArguments: String, createdAtMilliseconds: Int) {
        self.id = id
        self.name = name
        self.encodedArguments = encodedArguments
        self.createdAtMilliseconds = createdAtMilliseconds
    }
}
