public import Configuration
internal import HTTPWire
internal import Reactor
public import Redis
public import WebAPI

/// `[[limits.rate]]`: how often one client may ask a route.
public struct RateLimitSettings: Sendable {
    /// A path, or a method and a path.
    public var route: String
    /// How many requests; 0 for any number.
    public var requests: Int
    /// Within how many seconds.
    public var seconds = 60

    /// The keys.
    public static let table = RepeatedTable.listed(
        "limits.rate",
        "A limit on one client's requests to a route, counted by all gateways together",
        count: 0...64,
        Self(route: "/", requests: 60),
        defaults: [Self(route: "/prices/latest", requests: 5), Self(route: "POST /prices/poll", requests: 10)]
    ) {
        Key(
            "route",
            \.route,
            length: 1...200,
            form: "a path, or a method and a path",
            "Route, all methods together, or one as in POST /prices/poll"
        ) { $0.split(separator: " ").last?.hasPrefix("/") == true }
        .required
        Key("requests", \.requests, in: 0...10_000, "Requests that one client may make in that time; 0 for any number")
        Key("per_s", \.seconds, in: 1...86_400, "Seconds in any of which that many requests may be made")
    }

    /// The routes with the limits that a configuration sets.
    ///
    /// - Throws: What is wrong with a limit.
    @ReactorActor
    public static func limiting(
        _ routes: [Route],
        _ configuration: Configuration,
        redis: RedisClient
    ) throws(ConfigurationProblem) -> (routes: [Route], limiters: [RateLimiter]) {
        var routes = routes
        var limiters: [RateLimiter] = []
        var limited: Set<Int> = []
        let trusted = configuration[TrustedProxies.table].ranges
        for row in configuration[table] {
            let words = row.values.route.split(separator: " ").map(String.init)
            let method = words.count == 2 ? words[0] : nil
            let places = routes.indices.filter { index in
                routes[index].path.description == words.last
                    && (method.map { $0 == routes[index].method.rawValue } ?? true)
            }
            guard !places.isEmpty, words.count <= 2 else {
                throw row.problem(with: "route", "is \"\(row.values.route)\", which is no route of this service")
            }
            guard limited.isDisjoint(with: places) else {
                throw row.problem(with: "route", "is limited twice")
            }
            limited.formUnion(places)
            guard row.values.requests > 0 else { continue }
            let limiter = RateLimiter(
                row.values.route,
                RatePolicy(requests: row.values.requests, seconds: row.values.seconds),
                redis: redis,
                trusted: trusted
            )
            limiters.append(limiter)
            for place in places { routes[place] = routes[place].limited(by: limiter) }
        }
        return (routes, limiters)
    }
}

/// The key of `[server]` about who is believed.
public struct TrustedProxies: Sendable {
    /// Their addresses.
    public var ranges: [AddressRange] = []

    /// The key.
    public static let table = ConfigurationTable("server", "Where the service listens", Self()) {
        Key(
            "trusted_proxies",
            \.ranges,
            count: 0...256,
            form: "an address or a network, such as 10.0.0.0/8",
            "Proxies whose X-Forwarded-For is believed"
        ) { AddressRange($0) }
    }
}
