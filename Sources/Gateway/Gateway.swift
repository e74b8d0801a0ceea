internal import Configuration
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

extension Role {
    /// The public gateway: checks requests, answers from its cache if it is switched on, else asks the internal API.
    public static let gateway = Role(schema: .gateway) { environment throws(StartupError) in
        let configuration = environment.configuration
        let limits = configuration[LimitSettings.table]
        let cache = configuration[CacheSettings.table]
        let upstream = configuration[UpstreamSettings.table]
        var client = upstream.client
        client.idleConnections = client.connections
        let api = Relay(
            "api",
            to: upstream.address,
            client,
            logger: environment.logger
        )
        let averages = RelayCache(
            timeToLive: cache.averageLifetime,
            byteLimit: cache.bytesLimit
        )
        let queue = TaskQueueClient(
            configuration[QueueSettings.feeder],
            redis: RedisConfiguration(configuration, name: "gateway"),
            logger: environment.logger
        )
        queue.start()
        let statistics = StatisticsRecorder(queue, logger: environment.logger)
        let proxy = Proxy(try routes(configuration), statistics: statistics, logger: environment.logger)
        environment.metrics.add { page in
            proxy.collect(into: &page)
            for (name, client) in proxy.clients { page.add(client, as: name) }
        }
        environment.metrics.add(api.client, as: "api")
        environment.metrics.add(averages, as: "averages")
        let redis = RedisClient(RedisConfiguration(configuration, name: "gateway"), logger: environment.logger)
        redis.start()
        let limited = try limit(
            [
                AverageRoutes.relayed(
                    by: api,
                    cache: averages,
                    rangeDaysMax: limits.rangeDaysMax
                ),
                LatestRoutes.relayed(by: api),
            ] + PriceReadingRoutes.relayed(by: api) + PollingRoutes.relayed(by: api)
                + ConversationRoutes.relayed(by: api) + OrderRoutes.relayed(by: api)
                + StatisticsRoutes.relayed(by: api),
            configuration,
            redis
        )
        for limiter in limited.limiters { environment.metrics.add { limiter.addMetrics(to: &$0) } }
        return RunningService(
            routes: limited.routes,
            fallback: proxy,
            requestTimeout: limits.requestTimeout,
            takesDeadlineFromCaller: false,
            documentation: ServiceDocumentation(title: "Tickloop", summary: "Market data and orders, for the public."),
            readiness: [ReadinessCheck(.api) { await api.isReady(deadline: $0) }],
            reservedDescriptors: client.connections,
            reload: { configuration throws(StartupError) in proxy.replaceRoutes(try routes(configuration)) },
            stop: { deadline in
                api.close()
                proxy.close()
                await statistics.drain(until: deadline)
                queue.close()
                redis.close()
            }
        )
    }

    /// The routes with the limits that the configuration sets.
    @ReactorActor
    private static func limit(
        _ routes: [Route],
        _ configuration: Configuration,
        _ redis: RedisClient
    ) throws(StartupError) -> (routes: [Route], limiters: [RateLimiter]) {
        do throws(ConfigurationProblem) {
            return try RateLimitSettings.limiting(routes, configuration, redis: redis)
        } catch {
            throw StartupError("\(error)")
        }
    }

    /// The routes of the proxy.
    private static func routes(_ configuration: Configuration) throws(StartupError) -> [ProxyRoute] {
        let simulator = configuration[SimulatorSettings.table].url.description
        let rows = configuration[ProxySettings.table]
        var routes: [ProxyRoute] = []
        for row in rows {
            let values = row.values
            guard !routes.contains(where: { $0.prefix == values.prefix }) else {
                throw StartupError(row.problem(with: "prefix", "is that of another row").description)
            }
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
            routes.append(route)
        }
        return routes
    }

    /// Reads `URL` or `URL weight=N`.
    private static func target(
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
