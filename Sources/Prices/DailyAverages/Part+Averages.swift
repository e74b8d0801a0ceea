internal import Configuration
internal import Reactor
package import Service
internal import TaskQueue
internal import WebAPI

extension Part<GatewayShared> {
    /// Daily averages, checked, and answered from a cache if there is one.
    package static var averages: Part {
        Part(
            sections: [AverageLimitSettings.table.section, AverageCacheSettings.table.section],
            scopes: [.pricesRead],
            routes: [AverageRoutes.name]
        ) { gateway in
            let configuration = gateway.environment.configuration
            let settings = configuration[AverageCacheSettings.table]
            let cache = RelayCache(timeToLive: settings.averageLifetime, byteLimit: settings.bytesLimit)
            gateway.environment.metrics.register(cache, ("cache", "averages"))
            let days = configuration[AverageLimitSettings.table].rangeDaysMax
            return RunningPart(routes: [AverageRoutes.relayed(by: gateway.api, cache: cache, rangeDaysMax: days)])
        }
    }
}

extension Part<APIShared> {
    /// Daily averages, which are tasks.
    package static var averages: Part {
        Part(sections: [AverageLimitSettings.table.section], scopes: [.pricesRead]) { api in
            let days = api.environment.configuration[AverageLimitSettings.table].rangeDaysMax
            return RunningPart(routes: [AverageRoutes.answered(by: api.queue, rangeDaysMax: days)])
        }
    }
}

extension Part<WorkerShared> {
    /// The tasks that compute daily averages.
    package static var averages: Part {
        Part { shared in
            let handler = AverageTaskHandler(shared.database, logger: shared.environment.logger)
            shared.worker.register(AverageTask.name, handler)
            return RunningPart()
        }
    }
}
