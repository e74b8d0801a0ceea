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

    /// What a configuration says.
    ///
    /// - Parameter reach: What the service answers to.
    /// - Throws: What is wrong with a limit.
    public static func rules(
        _ configuration: Configuration,
        within reach: RateReach
    ) throws(ConfigurationProblem) -> [RateRule] {
        var rules: [RateRule] = []
        for row in configuration[table] {
            guard let rule = row.values.rule else {
                throw row.problem(with: "route", "must be \(RateRule.Scope.form)")
            }
            guard reach.meets(rule.scope) else {
                throw row.problem(with: "route", "is \"\(row.values.route)\", which is no route of this service")
            }
            rules.append(rule)
        }
        return rules
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
