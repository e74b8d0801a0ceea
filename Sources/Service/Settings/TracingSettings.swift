internal import Configuration
internal import Tracing

/// `[tracing]`: which requests are traced, and who collects the spans.
struct TracingSettings: Sendable {
    /// Nil: nothing is traced.
    var collector: CollectorAddress?
    var spans = TracingConfiguration()

    static let table = ConfigurationTable("tracing", "Which requests are traced, and who collects the spans", Self()) {
        Key(
            "endpoint",
            optional: \.collector,
            form: CollectorAddress.form,
            "OpenTelemetry collector, which gets spans at /v1/traces",
            parse: { CollectorAddress(parsing: $0) }
        )
        Key(
            "sample_ratio",
            \.spans.sampleRatio,
            in: 0...1,
            "Share of the traces that begin here that are recorded; a client's own traceparent decides for itself"
        )
        Key("batch_spans", \.spans.batchSpans, in: 1...4096, "Spans in one request to the collector")
        Key(
            "queue_spans",
            \.spans.queueSpans,
            in: 1...65_536,
            "Spans that may wait for the collector, each 1 to 4 kB; further ones are dropped and counted"
        )
        Key(
            "flush_interval_ms",
            \.spans.flushInterval,
            in: 10...60_000,
            "Time for which spans are gathered before they are sent, unless a request is full"
        )
        Key("timeout_ms", \.spans.timeout, in: 10...60_000, "Time in which the collector must answer")
    }
}
