internal import Access
internal import Configuration
internal import Features
internal import HTTPClient
internal import Proxy
internal import RateLimits
internal import Reactor
internal import Redis
public import Service
internal import WebAPI

extension Role {
    private static let parts = Features.ofGateway
    private static let routeNames = parts.routeNames()

    /// The public gateway: checks requests, answers from its cache if it is switched on, else asks the internal API.
    public static let gateway = Role(
        schema: ConfigurationSchema(
            service: "gateway",
            [
                ServerSettings.table(port: 8080).section, TrustedProxies.table.section, LimitSettings.table.section,
                UpstreamSettings.table.section, SimulatorSettings.table.section, RedisSettings.table.section,
                AuthSettings.table.section, AnswerSettings.table.section, DocumentationSettings.table.section,
            ],
            tables: [RateLimitSettings.table(within: rateReach).section],
            parts: parts
        ),
        parts: parts
    ) { environment throws(StartupError) in
        let configuration = environment.configuration
        let upstream = configuration[UpstreamSettings.table]
        var client = upstream.client
        client.tls = try environment.tls.client(for: upstream.address)
        client.idleConnections = client.connections
        let api = Relay("api", to: upstream.address.endpoint, client, logger: environment.logger)
        environment.metrics.register(api.client, ("upstream", "api"))
        let redis = RedisClient(environment.redis, logger: environment.logger)
        redis.start()
        let parts = try [RunningPart](starting: parts, with: GatewayShared(environment, api: api, redis: redis))
        let rules = RateLimitSettings.rules(configuration)
        let limits = RateLimits(rules, redis: redis, trusted: configuration[TrustedProxies.table].ranges)
        let follower = RateRulesFollower(
            limits,
            configured: rules,
            within: rateReach(configuration),
            redis: redis,
            logger: environment.logger
        )
        follower.start()
        parts.fallback?.limit = limits
        environment.metrics.register(limits)
        return RunningService(
            routes: limits.limiting(parts.routes),
            fallback: parts.fallback,
            requestTimeout: configuration[LimitSettings.table].requestTimeout,
            takesDeadlineFromCaller: false,
            documentation: ServiceDocumentation(title: "Tickloop", summary: "Market data and orders, for the public."),
            readiness: [ReadinessCheck(.api) { await api.isReady(deadline: $0) }],
            reservedDescriptors: client.connections,
            reload: { configuration throws(StartupError) in
                try parts.reload(configuration)
                follower.configure(RateLimitSettings.rules(configuration), within: rateReach(configuration))
            },
            stop: { deadline in
                await parts.stop(by: deadline)
                api.close()
                follower.close()
                redis.close()
            }
        )
    }

    /// What a limit can be about.
    @Sendable
    private static func rateReach(_ configuration: Configuration) -> RateReach {
        RateReach(routeNames, passingOn: configuration[ProxySettings.table].map(\.values.prefix))
    }
}
