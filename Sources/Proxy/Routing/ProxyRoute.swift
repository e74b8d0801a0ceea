internal import HTTPWire
internal import RateLimits
internal import Reactor
internal import TLS
internal import WebAPI

/// Where requests go whose path begins with a prefix.
public struct ProxyRoute: Sendable {
    /// One of those that answer.
    struct Target: Hashable, Sendable {
        let url: UpstreamURL
        /// How much of the requests it gets, beside the others.
        let weight: Int

        /// - Parameter weight: At least 1.
        init(_ url: UpstreamURL, weight: Int = 1) {
            precondition(weight > 0, "who gets nothing is no target")
            self.url = url
            self.weight = weight
        }
    }

    /// With which a path begins; `/` for every path.
    var prefix: String
    /// Who answers.
    var targets: [Target]
    /// What stands in the place of the prefix; empty for the prefix itself.
    var rewrite = ""
    /// Whether `Host` says what the client said.
    var keepsHost = false
    /// Whether upstreams get the token with which a client has come in.
    var passesToken = false
    /// Whether answers are kept and given again, as the upstream's `Cache-Control` says.
    var isCached = false
    /// Peers that are believed about whom they forward.
    var trusted: [AddressRange] = []
    /// From the request's last byte to the head of the answer; then 504.
    var timeout = Duration.seconds(30)
    /// Without progress of a body, either way; then the answer is cut.
    var idleTimeout = Duration.seconds(60)
    /// Without a byte in either direction of a connection that speaks another protocol; then it is closed.
    var tunnelTimeout = Duration.seconds(300)
    /// How long one attempt to connect may take.
    var connectTimeout = Duration.seconds(1)

    /// Whom `https` upstreams are proven by.
    var tls: TLSClientContext?
    /// What upstreams are asked now and then, to learn whether they answer; nil for nothing.
    var checkPath: String?
    /// How often.
    var checkInterval = Duration.seconds(5)

    /// A route with the default times.
    init(prefix: String, targets: [Target]) {
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
        let bytes = path.utf8
        let rest =
            bytes.starts(with: prefix.utf8)
            ? bytes.dropFirst(prefix.utf8.count) : bytes.drop { $0 != UInt8(ascii: "?") }
        return rewrite + String(Substring(rest))
    }
}
