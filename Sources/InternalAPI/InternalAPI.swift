internal import Access
internal import Admin
public import Configuration
internal import Conversations
internal import Logging
internal import MarketData
internal import Migrations
internal import Orders
internal import Postgres
internal import Prices
internal import Proxy
internal import RateLimits
internal import Reactor
internal import Redis
public import Service
internal import TaskAPI
internal import TaskQueue
internal import WebAPI

extension ConfigurationSchema {
    /// What the internal API can be told.
    public static let api = ConfigurationSchema(
        service: "api",
        [
            ServerSettings.table(port: 8000).section, AdminSettings.table.section, AverageLimitSettings.table.section,
            LimitSettings.table.section,
            DatabaseSettings.table.section, RedisSettings.table.section, QueueSettings.producer.section,
            DocumentationSettings.table.section, PriceSettings.table.section, LatestPriceSettings.table.section,
            PollingSettings.table.section, ConversationSettings.table.section, SimulatorSettings.table.section,
            AuthSettings.table.section,
        ] + ConfigurationSection.common,
        tables: [ProviderSettings.table.section]
    )
}

extension Role {
    /// The internal API: checks requests, hands the work to the workers and answers with their results.
    public static let internalAPI = Role(schema: .api) { environment throws(StartupError) in
        let (configuration, logger) = (environment.configuration, environment.logger)
        let databaseConfiguration = try PostgresConfiguration(configuration, name: "api")
        let database = PostgresPool(databaseConfiguration, logger: logger)
        // Nobody reads on these connections, so that no reader waits for a commit.
        var intakeConfiguration = databaseConfiguration
        intakeConfiguration.connections = OrderRoutes.intakeConnections
        let intake = PostgresPool(intakeConfiguration, logger: logger)
        let orders = OrderRoutes(
            intake: intake,
            database: database,
            redis: RedisConfiguration(configuration, name: "api"),
            logger: logger
        )
        let queue = TaskQueueClient(
            configuration[QueueSettings.producer],
            redis: RedisConfiguration(configuration, name: "api"),
            logger: logger
        )
        queue.start()
        let market = try MarketParts(environment, databaseConfiguration, database)
        // Connections of their own, so that what else is asked never waits behind a search.
        let searches = PostgresPool(databaseConfiguration, logger: logger)
        let answers = RedisClient(RedisConfiguration(configuration, name: "api"), logger: logger)
        answers.start()
        let conversations = ConversationRoutes(
            configuration[ConversationSettings.table],
            database: database,
            searches: searches,
            redis: answers,
            logger: logger
        )
        let schema = SchemaCheck(database, logger: logger)
        let operators = OperatorParts(environment, database)
        environment.metrics.register(database)
        environment.metrics.register(queue)
        environment.metrics.register(orders)
        environment.metrics.register(conversations)
        return RunningService(
            routes: [
                AverageRoutes.answered(by: queue, rangeDaysMax: configuration[AverageLimitSettings.table].rangeDaysMax),
                TaskRoute(queue).route,
            ] + conversations.routes + orders.routes + market.routes
                + StatisticsRoutes.answered(by: database),
            requestTimeout: configuration[LimitSettings.table].requestTimeout,
            documentation: ServiceDocumentation(
                title: "Tickloop internal API",
                summary: "Market data and orders, for the gateway and for operators.",
                pagePaths: ["/docs"]
            ),
            readiness: [
                ReadinessCheck(.database) { deadline in await schema.isReady(by: deadline) },
                ReadinessCheck(.broker) { deadline in await queue.isReady(by: deadline) },
            ],
            adminRoutes: operators.routes,
            stop: { _ in
                operators.close()
                queue.close()
                market.close()
                orders.close()
                answers.close()
                searches.close()
                intake.close()
                database.close()
            }
        )
    }
}

/// What the internal API needs for prices as they come.
@ReactorActor
private struct MarketParts {
    private let redis: RedisClient
    private let storage: PostgresPool
    private let providers: Providers
    private let live: LivePrices
    let routes: [Route]

    init(
        _ environment: ServiceEnvironment,
        _ databaseConfiguration: PostgresConfiguration,
        _ database: PostgresPool
    ) throws(StartupError) {
        let (configuration, logger) = (environment.configuration, environment.logger)
        redis = RedisClient(RedisConfiguration(configuration, name: "api"), logger: logger)
        redis.start()
        // One connection, so that a commit gathers what comes meanwhile, and no reader waits for it.
        var storageConfiguration = databaseConfiguration
        storageConfiguration.connections = 1
        storage = PostgresPool(storageConfiguration, logger: logger)
        providers = try Providers(environment, redis: redis, database: database)
        let latest = LatestRoutes(
            configuration[LatestPriceSettings.table],
            providers: providers,
            redis: redis,
            store: QuoteStore(storage, logger: logger),
            database: database,
            logger: logger
        )
        let live = PriceStreamRoutes.answered(
            from: database,
            redis: RedisConfiguration(configuration, name: "api"),
            logger: logger
        )
        self.live = live
        environment.metrics.register(live)
        routes =
            [latest.route, live.route, live.routeOfAll] + PriceReadingRoutes.answered(from: database)
            + PollingRoutes.answered(
                from: database,
                maximum: configuration[PollingSettings.table].jobsMax
            ) { [providers] name in
                providers.provider(named: name) != nil
            }
        environment.metrics.register(providers)
        environment.metrics.register(latest)
    }

    func close() {
        live.close()
        providers.close()
        redis.close()
        storage.close()
    }
}

/// What the internal API does for operators.
@ReactorActor
private struct OperatorParts {
    private let redis: RedisClient
    private let feed: ConsoleFeed
    let routes: [Route]

    init(_ environment: ServiceEnvironment, _ database: PostgresPool) {
        let configuration = environment.configuration
        redis = RedisClient(RedisConfiguration(configuration, name: "admin"), logger: environment.logger)
        redis.start()
        let audit = AuditLog(redis: redis, logger: environment.logger)
        let queue = TaskQueueAdministration(configuration[QueueSettings.producer], redis: redis)
        let rules = RateRules(redis: redis)
        feed = ConsoleFeed(
            [QueueConsole.section(queue)] + MarketConsole.sections(redis, database) + [
                OrderConsole.section(database), RateLimitRoutes.section(rules),
                .processes(ProcessBoard(redis: redis)), .audit(audit),
            ]
        )
        routes =
            ConsoleRoutes.answered(by: feed, audit: audit) + RateLimitRoutes.answered(by: rules, audit: audit)
            + QueueConsole.routes(queue, audit: audit) + MarketConsole.routes(redis, audit: audit)
            + OrderConsole.routes(database, audit: audit)
    }

    func close() {
        feed.close()
        redis.close()
    }
}
