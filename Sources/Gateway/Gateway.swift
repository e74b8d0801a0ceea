internal import Access
public import Configuration
internal import Conversations
internal import HTTPClient
internal import HTTPWire
internal import MarketData
internal import Orders
internal import Prices
internal import Proxy
internal import RateLimits
internal import Reactor
internal import Redis
public import Service
internal import TaskQueue
internal import WebAPI

extension ConfigurationSchema {
    /// What the gateway can be told.
    public static let gateway = ConfigurationSchema(
        service: "gateway",
        [
            ServerSettings.table(port: 8080).section, TrustedProxies.table.section, AverageLimitSettings.table.section,
            LimitSettings.table.section, UpstreamSettings.table.section, SimulatorSettings.table.section,
            RedisSettings.table.section, QueueSettings.feeder.section, AverageCacheSettings.table.section,
            LatestRepetitionSettings.table.section, ProxyCacheSettings.table.section,
            AuthSettings.table.section, DocumentationSettings.table.section,
        ] + ConfigurationSection.common,
        tables: [RateLimitSettings.table.section, ProxySettings.table.section]
    )
}

extension Role {
    /// The public gateway: checks requests, answers from its cache if it is switched on, else asks the internal API.
    public static let gateway = Role(schema: .gateway) { environment throws(StartupError) in
        let configuration = environment.configuration
        let cache = configuration[AverageCacheSettings.table]
        let upstream = configuration[UpstreamSettings.table]
        var client = upstream.client
        client.tls = try environment.tls.client(for: upstream.address)
        client.idleConnections = client.connections
        let api = Relay(
            "api",
            to: upstream.address.endpoint,
            client,
            logger: environment.logger
        )
        let averages = RelayCache(
            timeToLive: cache.averageLifetime,
            byteLimit: cache.bytesLimit
        )
        let latest = LatestRoutes.cache(configuration[LatestRepetitionSettings.table])
        let conversations = ConversationRoutes.cache()
        let queue = TaskQueueClient(
            configuration[QueueSettings.feeder],
            redis: RedisConfiguration(configuration, name: "gateway"),
            logger: environment.logger
        )
        queue.start()
        let statistics = StatisticsRecorder(queue, logger: environment.logger)
        let proxy = Proxy(
            try ProxyRoute.configured(by: configuration),
            cacheBytes: configuration[ProxyCacheSettings.table].byteLimit,
            statistics: statistics,
            logger: environment.logger
        )
        environment.metrics.register(proxy)
        environment.metrics.register(api.client, ("upstream", "api"))
        environment.metrics.register(averages, ("cache", "averages"))
        environment.metrics.register(latest, ("cache", "latest"))
        environment.metrics.register(conversations, ("cache", "conversations"))
        let live = PriceStreamRoutes.relayed(by: api)
        environment.metrics.register(live)
        let redis = RedisClient(RedisConfiguration(configuration, name: "gateway"), logger: environment.logger)
        redis.start()
        let purges = CachePurges(proxy.cache, redis: redis, logger: environment.logger)
        if proxy.isCaching { purges.start() }
        let routes =
            [
                AverageRoutes.relayed(
                    by: api,
                    cache: averages,
                    rangeDaysMax: configuration[AverageLimitSettings.table].rangeDaysMax
                ),
                LatestRoutes.relayed(by: api, cache: latest),
                live.route,
            ] + LivePage.routes + PriceReadingRoutes.relayed(by: api) + PollingRoutes.relayed(by: api)
            + ConversationRoutes.relayed(by: api, cache: conversations) + OrderRoutes.relayed(by: api)
            + StatisticsRoutes.relayed(by: api) + StatisticsPage.routes
        let rules = try rateRules(configuration, routes)
        let limits = RateLimits(rules, redis: redis, trusted: configuration[TrustedProxies.table].ranges)
        let follower = RateRulesFollower(limits, configured: rules, redis: redis, logger: environment.logger)
        follower.start()
        proxy.limit = limits
        environment.metrics.register(limits)
        return RunningService(
            routes: limits.limiting(routes),
            fallback: proxy,
            requestTimeout: configuration[LimitSettings.table].requestTimeout,
            takesDeadlineFromCaller: false,
            documentation: ServiceDocumentation(title: "Tickloop", summary: "Market data and orders, for the public."),
            readiness: [ReadinessCheck(.api) { await api.isReady(deadline: $0) }],
            reservedDescriptors: client.connections,
            reload: { configuration throws(StartupError) in
                let rules = try rateRules(configuration, routes)
                proxy.replaceRoutes(try ProxyRoute.configured(by: configuration))
                follower.configure(rules)
                if proxy.isCaching { purges.start() }
            },
            stop: { deadline in
                live.close()
                api.close()
                proxy.close()
                await statistics.drain(until: deadline)
                queue.close()
                purges.close()
                follower.close()
                redis.close()
            }
        )
    }

    /// The limits that the configuration sets.
    @ReactorActor
    private static func rateRules(
        _ configuration: Configuration,
        _ routes: [Route]
    ) throws(StartupError) -> [RateRule] {
        let prefixes = configuration[ProxySettings.table].map(\.values.prefix)
        do throws(ConfigurationProblem) {
            return try RateLimitSettings.rules(configuration, routes: routes, prefixes: prefixes)
        } catch {
            throw StartupError("\(error)")
        }
    }
}
