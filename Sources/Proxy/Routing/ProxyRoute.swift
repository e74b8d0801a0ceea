internal import HTTPWire
internal import Reactor
public import TLS
internal import WebAPI

/// Where requests go whose path begins with a prefix.
public struct ProxyRoute: Sendable {
    /// One of those that answer.
    public struct Target: Hashable, Sendable {
        /// Where it is.
        public let url: UpstreamURL
        /// How much of the requests it gets, beside the others.
        public let weight: Int

        /// - Parameter weight: At least 1.
        public init(_ url: UpstreamURL, weight: Int = 1) {
            precondition(weight > 0, "who gets nothing is no target")
            self.url = url
            self.weight = weight
        }
    }

    /// With which a path begins; `/` for every path.
    public var prefix: String
    /// Who answers.
    public var targets: [Target]
    /// What stands in the place of the prefix; empty for the prefix itself.
    public var rewrite = ""
    /// Whether `Host` says what the client said.
    public var keepsHost = false
    /// Whether upstreams get the token with which a client has come in.
    public var passesToken = false
    /// Whether answers are kept and given again, as the upstream's `Cache-Control` says.
    public var isCached = false
    /// From the request's last byte to the head of the answer; then 504.
    public var timeout = Duration.seconds(30)
    /// Without progress of a body, either way; then the answer is cut.
    public var idleTimeout = Duration.seconds(60)
    /// Without a byte in either direction of a connection that speaks another protocol; then it is closed.
    public var tunnelTimeout = Duration.seconds(300)
    /// How long one attempt to connect may take.
    public var connectTimeout = Duration.seconds(1)

    /// Whom `https` upstreams are proven by.
    public var tls: TLSClientContext?
    /// What upstreams are asked now and then, to learn whether they answer; nil for nothing.
    public var checkPath: String?
    /// How often.
    public var checkInterval = Duration.seconds(5)

    /// A route with the default times.
    public init(prefix: String, targets: [Target]) {
        precondition(prefix.hasPrefix("/"), "a prefix begins with a slash")
        precondition(!targets.isEmpty, "somebody answers")
        self.prefix = prefix
        self.targets = targets
    }

    /// Whether another route asks the same of the same upstreams.
    func asksAs(_ other: ProxyRoute) -> Bool {
        prefix == other.prefix && targets == other.targets && rewrite == other.rewrite
            && keepsHost == other.keepsHost && passesToken == other.passesToken
    }

    /// Whether `Authorization` is left out: it says who the client is to us, and a token is good for whoever has it.
    @ReactorActor
    func hidesToken(of context: RequestContext) -> Bool { context.caller != nil && !passesToken }

    /// The head of a request as upstreams see it, as far as it matters to a cache.
    @ReactorActor
    func forwardedHead(of context: RequestContext) -> RequestHead {
        hidesToken(of: context) ? context.head.without("authorization") : context.head
    }

    /// Appends what an upstream is asked for.
    func appendTarget(of head: RequestHead, to bytes: inout [UInt8]) {
        if rewrite.isEmpty {
            bytes.append(contentsOf: head.pathAndQueryBytes)
        } else {
            bytes.append(utf8: forwarded(head.pathAndQuery))
        }
    }

    /// What an upstream is asked for in the place of a path, or of a path with its query.
    func forwarded(_ path: String) -> String {
        guard !rewrite.isEmpty else { return path }
        return rewrite + (path.hasPrefix(prefix) ? path.dropFirst(prefix.count) : path.drop { $0 != "?" })
    }
}
