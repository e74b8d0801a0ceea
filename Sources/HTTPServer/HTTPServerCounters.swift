package import Metrics
internal import Reactor

/// What a server has done, and has in hand.
public struct HTTPServerCounters: Hashable, Sendable {
    private static let refused = Metric.counter(
        "tickloop_http_refused_total",
        "Requests and connections refused before a route was looked for.",
        labels: "reason"
    )

    @Gauge(.gauge("tickloop_http_connections", "Connections of clients open now.").announced())
    package var openConnections = 0
    @Gauge("tickloop_http_requests_in_flight", "Requests being answered now.") package var openRequests = 0
    @Gauge(
        .gauge(
            "tickloop_http_streams",
            "Answers without an end under way now; they are not among the requests in flight."
        ).announced()
    )
    package var openStreams = 0
    @Counter("tickloop_http_connections_accepted_total", "Connections accepted.") package var connections = 0
    /// Requests handed to the handler.
    package var requests = 0
    @Counter(Self.refused, "malformed") package var malformed = 0
    @Counter(Self.refused, "too_large") package var tooLarge = 0
    @Counter(Self.refused, "too_slow") package var tooSlow = 0
    @Counter(Self.refused, "overloaded") package var overloads = 0
    /// Those to which the handler gave no answer in time.
    @Counter(Self.refused, "unanswered") package var unanswered = 0
    @Counter("tickloop_http_requests_abandoned_total", "Requests whose client left before the answer.")
    package var abandonedRequests = 0
    @Counter(
        "tickloop_http_connections_displaced_total",
        "Connections without a request that were closed to make room for newcomers."
    )
    package var displacedConnections = 0
    /// Connections whose TLS handshake failed, or gave way to others.
    package var failedHandshakes = 0
    @Counter(
        "tickloop_http_connections_shed_total",
        "Connections cut because all together held more memory than they may."
    )
    package var shedConnections = 0
    @Counter(
        "tickloop_http_descriptor_shortages_total",
        "Times that accepting paused because descriptors ran out."
    )
    package var descriptorShortages = 0

    init() {}
}

extension HTTPServer: Measured {
    package func collect(into page: inout MetricsPage) {
        page.add(counters)
        page.gauge(
            "tickloop_http_requests_in_flight_limit",
            "Requests that may be in flight; further ones get 503.",
            requestLimit
        )
        page.gauge(
            "tickloop_http_connections_limit",
            "Connections that may be open; for further ones the longest idle are closed.",
            configuration.connectionLimit
        )
        page.gauge(
            "tickloop_http_held_bytes",
            "Memory that waits for clients to read, or to send the rest of a request.",
            heldBytes
        )
        page.gauge(
            "tickloop_http_held_bytes_limit",
            "Memory that may wait for clients; beyond, the connections that hold most are cut.",
            configuration.heldLimitBytes
        )
    }
}
