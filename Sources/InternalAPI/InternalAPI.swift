internal import Access
internal import Admin
internal import Configuration
internal import Features
internal import Migrations
internal import Postgres
internal import Prices
internal import RateLimits
internal import Redis
public import Service
internal import TaskAPI
internal import TaskQueue
internal import WebAPI

extension Role {
    private static let parts = Features.ofAPI

    /// The internal API: checks requests, hands the work to the workers and answers with their results.
    public static let internalAPI = Role(
        schema: ConfigurationSchema(
            service: "api",
            [
                ServerSettings.table(port: 8000).section, AdminSettings.table.section, LimitSettings.table.section,
                DatabaseSettings.table.section, RedisSettings.table.section, QueueSettings.producer.section,
                AuthSettings.table.section, DocumentationSettings.table.section, SimulatorSettings.table.section,
            ],
            parts: parts
        ),
        parts: parts
    ) { environment throws(StartupError) in
        let (configuration, logger) = (environment.configuration, environment.logger)
        let database = try environment.database()
        let redis = RedisClient(environment.redis, logger: logger)
        redis.start()
        let queue = TaskQueueClient(configuration[QueueSettings.producer], redis: environment.redis, logger: logger)
        queue.start()
        environment.metrics.register(database)
        environment.metrics.register(queue)
        let audit = AuditLog(redis: redis, logger: logger)
        let parts = try [RunningPart](
            starting: parts,
            with: APIShared(environment, database: database, queue: queue, redis: redis, audit: audit)
        )
        let tasks = TaskQueueAdministration(configuration[QueueSettings.producer], redis: redis)
        let rules = RateRules(redis: redis)
        let console = ConsoleFeed(
            [QueueConsole.section(tasks)] + parts.console + [
                RateLimitRoutes.section(rules), .processes(ProcessBoard(redis: redis)), .audit(audit),
            ]
        )
        let schema = SchemaCheck(database, logger: logger)
        return RunningService(
            routes: parts.routes + [TaskRoute(queue, needs: .pricesRead).route],
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
            adminRoutes: ConsoleRoutes.answered(by: console, audit: audit)
                + RateLimitRoutes.answered(by: rules, audit: audit) + QueueConsole.routes(tasks, audit: audit)
                + parts.adminRoutes,
            stop: { deadline in
                console.close()
                queue.close()
                await parts.stop(by: deadline)
                redis.close()
                database.close()
            }
        )
    }
}
