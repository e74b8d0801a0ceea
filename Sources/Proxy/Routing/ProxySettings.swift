public import Configuration
internal import HTTPClient
internal import RateLimits
internal import TLS
public import Service

/// `[[proxy]]`: where requests go whose path is none of the gateway's own.
public struct ProxySettings: Sendable {
    /// Whose name the upstream is asked under.
    enum Host: String, CaseIterable, Sendable {
        /// The one in the upstream's URL.
        case replace
        /// The one that the client said.
        case keep
    }

    /// With what the path begins.
    public var prefix = "/categories/"
    /// Who answers.
    var upstreams = ["simulator"]
    /// From the end of a request to the head of its answer.
    var timeout = Duration.seconds(30)
    /// For one attempt to connect.
    var connectTimeout = Duration.seconds(1)
    /// Without progress of a body.
    var idleTimeout = Duration.seconds(60)
    /// Without a byte on a connection that speaks another protocol.
    var tunnelTimeout = Duration.seconds(300)
    /// What `Host` says.
    var host = Host.replace
    /// What stands in the place of the prefix; empty for the prefix itself.
    var rewrite = ""
    /// What becomes of the token with which a client has come in.
    enum Authorization: String, CaseIterable, Sendable {
        /// It ends here.
        case drop
        /// Upstreams get it.
        case pass
    }

    /// What upstreams get of it.
    var authorization = Authorization.drop
    /// Whether answers are kept.
    var isCached = false
    /// File of the authorities that `https` upstreams are proven by; empty for those of the system.
    var trust = ""
    /// What upstreams are asked now and then; empty for nothing.
    var check = ""
    /// How often.
    var checkInterval = Duration.seconds(5)

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
            form: "a plain path that begins and ends with a slash",
            "With what a path begins; / for every other path"
        ) { isFolder($0) && PathReadings.areOne(of: $0) }
        .required
        Key(
            "upstreams",
            \.upstreams,
            count: 1...32,
            form: "http[s]://HOST[:PORT][/PATH] [weight=N] or \"simulator\"",
            "Who answers; the less loaded of two drawn by weight",
            objection: { fault(ofUpstream: $0)?.description },
            parse: { fault(ofUpstream: $0) == nil ? $0 : nil }
        )
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
        ) { isFolder($0) }
        Key(
            "authorization",
            \.authorization,
            "Whether upstreams get the Authorization of clients; it always passes while auth.mode is off"
        )
        Key("cache", \.isCached, "Keeps answers as their Cache-Control says, and gives them again")
        Key(
            "trust",
            \.trust,
            length: 0...4096,
            form: "a path",
            "PEM file of the authorities that prove https upstreams; empty for those of the system"
        ) { _ in true }
        Key(
            "check",
            \.check,
            length: 0...1024,
            form: "a path that begins with a slash",
            "Path asked of each upstream, to see if it answers; empty for none"
        ) { $0.hasPrefix("/") && UpstreamURL.isPath($0.filter { $0 != "?" }) }
        Key("check_interval_ms", \.checkInterval, in: 100...3_600_000, "Time between two of these")
    }
    .requiring { rows in
        var prefixes: Set<String> = []
        return rows.filter { !prefixes.insert($0.values.prefix).inserted }
            .map { $0.problem(with: "prefix", "is that of another row") }
    }

    /// Whether a text can stand in a request's target as the beginning of a path, up to a slash.
    private static func isFolder(_ text: String) -> Bool {
        text.hasPrefix("/") && text.hasSuffix("/") && UpstreamURL.isPath(text)
    }

    /// What is wrong with one of `upstreams`; nil for nothing.
    private static func fault(ofUpstream text: String) -> UpstreamURL.ParseError? {
        do throws(UpstreamURL.ParseError) {
            _ = try ProxyRoute.target(text, "http://simulator")
            return nil
        } catch { return error }
    }
}

extension ProxyRoute {
    /// Those of a configuration.
    ///
    /// - Throws: What is wrong with a row.
    public static func configured(by configuration: Configuration) throws(StartupError) -> [ProxyRoute] {
        let simulator = configuration[SimulatorSettings.table].url.description
        let rows = configuration[ProxySettings.table]
        var routes: [ProxyRoute] = []
        for row in rows {
            let values = row.values
            var targets: [ProxyRoute.Target] = []
            for text in values.upstreams {
                do throws(UpstreamURL.ParseError) {
                    targets.append(try target(text, simulator))
                } catch {
                    throw StartupError(row.problem(with: "upstreams", "holds \(text): \(error)").description)
                }
            }
            var route = ProxyRoute(prefix: values.prefix, targets: targets)
            route.rewrite = values.rewrite
            route.keepsHost = values.host == .keep
            route.timeout = values.timeout
            route.connectTimeout = values.connectTimeout
            route.idleTimeout = values.idleTimeout
            route.tunnelTimeout = values.tunnelTimeout
            route.passesToken = values.authorization == .pass
            route.isCached = values.isCached
            route.trusted = configuration[TrustedProxies.table].ranges
            route.checkPath = values.check.isEmpty ? nil : values.check
            route.checkInterval = values.checkInterval
            if targets.contains(where: \.url.isSecure) {
                do throws(TLSSetupError) {
                    route.tls = try TLSClientContext(authorities: values.trust.isEmpty ? nil : values.trust)
                } catch {
                    throw StartupError(row.problem(with: "trust", "is of no use: \(error)").description)
                }
            }
            routes.append(route)
        }
        return routes
    }

    /// Reads `URL` or `URL weight=N`.
    fileprivate static func target(
        _ text: String,
        _ simulator: String
    ) throws(UpstreamURL.ParseError) -> ProxyRoute.Target {
        let words = text.split(separator: " ")
        let url = words.first.map { $0 == "simulator" ? simulator : String($0) } ?? ""
        guard words.count > 1 else { return ProxyRoute.Target(try UpstreamURL(parsing: url)) }
        guard words.count == 2, words[1].hasPrefix("weight="), let weight = Int(words[1].dropFirst(7)),
            (1...1000).contains(weight)
        else { throw .invalidWeight }
        return ProxyRoute.Target(try UpstreamURL(parsing: url), weight: weight)
    }
}
