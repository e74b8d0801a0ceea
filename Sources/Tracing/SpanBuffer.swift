internal import Metrics
/// What tracing has done since the start of the process; for metrics.
///
/// Each recorded span ends in one of the three: exported, dropped or failed.
struct TracingCounters: Hashable, Sendable {
    private static let spans = Metric.counter(
        "tickloop_spans_total",
        "Spans of recorded traces, by what became of them.",
        labels: "outcome"
    )

    /// Spans that ended.
    var recorded = 0
    /// Those that the collector took.
    @Counter(Self.spans, "exported") var exported = 0
    /// Those that found no room, or were left at the end of the process.
    @Counter(Self.spans, "dropped") var dropped = 0
    /// Those that were sent, and that the collector refused or did not take in time.
    @Counter(Self.spans, "failed") var failed = 0
    @Counter(
        "tickloop_span_export_retries_total",
        "Batches of spans that were sent to the collector once more."
    )
    var retries = 0
}

/// Spans that wait for their export, up to a bound. Pure.
///
/// Past the bound the newest is dropped: the older ones are the longer part of a trace already, and dropping costs
/// nothing then.
struct SpanBuffer {
    private let limit: Int
    private let batchLimit: Int
    private var spans: [SpanRecord] = []
    private(set) var counters = TracingCounters()

    /// - Parameters:
    ///   - limit: Most spans that wait.
    ///   - batchLimit: Most spans of one request.
    init(limit: Int, batchLimit: Int) {
        precondition(batchLimit > 0 && limit >= batchLimit, "a batch must fit")
        self.limit = limit
        self.batchLimit = batchLimit
    }

    var count: Int { spans.count }
    var isEmpty: Bool { spans.isEmpty }
    /// Whether there is enough for a request of full size.
    var hasFullBatch: Bool { spans.count >= batchLimit }

    mutating func append(_ span: SpanRecord) {
        counters.recorded += 1
        guard spans.count < limit else {
            counters.dropped += 1
            return
        }
        spans.append(span)
    }

    /// The spans of the next request, oldest first.
    mutating func takeBatch() -> [SpanRecord] {
        guard spans.count > batchLimit else {
            var batch: [SpanRecord] = []
            swap(&batch, &spans)
            return batch
        }
        defer { spans.removeFirst(batchLimit) }
        return Array(spans[..<batchLimit])
    }

    /// What became of spans that were taken.
    mutating func noteOutcome(exported: Int = 0, failed: Int = 0) {
        counters.exported += exported
        counters.failed += failed
    }

    /// A request is to be sent again.
    mutating func willRetry() { counters.retries += 1 }

    /// Gives up what waits.
    mutating func drop() {
        counters.dropped += spans.count
        spans = []
    }
}
