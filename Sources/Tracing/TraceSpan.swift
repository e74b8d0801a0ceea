public import Reactor

/// Something that takes time in a recorded trace, from its start to ``end()``.
///
/// There is one only where a trace is recorded: everybody else holds nil and pays for a look at it.
@ReactorActor
public final class TraceSpan {
    /// Its place in the trace: what the next hop is told, as its parent.
    public let context: TraceContext

    private let tracer: Tracer
    private let start: Instant
    private let startNanoseconds: UInt64
    /// Nil once it has ended.
    private var record: SpanRecord?

    init(_ record: SpanRecord, _ tracer: Tracer) {
        context = record.context
        startNanoseconds = record.startNanoseconds
        start = Instant.now
        self.tracer = tracer
        self.record = record
    }

    /// The time since 1970-01-01T00:00:00Z: when it started, and what has passed since. The wall clock may be set
    /// meanwhile, and spans below this one lie within it.
    var unixNanoseconds: UInt64 { startNanoseconds + UInt64(max(0, (Instant.now - start) / .nanoseconds(1))) }

    /// Sets a property; under a key that it does not have yet.
    public func set(_ key: String, _ value: SpanValue) { record?.attributes.append(SpanAttribute(key, value)) }

    /// Says that another span has to do with this one without being its ancestor.
    ///
    /// Links past ``SpanRecord/linkLimit`` are left out.
    public func link(to other: TraceContext) {
        guard let count = record?.links.count, count < SpanRecord.linkLimit else { return }
        record?.links.append(other)
    }

    /// Says that it failed.
    ///
    /// - Parameters:
    ///   - type: One of a small number of words, for `error.type`.
    ///   - message: A sentence for a person.
    public func fail(_ type: String, _ message: String = "") {
        set("error.type", .text(type))
        record?.status = .failed(message)
    }

    /// Ends it, now. Afterwards nothing changes it any more.
    public func end() {
        guard var record = record.take() else { return }
        record.endNanoseconds = unixNanoseconds
        tracer.take(record)
    }

    // MARK: Below it

    /// Starts a span below this one.
    public func child(_ name: String, _ kind: SpanKind) -> TraceSpan { tracer.start(name, kind, below: self) }

    /// Starts a span for what is done once on behalf of several, such as a statement that serves a batch of tasks.
    ///
    /// It took place once, so it is one span: below the first of them. The others are linked with it, from both sides,
    /// so that each trace leads to it.
    ///
    /// - Returns: Nil if there is nobody on whose behalf.
    public static func child(ofAll parents: [TraceSpan], _ name: String, _ kind: SpanKind) -> TraceSpan? {
        guard let first = parents.first else { return nil }
        let span = first.child(name, kind)
        for other in parents.dropFirst() {
            span.link(to: other.context)
            other.link(to: span.context)
        }
        return span
    }

    /// What to append to a statement of this span, so that the database's own views and logs name the trace.
    ///
    /// Only digits of ours are in it, never a client's text.
    ///
    /// - SeeAlso: The sqlcommenter specification, which OpenTelemetry refers to for this.
    public var sqlComment: String { "/*traceparent='\(context)'*/" }
}
