internal import HTTPWire
package import Metrics
public import Reactor
public import Redis
public import WebAPI

/// Limits how often clients may ask: each request must be within every rule that concerns it, and is counted by all of
/// them or by none. Counted in Redis for all processes together; while Redis is away each process counts for itself.
@ReactorActor
public final class RateLimits {
    /// How long a request waits for Redis before it is counted here.
    private static let redisTimeout = Duration.milliseconds(250)

    /// A rule, and what this process knows of it.
    final class Limit {
        /// Clients that are counted here.
        private static let clientsMax = 10_000

        let rule: RateRule
        let policy: RatePolicy
        fileprivate var windows: SlidingWindows
        fileprivate let counters: CountersOfRule

        fileprivate init(_ rule: RateRule, _ policy: RatePolicy, _ counters: CountersOfRule) {
            self.rule = rule
            self.policy = policy
            self.counters = counters
            windows = SlidingWindows(policy, clientsMax: Self.clientsMax)
        }
    }

    /// What became of the requests that a rule concerned.
    fileprivate final class CountersOfRule {
        struct Counters: Hashable, Sendable {
            private static let requests = Metric.counter(
                "tickloop_rate_limit_requests_total",
                "Valid requests that are limited, by what the limit had to say.",
                labels: "outcome"
            ).announced()

            @Counter(Self.requests, "allowed") var allowed = 0
            @Counter(Self.requests, "refused") var refused = 0
            @Counter(
                "tickloop_rate_limit_taken_back_total",
                "Of those that were allowed, requests that the next hop found to be invalid, and that do not count."
            )
            var takenBack = 0
        }

        var counters = Counters()
    }

    /// What all rules have in common.
    struct Counters: Hashable, Sendable {
        @Counter(
            "tickloop_rate_limit_counted_here_total",
            "Requests that this process counted alone, because Redis did not answer."
        )
        var countedHere = 0
    }

    private(set) var counters = Counters()
    private(set) var limits: [Limit] = []
    /// Those that may be about what is no route of the service's own.
    private var limitsOfOthers: [Limit] = []
    private let redis: RedisClient
    private let trusted: [AddressRange]
    /// By the name of the rule; kept when a rule goes, because what is counted only grows.
    private var countersOfRules: [String: CountersOfRule] = [:]
    private var routes: [LimitOfRoute] = []

    /// - Parameters:
    ///   - redis: Its owner's.
    ///   - trusted: Proxies that are believed about whom they forward.
    public init(_ rules: [RateRule], redis: RedisClient, trusted: [AddressRange]) {
        self.redis = redis
        self.trusted = trusted
        replace(rules)
    }

    /// Takes other rules for the requests that come from now on.
    func replace(_ rules: [RateRule]) {
        let known = Dictionary(limits.map { ($0.rule, $0) }, uniquingKeysWith: { $1 })
        limits = rules.compactMap { rule in
            if let limit = known[rule] { return limit }
            return rule.policy.map { Limit(rule, $0, counters(of: rule.name)) }
        }
        for route in routes { route.limits = limits(of: route) }
        separate()
    }

    private func counters(of name: String) -> CountersOfRule {
        let counters = countersOfRules[name] ?? CountersOfRule()
        // Names come from operators, and a series for each of very many is nothing that anybody could read.
        if countersOfRules.count < 4 * RateRules.countMax { countersOfRules[name] = counters }
        return counters
    }

    /// The routes, whose valid requests meet the rules before anything is done for them.
    public func limiting(_ routes: [Route]) -> [Route] {
        defer { separate() }
        return routes.map { route in
            let rules = limits.map(\.rule).filter { $0.scope.covers(route) }
            let limit = LimitOfRoute(self, route, documenting: rules.first)
            self.routes.append(limit)
            limit.limits = limits(of: limit)
            return route.limited(by: limit)
        }
    }

    private func separate() {
        let own = Set(routes.map(\.path))
        limitsOfOthers = limits.filter { $0.rule.scope.isPrefix || !own.contains($0.rule.scope.path) }
    }

    private func limits(of route: LimitOfRoute) -> [Limit] {
        limits.filter { $0.rule.scope.covers(method: route.method) && $0.rule.scope.covers(path: route.path) }
    }

    // MARK: Counting

    fileprivate func admit(
        _ context: RequestContext,
        _ limits: [Limit],
        route: String,
        then: @escaping @ReactorActor (RouteAdmission) -> Void
    ) {
        let client = ClientAddress.find(
            peer: context.peerAddress,
            forwarded: context.head.fields.values("x-forwarded-for"),
            trusted: trusted
        )
        let concerned = limits.filter { $0.rule.concerns(client) }
        guard !concerned.isEmpty else { return then(RouteAdmission(fields: [])) }
        let key = ClientAddress.key(client)
        count(concerned, client: key, route: route) { [self] verdicts in
            then(
                tell(concerned, verdicts) { [self] in takeBack(concerned, verdicts, client: key, route: route) }
            )
        }
    }

