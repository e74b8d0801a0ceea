internal import Metrics
internal import Tracing

extension Metric {
    fileprivate static let spans = counter(
        "tickloop_spans_total",
        "Spans of recorded traces, by what became of them.",
        labels: "outcome"
    )
    fileprivate static let retries = counter(
        "tickloop_span_export_retries_total",
        "Batches of spans that were sent to the collector once more."
    )
    fileprivate static let waiting = gauge("tickloop_spans_waiting", "Spans that wait for the collector.")
}

extension MetricsRegistry {
    /// Adds what became of the spans.
    func add(_ tracer: Tracer) {
        add { page in
            let counters = tracer.counters
            page.add(.spans, counters.exported, ["exported"])
            page.add(.spans, counters.dropped, ["dropped"])
            page.add(.spans, counters.failed, ["failed"])
            page.add(.retries, counters.retries)
            page.add(.waiting, tracer.waitingCount)
        }
    }
}
