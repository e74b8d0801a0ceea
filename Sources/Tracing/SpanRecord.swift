/// What a span is in the exchange between two parties; the numbers are OTLP's.
public enum SpanKind: Int, Sendable {
    /// Work within one process.
    case `internal` = 1
    /// Answering a request.
    case server = 2
    /// Asking another party and waiting for its answer.
    case client = 3
    /// Handing over a message.
    case producer = 4
    /// Processing a message.
    case consumer = 5

    /// Whether a parent of such a span is another process's.
    var hasRemoteParent: Bool { self == .server || self == .consumer }
}

/// The value of an attribute.
public enum SpanValue: Hashable, Sendable {
    case text(String)
    case integer(Int)
    case number(Double)
    case flag(Bool)

    /// The longest text that is kept: with the bound on spans, this bounds the memory of tracing.
    static let limitBytes = 1024

    /// The value without what is too much of it.
    var bounded: SpanValue {
        guard case .text(let text) = self, text.utf8.count > Self.limitBytes else { return self }
        return .text(String(decoding: text.utf8.prefix(Self.limitBytes), as: UTF8.self))
    }
}

extension SpanValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral {
    /// Makes a ``text(_:)``.
    public init(stringLiteral text: String) { self = .text(text) }
    /// Makes an ``integer(_:)``.
    public init(integerLiteral number: Int) { self = .integer(number) }
    /// Makes a ``flag(_:)``.
    public init(booleanLiteral flag: Bool) { self = .flag(flag) }
}

/// A property of a span or of the process that it comes from, named after OpenTelemetry's semantic conventions.
public struct SpanAttribute: Hashable, Sendable {
    /// Such as `http.route`.
    let key: String
    let value: SpanValue

    /// Makes an attribute.
    public init(_ key: String, _ value: SpanValue) {
        self.key = key
        self.value = value.bounded
    }
}

/// How what a span stands for ended.
enum SpanStatus: Hashable, Sendable {
    /// Well, or not for us to say, as with a 404.
    case unset
    /// Badly; with a sentence for a person, which may be empty.
    case failed(String)
}

/// A span that has ended: what is exported of it.
struct SpanRecord: Hashable, Sendable {
    /// Most links of a span; OpenTelemetry's own default.
    static let linkLimit = 128

    let context: TraceContext
    /// Nil where the trace begins.
    let parentSpanID: UInt64?
    let traceState: String?
    var name: String
    let kind: SpanKind
    /// Nanoseconds since 1970-01-01T00:00:00Z.
    let startNanoseconds: UInt64
    /// Nanoseconds since 1970-01-01T00:00:00Z; not before the start.
    var endNanoseconds: UInt64
    var attributes: [SpanAttribute] = []
    /// Spans that this one has to do with and that are not its ancestors, perhaps of other traces.
    var links: [TraceContext] = []
    var status = SpanStatus.unset
}
