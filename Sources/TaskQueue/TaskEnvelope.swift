internal import JSONWire

/// A task as it travels through Redis: one JSON object in one field of a stream entry.
///
///     {"id":"…","name":"prices.average","arguments":{…},"attempt":1,"created_at":1736121600000,
///      "deadline":1736121605000,"reply":"q:{tasks}:reply:…","request_id":"…","traceparent":"…","tracked":true}
///
/// Members without a value are left out. Names are stable: workers of an older version read envelopes of a newer one,
/// so unknown members are ignored.
public struct TaskEnvelope: Equatable, Sendable {
    /// Longest envelope that is read or written, in bytes.
    static let limitBytes = 1024 * 1024

    let id: TaskID
    let name: String
    /// What the handler gets, as JSON. It is passed on as it came, and parsed by whom it concerns.
    let encodedArguments: String
    /// Counted from 1; deliveries to workers that died are counted by the stream and come on top.
    var attempt = 1
    /// Unix time in milliseconds, by the submitter's clock.
    let createdAtMilliseconds: Int
    /// Unix time in milliseconds after which nobody wants the result; nil for a task that is never too late.
    var deadlineMilliseconds: Int?
    /// The stream on which somebody waits; nil when nobody does.
    var replyKey: String?
    var requestID: String?
    var traceparent: String?
    var tracestate: String?
    /// Whether a state can be asked for by id.
    var isTracked = false

    /// Whether the deadline has passed at a wall-clock time. Clocks of different machines are compared here; they are
    /// assumed to be synchronized to well under the length of a deadline.
    func isExpired(at unixTime: Duration) -> Bool {
        guard let deadlineMilliseconds else { return false }
        return unixTime.wholeMilliseconds >= deadlineMilliseconds
    }

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
            if let deadlineMilliseconds { writer.member("deadline", deadlineMilliseconds) }
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
            case "deadline": optional.deadline = member.value.integer
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
        deadlineMilliseconds = optional.deadline
        replyKey = optional.replyKey
        requestID = optional.requestID
        traceparent = optional.traceparent
        tracestate = optional.tracestate
        isTracked = optional.isTracked
    }

    /// The members that may be absent.
    private struct Optionals {
        var deadline: Int?
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
