package import Metrics
internal import Reactor

/// What a client has done.
public struct HTTPClientStatistics: Hashable, Sendable {
    @Counter("tickloop_upstream_requests_total", "Requests to an upstream.") package var requests = 0
    @Counter("tickloop_upstream_connection_reuses_total", "Requests that found a connection waiting for them.")
    package var reuses = 0
    @Counter(
        "tickloop_upstream_waits_total",
        "Requests that had to wait for a connection, to be made or to become free."
    )
    package var waits = 0
    @Counter("tickloop_upstream_retries_total", "Requests sent once more because their connection ended first.")
    package var retries = 0
    /// Requests that ended with an error; not those cancelled.
    package var failuresByKind: [HTTPClientError.Kind: Int] = [:]
    @Counter("tickloop_upstream_connects_total", "Attempts to connect.") package var connects = 0
    @Counter("tickloop_upstream_connect_failures_total", "Attempts to connect that failed.")
    package var connectFailures = 0

    package var failures: Int { failuresByKind.values.reduce(0, +) }
}

/// What a client has in hand at a moment; for metrics.
public struct HTTPClientLoad: Hashable, Sendable {
    /// Connections being made.
    public var connecting: Int
    /// Connections without a request.
    public var idle: Int
    /// Connections with a request.
    public var busy: Int
    /// Requests without a connection.
    public var waiting: Int
}

extension HTTPClient: Measured {
    private static let failures = Metric.counter(
        "tickloop_upstream_failures_total",
        "Requests to an upstream that got no response, by what happened.",
        labels: "reason"
    )
    private static let connectionStates = Metric.gauge(
        "tickloop_upstream_connections",
        "Connections to an upstream, by what they do.",
        labels: "state"
    )
    private static let circuitStates = Metric.gauge(
        "tickloop_upstream_circuit_state",
        "1 for the state that the circuit breaker is in; while open, requests fail at once.",
        labels: "state"
    ).announced()

    package func collect(into page: inout MetricsPage) {
        let (statistics, load, circuit) = (statistics, load, circuit)
        page.add(latency)
        page.add(statistics)
        for kind in HTTPClientError.Kind.allCases {
            page.add(Self.failures, statistics.failuresByKind[kind] ?? 0, [kind.rawValue])
        }
        page.add(Self.connectionStates, load.connecting, ["connecting"])
        page.add(Self.connectionStates, load.idle, ["idle"])
        page.add(Self.connectionStates, load.busy, ["busy"])
        page.gauge(
            "tickloop_upstream_connections_limit",
            "Connections that there may be to an upstream.",
            configuration.connections
        )
        page.gauge(
            "tickloop_upstream_waiting_requests",
            "Requests that wait for a connection.",
            load.waiting
        )
        page.add(Self.circuitStates, circuit == .closed, ["closed"])
        page.add(Self.circuitStates, circuit == .open, ["open"])
        page.add(Self.circuitStates, circuit == .halfOpen, ["half_open"])
    }
}
