/// Where requests go whose path begins with a prefix.
public struct ProxyRoute: Sendable {
    /// With which a path begins; `/` for every path.
    public var prefix: String
    /// Who answers.
    public var upstreams: [UpstreamURL]
    /// From the request's last byte to the head of the answer; then 504.
    public var timeout = Duration.seconds(30)
    /// Without progress of a body, either way; then the answer is cut.
    public var idleTimeout = Duration.seconds(60)
    /// Without a byte in either direction of a connection that speaks another protocol; then it is closed.
    public var tunnelTimeout = Duration.seconds(300)
    /// How long one attempt to connect may take.
    public var connectTimeout = Duration.seconds(1)

    /// A route with the default times.
    public init(prefix: String, upstreams: [UpstreamURL]) {
        precondition(prefix.hasPrefix("/"), "a prefix begins with a slash")
        precondition(!upstreams.isEmpty, "somebody answers")
        self.prefix = prefix
        self.upstreams = upstreams
    }
}
