public import HTTPClient
public import Metrics
internal import Reactor

extension Metric {
    fileprivate static let latency = histogram(
        "tickloop_upstream_request_duration_seconds",
        "Time from sending a request to the last byte of its response.",
        labels: "upstream"
    )
    fileprivate static let requests = counter(
        "tickloop_upstream_requests_total",
        "Requests to an upstream.",
        labels: "upstream"
    )
    fileprivate static let failures = counter(
        "tickloop_upstream_failures_total",
        "Requests to an upstream that got no response, by what happened.",
        labels: "upstream",
        "reason"
    )
    fileprivate static let retries = counter(
        "tickloop_upstream_retries_total",
        "Requests sent once more because their connection ended first.",
        labels: "upstream"
    )
    fileprivate static let reuses = counter(
        "tickloop_upstream_connection_reuses_total",
        "Requests that found a connection waiting for them.",
        labels: "upstream"
    )
    fileprivate static let waits = counter(
        "tickloop_upstream_waits_total",
        "Requests that had to wait for a connection, to be made or to become free.",
        labels: "upstream"
    )
    fileprivate static let connects = counter(
        "tickloop_upstream_connects_total",
        "Attempts to connect.",
        labels: "upstream"
    )
    fileprivate static let connectFailures = counter(
        "tickloop_upstream_connect_failures_total",
        "Attempts to connect that failed.",
        labels: "upstream"
    )
    fileprivate static let connections = gauge(
        "tickloop_upstream_connections",
        "Connections to an upstream, by what they do.",
        labels: "upstream",
        "state"
    )
    fileprivate static let connectionLimit = gauge(
        "tickloop_upstream_connections_limit",
        "Connections that there may be to an upstream.",
        labels: "upstream"
    )
    fileprivate static let waiting = gauge(
        "tickloop_upstream_waiting_requests",
        "Requests that wait for a connection.",
        labels: "upstream"
    )
    fileprivate static let circuit = gauge(
        "tickloop_upstream_circuit_state",
        "1 for the state that the circuit breaker is in; while open, requests fail at once.",
        labels: "upstream",
        "state"
    )
}

extension MetricsRegistry {
    /// Adds what a client of an upstream counts.
    ///
    /// - Parameter name: The upstream's role, which is what the label says; never an address.
    public func add(_ client: HTTPClient, as name: String) { add { page in page.add(client, as: name) } }
}

extension MetricsPage {
    /// Adds what a client of an upstream counts.
    ///
    /// - Parameter name: The upstream's role, which is what the label says; never an address.
    @ReactorActor
    public mutating func add(_ client: HTTPClient, as name: String) {
        let (statistics, load) = (client.statistics, client.load)
        add(.latency, client.latency, [name])
        add(.requests, statistics.requests, [name])
        for kind in HTTPClientError.Kind.allCases {
            add(.failures, statistics.failuresByKind[kind] ?? 0, [name, kind.rawValue])
        }
        add(.retries, statistics.retries, [name])
        add(.reuses, statistics.reuses, [name])
        add(.waits, statistics.waits, [name])
        add(.connects, statistics.connects, [name])
        add(.connectFailures, statistics.connectFailures, [name])
        add(.connections, load.connecting, [name, "connecting"])
        add(.connections, load.idle, [name, "idle"])
        add(.connections, load.busy, [name, "busy"])
        add(.connectionLimit, client.configuration.connections, [name])
        add(.waiting, load.waiting, [name])
        let circuit = client.circuit
        add(.circuit, circuit == .closed, [name, "closed"])
        add(.circuit, circuit == .open, [name, "open"])
        add(.circuit, circuit == .halfOpen, [name, "half_open"])
    }
}
