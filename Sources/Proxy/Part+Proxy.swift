internal import Configuration
internal import Reactor
internal import Redis
package import Service
internal import TaskQueue
internal import WebAPI

extension Part<GatewayShared> {
    /// What is not ours is passed on, kept for a while if a route says so, and counted.
    package static var proxy: Part {
        Part(
            sections: [QueueSettings.feeder.section, ProxyCacheSettings.table.section],
            tables: [ProxySettings.table.section],
            scopes: [.statisticsRead, .proxy],
            routes: StatisticsRoutes.names + StatisticsPage.routes.map(\.name)
        ) { gateway throws(StartupError) in
            let environment = gateway.environment
            let (configuration, logger) = (environment.configuration, environment.logger)
            let queue = TaskQueueClient(
                configuration[QueueSettings.feeder],
                redis: environment.redis,
                logger: logger
            )
            queue.start()
            let statistics = StatisticsRecorder(queue, logger: logger)
            let proxy = Proxy(
                try ProxyRoute.configured(by: configuration),
                cacheBytes: configuration[ProxyCacheSettings.table].byteLimit,
                statistics: statistics,
                logger: logger
            )
            environment.metrics.register(proxy)
            let purges = CachePurges(proxy.cache, redis: gateway.redis, logger: logger)
            if proxy.isCaching { purges.start() }
            return RunningPart(
                routes: StatisticsRoutes.relayed(by: gateway.api) + StatisticsPage.routes,
                fallback: proxy,
                reload: { configuration throws(StartupError) in
                    let routes = try ProxyRoute.configured(by: configuration)
                    return {
                        proxy.replaceRoutes(routes)
                        if proxy.isCaching { purges.start() }
                    }
                },
                stop: { deadline in
                    proxy.close()
                    await statistics.drain(until: deadline)
                    queue.close()
                    purges.close()
                }
            )
        }
    }
}

extension Part<APIShared> {
    /// What was counted.
    package static var proxy: Part {
        Part(scopes: [.statisticsRead]) { RunningPart(routes: StatisticsRoutes.answered(by: $0.database)) }
    }
}

extension Part<WorkerShared> {
    /// What was counted, on its way into the database and out of it.
    package static var proxy: Part {
        Part(sections: [StatisticsSettings.table.section]) { shared in
            let (database, logger) = (shared.database, shared.environment.logger)
            shared.worker.register(StatisticsTask.name, StatisticsTaskHandler(database, logger: logger))
            let days = shared.environment.configuration[StatisticsSettings.table].retentionDays
            let upkeep = StatisticsUpkeep(database, keepingDays: days, logger: logger)
            return RunningPart(stop: { _ in upkeep.stop() })
        }
    }
}
