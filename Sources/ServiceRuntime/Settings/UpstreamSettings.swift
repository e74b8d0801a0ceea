public import Configuration
public import Reactor

/// `[upstream]`: how the gateway reaches the internal API.
public enum UpstreamSettings {
    /// The address of the internal API.
    public static let address = ConfigurationKey<Endpoint>.parsed(
        "upstream.address",
        default: "127.0.0.1:8000",
        form: Settings.endpointForm,
        "Address of the internal API",
        parse: Settings.endpoint
    )

    /// Connections kept to it.
    public static let connections = ConfigurationKey<Int>.integer(
        "upstream.connections",
        default: 256,
        in: 1...10_000,
        "Connections to the internal API at most; each carries one request at a time"
    )

    /// Requests that wait for a connection.
    public static let maxWaiters = ConfigurationKey<Int>.integer(
        "upstream.max_waiters",
        default: 4096,
        in: 0...1_000_000,
        "Requests that may wait for a connection; further ones get 503"
    )

    /// How long one attempt to connect may take.
    public static let connectTimeout = ConfigurationKey<Duration>.milliseconds(
        "upstream.connect_timeout_ms",
        default: 1000,
        in: 10...60_000,
        "Time for one attempt to connect"
    )

    /// How long an answer may take.
    public static let timeout = ConfigurationKey<Duration>.milliseconds(
        "upstream.timeout_ms",
        default: 10_000,
        in: 10...600_000,
        "Time from a request to the head of its response; then 504"
    )

    /// How long an idle connection is kept.
    public static let idleTimeout = ConfigurationKey<Duration>.milliseconds(
        "upstream.idle_timeout_ms",
        default: 60_000,
        in: 100...3_600_000,
        "Time that an idle connection is kept; less than the API keeps it, so that we close first"
    )

    /// How old a connection may get.
    public static let maxAge = ConfigurationKey<Duration>.milliseconds(
        "upstream.max_age_ms",
        default: 600_000,
        in: 1000...86_400_000,
        "Age at which a connection is replaced, so that a change of addresses is noticed"
    )

    /// Failures in a row that open the circuit.
    public static let circuitFailures = ConfigurationKey<Int>.integer(
        "upstream.circuit_failures",
        default: 20,
        in: 1...10_000,
        "Failures in a row after which requests are refused at once with 502"
    )

    /// How long the circuit stays open.
    public static let circuitOpen = ConfigurationKey<Duration>.milliseconds(
        "upstream.circuit_open_ms",
        default: 500,
        in: 10...60_000,
        "Time until one request is let through again to see whether the API is back"
    )

    static let section = ConfigurationSection(
        "upstream",
        "How the internal API is reached",
        address,
        connections,
        maxWaiters,
        connectTimeout,
        timeout,
        idleTimeout,
        maxAge,
        circuitFailures,
        circuitOpen
    )
}
