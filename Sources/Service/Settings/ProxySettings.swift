public import Configuration

/// `[[proxy]]`: where requests go whose path is none of the gateway's own.
public struct ProxySettings: Sendable {
    /// Whose name the upstream is asked under.
    public enum Host: String, CaseIterable, Sendable {
        /// The one in the upstream's URL.
        case replace
        /// The one that the client said.
        case keep
    }

    /// With what the path begins.
    public var prefix = "/categories/"
    /// Who answers.
    public var upstreams = ["simulator"]
    /// From the end of a request to the head of its answer.
    public var timeout = Duration.seconds(30)
    /// For one attempt to connect.
    public var connectTimeout = Duration.seconds(1)
    /// Without progress of a body.
    public var idleTimeout = Duration.seconds(60)
    /// Without a byte on a connection that speaks another protocol.
    public var tunnelTimeout = Duration.seconds(300)
    /// What `Host` says.
    public var host = Host.replace
    /// What stands in the place of the prefix; empty for the prefix itself.
    public var rewrite = ""

    /// The rows.
    public static let table = RepeatedTable.listed(
        "proxy",
        "Where requests go that are not the gateway's own; the longest prefix wins",
        count: 0...64,
        Self(),
        defaults: [Self()]
    ) {
        Key(
            "prefix",
            \.prefix,
            length: 1...1024,
            form: "a path that begins and ends with a slash",
            "With what a path begins; / for every other path"
        ) { $0.hasPrefix("/") && $0.hasSuffix("/") }
        .required
        Key(
            "upstreams",
            \.upstreams,
            count: 1...32,
            form: "http://HOST:PORT [weight=N] or \"simulator\"",
            "Who answers; the less loaded of two drawn by weight"
        ) { isUpstream($0) ? $0 : nil }
        .required
        Key("timeout_ms", \.timeout, in: 10...3_600_000, "Time from a request to the head of its answer; then 504")
        Key("connect_timeout_ms", \.connectTimeout, in: 10...60_000, "Time for one attempt to connect")
        Key("idle_timeout_ms", \.idleTimeout, in: 10...3_600_000, "Time without progress of a body; then a cut")
        Key(
            "tunnel_timeout_ms",
            \.tunnelTimeout,
            in: 10...86_400_000,
            "Time without a byte on a connection of another protocol"
        )
        Key("host", \.host, "What Host says: the host of the upstream's URL, or what the client said")
        Key(
            "rewrite",
            \.rewrite,
            length: 0...1024,
            form: "a path that begins and ends with a slash",
            "Takes the place of the prefix; empty for none"
        ) { $0.hasPrefix("/") && $0.hasSuffix("/") }
    }

    private static func isUpstream(_ text: String) -> Bool {
        text == "simulator" || text.hasPrefix("simulator ") || text.hasPrefix("http://")
    }
}
