internal import Configuration
internal import Postgres
internal import Prices
internal import Reactor
internal import Redis
package import Service
internal import WebAPI

extension Part<GatewayShared> {
    /// Prices as they come, checked, and streams of them from one stream of the internal API.
    package static var marketData: Part {
        Part(
            sections: [LatestRepetitionSettings.table.section],
            scopes: [.pricesRead, .pricesPoll],
            routes: [LatestRoutes.name, PriceStreamRoutes.stream.name] + LivePage.routes.map(\.name)
                + PriceReadingRoutes.names + PollingRoutes.names
        ) { gateway in
            let (api, environment) = (gateway.api, gateway.environment)
            let latest = LatestRoutes.cache(environment.configuration[LatestRepetitionSettings.table])
            let live = PriceStreamRoutes.relayed(by: api)
            environment.metrics.register(latest, ("cache", "latest"))
            environment.metrics.register(live)
            return RunningPart(
                routes: [LatestRoutes.relayed(by: api, cache: latest), live.route] + LivePage.routes
                    + PriceReadingRoutes.relayed(by: api) + PollingRoutes.relayed(by: api),
                stop: { _ in live.close() }
            )
        }
    }
}

extension Part<APIShared> {
    /// The latest price, history, streams and polling jobs.
    package static var marketData: Part {
        Part(
            sections: [
                PriceSettings.table.section, LatestPriceSettings.table.section, PollingSettings.table.section,
            ],
            tables: [ProviderSettings.table.section],
            scopes: [.pricesRead, .pricesPoll]
        ) { api throws(StartupError) in
            let (environment, database) = (api.environment, api.database)
            let storage = try environment.quoteStorage()
            let providers = try Providers(environment, redis: api.redis, database: database)
            let latest = LatestRoutes(
                environment.configuration[LatestPriceSettings.table],
                providers: providers,
                redis: api.redis,
                store: QuoteStore(storage, logger: environment.logger),
                database: database,
                logger: environment.logger
            )
            let live = PriceStreamRoutes.answered(
                from: database,
                redis: environment.redis,
                logger: environment.logger
            )
            environment.metrics.register(providers)
            environment.metrics.register(latest)
            environment.metrics.register(live)
            let jobsMax = environment.configuration[PollingSettings.table].jobsMax
            let polling = PollingRoutes.answered(from: database, maximum: jobsMax) { name in
                providers.provider(named: name) != nil
            }
            return RunningPart(
                routes: [latest.route, live.route, live.routeOfAll] + PriceReadingRoutes.answered(from: database)
                    + polling,
                adminRoutes: MarketConsole.routes(api.redis, audit: api.audit),
                console: MarketConsole.sections(api.redis, database),
                stop: { _ in
                    live.close()
                    providers.close()
                    storage.close()
                }
            )
        }
    }
}

extension Part<WorkerShared> {
    /// Polling jobs, events and moving averages.
    package static var marketData: Part {
        Part(
            sections: [PriceSettings.table.section, RawAnswerSettings.table.section],
            tables: [ProviderSettings.table.section]
        ) { shared throws(StartupError) in
            let (environment, database) = (shared.environment, shared.database)
            let storage = try environment.quoteStorage()
            let providers = try Providers(environment, redis: shared.redis, database: database)
            let work = MarketWork(
                database,
                storage: storage,
                redis: shared.redis,
                keepingRawDays: environment.configuration[RawAnswerSettings.table].retentionDays,
                logger: environment.logger
            ) { name in
                providers.provider(named: name)
            }
            environment.metrics.register(providers)
            environment.metrics.register(work)
            return RunningPart(stop: { deadline in
                await work.stop(within: max(.zero, deadline - Reactor.now))
                providers.close()
                storage.close()
            })
        }
    }
}

extension ServiceEnvironment {
    /// One connection, so that a commit gathers what comes meanwhile, and no reader waits for it.
    @ReactorActor
    fileprivate func quoteStorage() throws(StartupError) -> PostgresPool { try database(connections: 1) }
}
