public import Configuration
public import Reactor

/// `[server]`: where a service listens, and the bounds of what it takes from a client (DESIGN.md §6).
public enum ServerSettings {
    /// Addresses to listen on.
    public static let listen = ConfigurationKey<[Endpoint]>.list(
        "server.listen",
        default: ["127.0.0.1:8080"],
        count: 1...16,
        form: Settings.endpointForm,
        "Addresses to listen on",
        parse: Settings.endpoint
    )

    /// Addresses that answer `/metrics`, if not those above.
    public static let metricsListen = ConfigurationKey<[Endpoint]>.list(
        "server.metrics_listen",
        default: [],
        count: 0...16,
        form: Settings.endpointForm,
        "Addresses that answer /metrics in the place of those above; none for the same",
        parse: Settings.endpoint
    )

    /// Whether several processes may listen on one port.
    public static let sharePort = ConfigurationKey<Bool>.boolean(
        "server.share_port",
        default: false,
        "Lets several processes listen on the same port, among which the kernel spreads connections"
    )

    /// Connections that the kernel keeps before they are accepted.
    public static let backlog = ConfigurationKey<Int>.integer(
        "server.backlog",
        default: 1024,
        in: 1...65_535,
        "Connections that the kernel completes and keeps before they are accepted"
    )

    /// Connections open at once.
    public static let maxConnections = ConfigurationKey<Int>.integer(
        "server.max_connections",
        default: 10_000,
        in: 1...1_000_000,
        "Connections open at once; beyond, the longest idle one is closed for a newcomer, or that gets 503"
    )

    /// Requests being answered at once.
    public static let maxRequestsInFlight = ConfigurationKey<Int>.integer(
        "server.max_requests_in_flight",
        default: 1024,
        in: 1...1_000_000,
        "Requests being answered at once; further ones get 503 OVERLOADED"
    )

    /// How long requests should wait for their answers at most.
    public static let targetWait = ConfigurationKey<Duration>.milliseconds(
        "server.target_wait_ms",
        default: 100,
        in: 0...600_000,
        "While all answers take longer and over 256 requests wait, further ones get 503 OVERLOADED; 0: never"
    )

    /// Longest request line and header section, in bytes.
    public static let headerBytes = ConfigurationKey<Int>.integer(
        "server.header_bytes",
        default: 16_384,
        in: 1024...1_048_576,
        "Longest request line and header section together, in bytes; longer ones get 431"
    )

    /// Longest request target, in bytes.
    public static let uriBytes = ConfigurationKey<Int>.integer(
        "server.uri_bytes",
        default: 8192,
        in: 256...65_536,
        "Longest request target, in bytes; longer ones get 414"
    )

    /// Largest request body, in bytes.
    public static let bodyBytes = ConfigurationKey<Int>.integer(
        "server.body_bytes",
        default: 1_048_576,
        in: 0...1_073_741_824,
        "Largest request body, in bytes; larger ones get 413"
    )

    /// Memory that waits for clients, in bytes.
    public static let heldBytes = ConfigurationKey<Int>.integer(
        "server.held_bytes",
        default: 33_554_432,
        in: 1_048_576...1_099_511_627_776,
        "Memory that waits for all clients together, in bytes; who holds most is cut"
    )

    /// For the first byte of a connection, and for the rest of a header section.
    public static let headerTimeout = ConfigurationKey<Duration>.milliseconds(
        "server.header_timeout_ms",
        default: 10_000,
        in: 100...600_000,
        "Time to the first byte of a connection, and from there to the end of the header section; then 408"
    )

    /// For a request body.
    public static let bodyTimeout = ConfigurationKey<Duration>.milliseconds(
        "server.body_timeout_ms",
        default: 30_000,
        in: 100...600_000,
        "Time without progress of a request body, and in all for one slower than 256 bytes/s; then 408"
    )

    /// Between two requests of a connection.
    public static let idleTimeout = ConfigurationKey<Duration>.milliseconds(
        "server.idle_timeout_ms",
        default: 75_000,
        in: 100...3_600_000,
        "Time that a connection may be idle between two requests"
    )

    /// For a response.
    public static let writeTimeout = ConfigurationKey<Duration>.milliseconds(
        "server.write_timeout_ms",
        default: 30_000,
        in: 100...600_000,
        "Time without progress of a response, and in all for a client slower than 256 bytes/s; then a cut"
    )

    /// The section, with the addresses that a service listens on by default.
    static func section(listen addresses: [String]) -> ConfigurationSection {
        ConfigurationSection(
            "server",
            "Where the service listens, and the bounds of what it takes from a client",
            listen.defaulting(toTexts: addresses),
            metricsListen,
            sharePort,
            backlog,
            maxConnections,
            maxRequestsInFlight,
            targetWait,
            headerBytes,
            uriBytes,
            bodyBytes,
            heldBytes,
            headerTimeout,
            bodyTimeout,
            idleTimeout,
            writeTimeout
        )
    }
}

/// What the keys of several sections have in common.
enum Settings {
    static let endpointForm = "HOST:PORT or unix:/PATH"

    static func endpoint(_ text: String) -> Endpoint? { try? Endpoint(parsing: text) }
}
