public import Configuration

/// `[[limits.rate]]`: how often clients may ask.
public struct RateLimitSettings: Sendable {
    /// A path, or a method and a path.
    var route: String
    /// What is counted together.
    var grouping = RateRule.Grouping.both
    /// The clients that it concerns; empty for all.
    var address = ""
    /// How many requests; 0 for any number.
    var requests: Int
    /// Within how many seconds.
    var seconds = 60

    /// The keys.
    public static let table = RepeatedTable.listed(
        "limits.rate",
        "A limit on requests, counted by all gateways together; may be changed at run time",
        count: 0...64,
        Self(route: "/", requests: 60),
        defaults: [Self(route: "/prices/latest", requests: 5), Self(route: "POST /prices/poll", requests: 10)]
    ) {
        Key(
            "route",
            \.route,
            length: 1...200,
            form: "a path, or a method and a path",
            "What it concerns: /shop/ for all paths below, POST /a for a method"
        ) { RateRule.Scope($0) != nil }
        .required
        Key(
            "by",
            \.grouping,
            "What is counted together: by client, by route, or by both"
        )
        Key(
            "address",
            \.address,
            length: 0...64,
            form: "an address or a network, such as 10.0.0.0/8",
            "Only these clients; empty for all"
        ) { AddressRange($0) != nil }
        Key("requests", \.requests, in: RateRule.requestsRange, "Requests that may be made in that time; 0: any number")
        Key("per_s", \.seconds, in: RateRule.secondsRange, "Seconds in any of which that many requests may be made")
    }
    .requiring { rows in
        var names: Set<String> = []
        return rows.filter { row in row.values.rule.map { !names.insert($0.name).inserted } ?? false }
            .map { $0.problem(with: "route", "is limited twice") }
    }

    /// The limit, if its route is one.
    private var rule: RateRule? {
        RateRule.Scope(route).map {
            RateRule(grouping, $0, clients: AddressRange(address), requests: requests, seconds: seconds)
        }
    }

    /// The keys, for a service that would never count what such a limit is about.
    ///
    /// - Parameter reach: What the service answers to, if it is told so.
    public static func table(
        within reach: @escaping @Sendable (Configuration) -> RateReach
    ) -> RepeatedTable<Self> {
        table.requiring { rows, configuration in
            let reach = reach(configuration)
            return rows.filter { row in row.values.rule.map { !reach.meets($0.scope) } ?? false }.map { row in
                row.problem(with: "route", "is \"\(row.values.route)\", which is no route of this service")
            }
        }
    }

    /// What a configuration says.
    public static func rules(_ configuration: Configuration) -> [RateRule] {
        configuration[table].compactMap(\.values.rule)
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
