public import Configuration
public import Tracing

/// `[tracing]`: which requests are traced, and who collects the spans.
public enum TracingSettings {
    /// The collector.
    public static let endpoint = ConfigurationKey<CollectorAddress?>.optional(
        "tracing.endpoint",
        form: CollectorAddress.form,
        "OpenTelemetry collector, which gets spans at /v1/traces",
        parse: { CollectorAddress(parsing: $0) }
    )

    /// The share of new traces that are recorded.
    public static let sampleRatio = ConfigurationKey<Double>.number(
        "tracing.sample_ratio",
        default: 1,
        in: 0...1,
        "Share of the traces that begin here that are recorded; a client's own traceparent decides for itself"
    )

    /// Spans of one request to the collector.
    public static let batchSpans = ConfigurationKey<Int>.integer(
        "tracing.batch_spans",
        default: 256,
        in: 1...4096,
        "Spans in one request to the collector"
    )

    /// Spans that wait.
    public static let queueSpans = ConfigurationKey<Int>.integer(
        "tracing.queue_spans",
        default: 2048,
        in: 1...65_536,
        "Spans that may wait for the collector, each 1 to 4 kB; further ones are dropped and counted"
    )

    /// How long spans are gathered.
    public static let flushInterval = ConfigurationKey<Duration>.milliseconds(
        "tracing.flush_interval_ms",
        default: 1000,
        in: 10...60_000,
        "Time for which spans are gathered before they are sent, unless a request is full"
    )

    /// How long the collector may take.
    public static let timeout = ConfigurationKey<Duration>.milliseconds(
        "tracing.timeout_ms",
        default: 5000,
        in: 10...60_000,
        "Time in which the collector must answer"
    )

    static let section = ConfigurationSection(
        "tracing",
        "Which requests are traced, and who collects the spans",
        endpoint,
        sampleRatio,
        batchSpans,
        queueSpans,
        flushInterval,
        timeout
    )
}
