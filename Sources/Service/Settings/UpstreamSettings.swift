public import Configuration
public import HTTPClient
internal import HTTPWire
internal import Reactor

/// `[upstream]`: how the gateway reaches the internal API.
public struct UpstreamSettings: Sendable {
    /// The address of the internal API.
    public var address = ServiceAddress(.tcp(host: "127.0.0.1", port: 8000))
    /// How it is asked.
    public var client: HTTPClientConfiguration

    init() {
        client = HTTPClientConfiguration()
        client.waitingRequests = 4096
        // Ten years of days are 165 kB; what is larger is not an answer of ours.
        client.responseLimits.bodyBytes = 16 * 1024 * 1024
    }

    /// The keys.
    public static let table = ConfigurationTable("upstream", "How the internal API is reached", Self()) {
        Key("address", \.address, "Address of the internal API")
        Key(
            "connections",
            \.client.connections,
            in: 1...10_000,
            "Connections to the internal API at most; each carries one request at a time"
        )
        Key(
            "max_waiters",
            \.client.waitingRequests,
            in: 1...1_000_000,
            "Requests that may wait for a connection; further ones get 503"
        )
        Key("connect_timeout_ms", \.client.connectTimeout, in: 10...60_000, "Time for one attempt to connect")
        Key(
            "timeout_ms",
            \.client.responseHeadTimeout,
            in: 10...600_000,
            "Time from a request to the head of its response; then 504"
        )
        Key(
            "idle_timeout_ms",
            \.client.idleTimeout,
            in: 100...3_600_000,
            "Time that an idle connection is kept; less than the API keeps it, so that we close first"
        )
        Key(
            "max_age_ms",
            \.client.connectionAge,
            in: 1000...86_400_000,
            "Age at which a connection is replaced, so that a change of addresses is noticed"
        )
        Key(
            "circuit_failures",
            \.client.circuitBreaker.failures,
            in: 1...10_000,
            "Failures in a row after which requests are refused at once with 502"
        )
        Key(
            "circuit_open_ms",
            \.client.circuitBreaker.longestOpening,
            in: 10...60_000,
            "Time until one request is let through again to see whether the API is back"
        )
    }
}
