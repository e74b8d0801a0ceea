internal import Configuration
internal import Orders
internal import Postgres
internal import Prices
internal import Proxy
internal import Reactor
internal import Redis
public import ServiceRuntime
internal import TaskQueue

extension Service {
    /// A worker: takes tasks from the queue and computes their results.
    public static let worker = Service(schema: .worker) { environment throws(StartupError) in
        let (configuration, logger) = (environment.configuration, environment.logger)
        let database = PostgresPool(try PostgresConfiguration(configuration, name: "worker"), logger: logger)
        let worker = TaskWorker(
            configuration[QueueSettings.consumer],
            redis: RedisConfiguration(configuration, name: "worker"),
            tracer: environment.tracer,
            logger: logger
        )
        worker.register(AverageTask.name, AverageTaskHandler(database, logger: logger))
        worker.register(StatisticsTask.name, StatisticsTaskHandler(database, logger: logger))
        worker.canWork = { database.isReady }
        worker.start()
        let orders = OrderUpkeep(database, logger: logger)
        let statistics = StatisticsUpkeep(
            database,
            keepingDays: configuration[StatisticsSettings.table].retentionDays,
            logger: logger
        )
        environment.metrics.add(database)
        environment.metrics.add(worker)
        environment.metrics.add {
            await orders.measure()
        } _: { page in
            orders.addMetrics(to: &page)
        }
        return RunningService(
            readiness: [
                ReadinessCheck(.database) { _ in database.isReady },
                ReadinessCheck(.broker) { deadline in await worker.isReady(by: deadline) },
            ],
            stop: { deadline in
                orders.stop()
                statistics.stop()
                await worker.drain(within: max(.zero, deadline - Reactor.now))
                database.close()
            }
        )
    }
}