    /// Counts a request no longer.
    func takeBack(_ limits: [Limit], _ verdicts: [RateVerdict], client: String, route: String) {
        for (limit, verdict) in zip(limits, verdicts) {
            let group = limit.rule.group(client: client, route: route)
            limit.counters.counters.takenBack += 1
            switch verdict.place {
            case nil: break
            case .here(let time): limit.windows.takeBack(group, time)
            case .redis(let member): redis.command(["ZREM", .string(key(limit, group)), .string(member)]) { _ in }
            }
        }
    }

    private func key(_ limit: Limit, _ group: String) -> String { "rate:{\(limit.rule.name)}:\(group)" }

    /// Counts a request, unless it is one too many for any of the limits.
    ///
    /// - Parameter then: Gets a verdict for each.
    func count(
        _ limits: [Limit],
        client: String,
        route: String,
        then: @escaping @ReactorActor ([RateVerdict]) -> Void
    ) {
        let groups = limits.map { $0.rule.group(client: client, route: route) }
        guard redis.isReady else { return then(countHere(limits, groups)) }
        let keys = zip(limits, groups).map { key($0, $1) }
        RateScript.script.run(on: redis, keys: keys, timeout: Self.redisTimeout) { command in
            for limit in limits {
                command.append(limit.policy.requests)
                command.append(limit.policy.seconds * 1_000_000)
            }
        } then: { [self] outcome in
            then(RateScript.verdicts(outcome, count: limits.count) ?? countHere(limits, groups))
        }
    }

    private func countHere(_ limits: [Limit], _ groups: [String]) -> [RateVerdict] {
        counters.countedHere += 1
        let now = Reactor.now
        let asked = zip(limits, groups).map { $0.windows.admit($1, now: now, isCounted: false) }
        guard asked.allSatisfy(\.isAllowed) else { return asked }
        return zip(limits, groups).map { $0.windows.admit($1, now: now) }
    }

    private func tell(
        _ limits: [Limit],
        _ verdicts: [RateVerdict],
        takeBack: @escaping @ReactorActor @Sendable () -> Void
    ) -> RouteAdmission {
        let told = zip(limits, verdicts)
        if let (limit, verdict) = told.filter({ !$1.isAllowed }).max(by: { $0.1.reset < $1.1.reset }) {
            limit.counters.counters.refused += 1
            return RouteAdmission(
                fields: limit.policy.fields(verdict),
                refusal: limit.policy.refusal(after: verdict.resetSeconds)
            )
        }
        for limit in limits { limit.counters.counters.allowed += 1 }
        guard let (limit, verdict) = told.min(by: { $0.1.remaining < $1.1.remaining }) else {
            return RouteAdmission(fields: [])
        }
        return RouteAdmission(fields: limit.policy.fields(verdict), takeBack: takeBack)
    }
}

extension RateLimits: PathLimit {
    /// Whether any rule is about what is no route of the service's own.
    public var isActive: Bool { !limitsOfOthers.isEmpty }

    /// Counts a request for a path that is no route's own, unless it is one too many.
    public func admit(
        _ context: RequestContext,
        paths: [String],
        route: String,
        then: @escaping @ReactorActor () -> Void
    ) {
        let method = context.head.method.rawValue
        let met = limitsOfOthers.filter { limit in
            limit.rule.scope.covers(method: method) && paths.contains { limit.rule.scope.covers(path: $0) }
        }
        guard !met.isEmpty else { return then() }
        admit(context, met, route: route) { admission in
            if context.take(admission) { then() }
        }
    }
}

extension RateLimits: Measured {
    package func collect(into page: inout MetricsPage) {
        page.add(counters)
        for (name, counters) in countersOfRules.sorted(by: { $0.key < $1.key }) {
            page.labelled("route", name) { $0.add(counters.counters) }
        }
    }
}

/// The limits of one route, whichever they are at the time.
@ReactorActor
private final class LimitOfRoute: RouteLimit {
    let method: String
    let path: String
    var limits: [RateLimits.Limit] = []
    let additions: RouteAdditions
    private unowned let owner: RateLimits

    init(_ owner: RateLimits, _ route: Route, documenting rule: RateRule?) {
        self.owner = owner
        method = route.method.rawValue
        path = route.path.description
        additions = rule?.policy?.additions ?? RouteAdditions()
    }

    var isActive: Bool { !limits.isEmpty }

    func admit(_ context: RequestContext, then: @escaping @ReactorActor (RouteAdmission) -> Void) {
        owner.admit(context, limits, route: path, then: then)
    }
}

extension RateRule.Scope {
    func covers(_ route: Route) -> Bool {
        covers(method: route.method.rawValue) && covers(path: route.path.description)
    }
}
