internal import Configuration
internal import Features
internal import Migrations
internal import Postgres
internal import Reactor
internal import Redis
public import Service
internal import TaskQueue

extension Role {
    private static let parts = Features.ofWorker

    /// A worker: takes tasks from the queue and computes their results.
    public static let worker = Role(
        schema: ConfigurationSchema(
            service: "worker",
            [
                ServerSettings.table(port: 8010).section, DatabaseSettings.table.section, RedisSettings.table.section,
                QueueSettings.consumer.section, SimulatorSettings.table.section,
            ],
            parts: parts
        )
    ) { environment throws(StartupError) in
        let (configuration, logger) = (environment.configuration, environment.logger)
        let database = try environment.database()
        let redis = RedisClient(environment.redis, logger: logger)
        redis.start()
        let worker = TaskWorker(
            configuration[QueueSettings.consumer],
            redis: environment.redis,
            tracer: environment.tracer,
            logger: logger
        )
        worker.canWork = { database.isReady }
        environment.metrics.register(database)
        environment.metrics.register(worker)
        let parts = try [RunningPart](
            starting: parts,
            with: WorkerShared(environment, database: database, worker: worker, redis: redis)
        )
        // Only now, when every task has its handler.
        worker.start()
        let schema = SchemaCheck(database, logger: logger)
        return RunningService(
            readiness: [
                ReadinessCheck(.database) { deadline in await schema.isReady(by: deadline) },
                ReadinessCheck(.broker) { deadline in await worker.isReady(by: deadline) },
            ],
            stop: { deadline in
                await parts.stop(by: deadline)
                await worker.drain(within: max(.zero, deadline - Reactor.now))
                redis.close()
                database.close()
            }
        )
    }
}
