public import Configuration
public import HTTPServer
internal import HTTPWire
internal import Reactor

/// `[server]`: where a service listens, and the bounds of what it takes from a client (DESIGN.md §6).
public struct ServerSettings: Sendable {
    /// Addresses to listen on.
    public var listen = [ServiceAddress(.tcp(host: "127.0.0.1", port: 8080))]
    /// Addresses that answer `/metrics`; none for those above.
    var metricsListen: [ServiceAddress] = []
    /// What is taken from a client.
    public var http = HTTPServerConfiguration()

    /// Whether `/metrics` is at an address of its own.
    public var tellsMetricsElsewhere: Bool { !metricsListen.isEmpty }
    /// Connections open at once.
    public var connectionLimit: Int { http.connectionLimit }

    /// The keys.
    public static let table = ConfigurationTable(
        "server",
        "Where the service listens, and the bounds of what it takes from a client",
        Self()
    ) {
        Key("listen", \.listen, count: 1...16, "Addresses to listen on")
        Key(
            "metrics_listen",
            \.metricsListen,
            count: 0...16,
            "Addresses that answer /metrics in place of those; none for the same"
        )
        Key(
            "share_port",
            \.http.isPortShared,
            "Lets several processes listen on the same port, among which the kernel spreads connections"
        )
        Key(
            "backlog",
            \.http.backlog,
            in: 1...65_535,
            "Connections that the kernel completes and keeps before they are accepted"
        )
        Key(
            "max_connections",
            \.http.connectionLimit,
            in: 1...1_000_000,
            "Connections open at once; beyond, the longest idle one is closed for a newcomer, or that gets 503"
        )
        Key(
            "max_requests_in_flight",
            \.http.requestLimit,
            in: 1...1_000_000,
            "Requests being answered at once; further ones get 503 OVERLOADED"
        )
        Key(
            "target_wait_ms",
            \.http.targetWait,
            in: 0...600_000,
            "While all own answers take longer and over 256 requests wait, further ones get 503 OVERLOADED; 0: never"
        )
        Key(
            "header_bytes",
            \.http.limits.headBytes,
            in: 1024...1_048_576,
            "Longest request line and header section together, in bytes; longer ones get 431"
        )
        Key(
            "uri_bytes",
            \.http.limits.targetBytes,
            in: 256...65_536,
            "Longest request target, in bytes; longer ones get 414"
        )
        Key(
            "body_bytes",
            \.http.limits.bodyBytes,
            in: 0...1_073_741_824,
            "Largest request body, in bytes; larger ones get 413"
        )
        Key(
            "held_bytes",
            \.http.heldLimitBytes,
            in: 1_048_576...1_099_511_627_776,
            "Memory that waits for all clients together, in bytes; who holds most is cut"
        )
        Key(
            "header_timeout_ms",
            \.http.headTimeout,
            in: 100...600_000,
            "Time to the first byte of a connection, and from there to the end of the header section; then 408"
        )
        Key(
            "body_timeout_ms",
            \.http.bodyTimeout,
            in: 100...600_000,
            "Time without progress of a request body, and in all for one slower than 256 bytes/s; then 408"
        )
        Key(
            "idle_timeout_ms",
            \.http.keepAliveTimeout,
            in: 100...3_600_000,
            "Time that a connection may be idle between two requests"
        )
        Key(
            "write_timeout_ms",
            \.http.writeTimeout,
            in: 100...600_000,
            "Time without progress of a response, and in all for a client slower than 256 bytes/s; then a cut"
        )
    }

    /// The table of a service that listens on a port of its own by default.
    public static func table(port: UInt16) -> ConfigurationTable<Self> {
        table.defaulting { $0.listen = [ServiceAddress(.tcp(host: "127.0.0.1", port: port))] }
    }
}

extension Key {
    /// Where something is that is not asked over HTTP.
    init(_ name: String, _ field: Field<Endpoint>, _ meaning: String) {
        self.init(name, field, form: "HOST:PORT or unix:/PATH", meaning) { try? Endpoint(parsing: $0) }
    }

    init(_ name: String, _ field: Field<ServiceAddress>, _ meaning: String) {
        self.init(name, field, form: ServiceAddress.form, meaning) { ServiceAddress(parsing: $0) }
    }

    init(_ name: String, _ field: Field<[ServiceAddress]>, count: ClosedRange<Int>, _ meaning: String) {
        self.init(name, field, count: count, form: ServiceAddress.form, meaning) { ServiceAddress(parsing: $0) }
    }
}
