internal import Reactor
public import TLS

/// Where spans go, which, and within which bounds.
public struct TracingConfiguration: Sendable {
    /// Who takes the spans.
    public var collector: CollectorAddress
    /// Whom to trust, where the collector is reached over TLS.
    public var tls: TLSClientContext?
    /// The part of the traces that begin here and are recorded, from 0 to 1.
    public var sampleRatio = 1.0
    /// Most spans of one request.
    public var batchSpans = 256
    /// Most spans that wait; further ones are dropped. Not fewer than ``batchSpans``.
    public var queueSpans = 2048
    /// How long a span waits at most before it is sent, while the collector keeps up.
    public var flushInterval = Duration.seconds(1)
    /// How long the collector may take for one request.
    public var timeout = Duration.seconds(5)
    /// How often a batch is sent at most.
    var attemptLimit = 8
    /// The longest wait before a batch is sent again the first time; it doubles with each further one.
    var retryDelayFirst = Duration.milliseconds(500)
    /// The longest wait of all.
    var retryDelayCap = Duration.seconds(10)

    /// Makes a configuration with the defaults above.
    public init(collector: CollectorAddress = .local) { self.collector = collector }
}

/// A collector that takes OTLP over HTTP.
public struct CollectorAddress: Hashable, Sendable {
    /// What its address looks like, to complete "must be …".
    public static let form = "http(s)://HOST[:PORT][/PATH]"

    /// Whether it is reached over TLS.
    public let isSecure: Bool
    let endpoint: Endpoint
    /// For the `Host` field.
    let authority: String
    /// The path of the trace service.
    let target: String

    /// The collector of this machine, where OpenTelemetry's exporters send by default.
    public static let local = CollectorAddress(
        endpoint: .tcp(host: "127.0.0.1", port: 4318),
        authority: "127.0.0.1:4318",
        target: "/v1/traces"
    )

    private init(endpoint: Endpoint, authority: String, target: String) {
        self.endpoint = endpoint
        self.authority = authority
        self.target = target
        isSecure = false
    }

    /// Reads a base URL in the sense of `OTEL_EXPORTER_OTLP_ENDPOINT`: the spans go to `/v1/traces` below it.
    ///
    /// - Returns: Nil for anything else.
    public init?(parsing url: String) {
        isSecure = url.hasPrefix("https://")
        guard isSecure || url.hasPrefix("http://"), url.utf8.allSatisfy({ (0x21...0x7e).contains($0) }) else {
            return nil
        }
        let rest = url.dropFirst(isSecure ? 8 : 7)
        let host = rest.prefix { $0 != "/" }
        var path = rest.dropFirst(host.count)
        guard !host.contains(where: { "@?#\\\"".contains($0) }), !path.contains(where: { "?#".contains($0) }) else {
            return nil
        }
        while path.hasSuffix("/") { path = path.dropLast() }
        let hasPort = host.hasPrefix("[") ? !host.hasSuffix("]") : host.contains(":")
        // 4318 is registered for OTLP over HTTP.
        guard let endpoint = try? Endpoint(parsing: hasPort ? String(host) : "\(host):4318") else { return nil }
        guard case .tcp(_, port: 1...) = endpoint else { return nil }
        self.endpoint = endpoint
        authority = endpoint.description
        target = "\(path)/v1/traces"
    }
}
