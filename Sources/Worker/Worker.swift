public import Configuration
internal import MarketData
internal import Migrations
internal import Orders
internal import Postgres
internal import Prices
internal import Proxy
internal import Reactor
internal import Redis
public import Service
internal import TaskQueue

extension ConfigurationSchema {
    /// What a worker can be told.
    public static let worker = ConfigurationSchema(
        service: "worker",
        [
            ServerSettings.table(port: 8010).section, DatabaseSettings.table.section, RedisSettings.table.section,
            QueueSettings.consumer.section, PriceSettings.table.section, SimulatorSettings.table.section,
            ExchangeSettings.table.section, StatisticsSettings.table.section, RawAnswerSettings.table.section,
        ] + ConfigurationSection.common,
        tables: [ProviderSettings.table.section]
    )
}

extension Role {
    /// A worker: takes tasks from the queue and computes their results.
    public static let worker = Role(schema: .worker) { environment throws(StartupError) in
        let (configuration, logger) = (environment.configuration, environment.logger)
        let databaseConfiguration = try PostgresConfiguration(configuration, name: "worker")
        let database = PostgresPool(databaseConfiguration, logger: logger)
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
        let schema = SchemaCheck(database, logger: logger)
        let orders = OrderUpkeep(database, logger: logger)
        let statistics = StatisticsUpkeep(
            database,
            keepingDays: configuration[StatisticsSettings.table].retentionDays,
            logger: logger
        )
        let market = try MarketParts(environment, databaseConfiguration, database)
        let placement = try OrderPlacer(environment)
        environment.metrics.register(database)
        environment.metrics.register(worker)
        environment.metrics.register(orders)
        return RunningService(
            readiness: [
                ReadinessCheck(.database) { deadline in await schema.isReady(by: deadline) },
                ReadinessCheck(.broker) { deadline in await worker.isReady(by: deadline) },
            ],
            stop: { deadline in
                orders.stop()
                statistics.stop()
                await market.stop(by: deadline)
                await placement.end(by: deadline)
                await worker.drain(within: max(.zero, deadline - Reactor.now))
                database.close()
            }
        )
    }
}

/// What a worker needs for prices as they come.
@ReactorActor
private struct MarketParts {
    private let redis: RedisClient
    private let storage: PostgresPool
    private let providers: Providers
    private let work: MarketWork

    init(
        _ environment: ServiceEnvironment,
        _ databaseConfiguration: PostgresConfiguration,
        _ database: PostgresPool
    ) throws(StartupError) {
        redis = RedisClient(RedisConfiguration(environment.configuration, name: "worker"), logger: environment.logger)
        redis.start()
        // One connection, so that a commit gathers what comes meanwhile, and no reader waits for it.
        var storageConfiguration = databaseConfiguration
        storageConfiguration.connections = 1
        storage = PostgresPool(storageConfiguration, logger: environment.logger)
        let providers = try Providers(environment, redis: redis, database: database)
        self.providers = providers
        let work = MarketWork(
            database,
            storage: storage,
            redis: redis,
            keepingRawDays: environment.configuration[RawAnswerSettings.table].retentionDays,
            logger: environment.logger
        ) { name in
            providers.provider(named: name)
        }
        self.work = work
        environment.metrics.register(providers)
        environment.metrics.register(work)
    }

    func stop(by deadline: Instant) async {
        await work.stop(within: max(.zero, deadline - Reactor.now))
        providers.close()
        redis.close()
        storage.close()
    }
}
