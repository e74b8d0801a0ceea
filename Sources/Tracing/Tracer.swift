internal import Basics
package import Metrics
public import Logging
public import Reactor

/// Starts the spans of a process, and has them exported.
///
/// There is none unless a collector is configured.
@ReactorActor
public final class Tracer {
    /// Decides about traces that begin here.
    nonisolated public let sampler: TraceSampler
    private let exporter: SpanExporter
    private var random = RandomBits()

    /// - Parameter resource: What the spans come from: `service.name` and its like.
    public init(_ configuration: TracingConfiguration, resource: [SpanAttribute], logger: Logger) {
        sampler = TraceSampler(share: configuration.sampleRatio)
        exporter = SpanExporter(configuration, resource: resource, logger: logger)
    }

    /// What became of the spans so far.
    var counters: TracingCounters { exporter.counters }
    /// Spans that wait for their export.
    public var waitingCount: Int { exporter.waitingCount }

    /// Starts a span in a place that has been named already, because the next hop is told of it in any case.
    ///
    /// - Returns: Nil unless the trace is recorded.
    public func start(
        _ name: @autoclosure () -> String,
        _ kind: SpanKind,
        at context: TraceContext,
        parent: UInt64?,
        traceState: String? = nil
    ) -> TraceSpan? {
        guard context.isSampled else { return nil }
        return span(name(), kind, context, parent: parent, traceState)
    }

    /// Starts a span below another party's.
    ///
    /// - Returns: Nil unless the trace is recorded.
    public func start(
        _ name: @autoclosure () -> String,
        _ kind: SpanKind,
        below parent: TraceContext,
        traceState: String?
    ) -> TraceSpan? {
        guard parent.isSampled else { return nil }
        return span(name(), kind, parent.child(using: &random), parent: parent.spanID, traceState)
    }

    /// Exports what waits, and ends.
    ///
    /// - Parameter limit: How long that may take; what is left then is dropped.
    public func drain(within limit: Duration) async { await exporter.drain(within: limit) }

    /// Starts a span below one of ours, by whose clock it goes.
    func start(_ name: String, _ kind: SpanKind, below parent: TraceSpan) -> TraceSpan {
        let place = parent.context.child(using: &random)
        return span(name, kind, place, parent: parent.context.spanID, nil, at: parent.unixNanoseconds)
    }

    func take(_ record: SpanRecord) { exporter.add(record) }

    private func span(
        _ name: String,
        _ kind: SpanKind,
        _ context: TraceContext,
        parent: UInt64?,
        _ traceState: String?,
        // The loop's time is read once a turn, which is too coarse where the order of what several processes did within
        // a millisecond is to be seen.
        at now: UInt64 = UInt64(SystemClock.unixNanoseconds)
    ) -> TraceSpan {
        let record = SpanRecord(
            context: context,
            parentSpanID: parent,
            traceState: traceState,
            name: name,
            kind: kind,
            startNanoseconds: now,
            endNanoseconds: now
        )
        return TraceSpan(record, self)
    }
}

extension Tracer: Measured {
    package func collect(into page: inout MetricsPage) {
        page.add(counters)
        page.gauge(
            "tickloop_spans_waiting",
            "Spans that wait for the collector.",
            waitingCount
        )
    }
}
