internal import Configuration
internal import HTTPClient
internal import Outbox
internal import Postgres
internal import Reactor
internal import Redis
internal import Service

/// Places orders and takes in what the exchange reports of them, on connections of its own, so that no lease waits for
/// somebody's query.
@ReactorActor
struct OrderPlacer {
    private let database: PostgresPool
    private let placement: OrderPlacement
    private let reports: ReportFollower

    /// Begins at once.
    ///
    /// - Throws: What is wrong with the configuration.
    init(_ environment: ServiceEnvironment) throws(StartupError) {
        let settings = environment.configuration[ExchangeSettings.table]
        var databaseConfiguration = try PostgresConfiguration(environment.configuration, name: "worker placing orders")
        databaseConfiguration.connections = 3
        database = PostgresPool(databaseConfiguration, logger: environment.logger)
        let exchange = settings.baseURL.resolved(simulator: environment.configuration[SimulatorSettings.table].url)
        var configuration = OrderPlacement.Configuration(base: exchange)
        configuration.tls = try environment.tls.client(for: configuration.base)
        configuration.timeout = settings.timeout
        configuration.limits.inFlightMax = settings.inFlight
        configuration.limits.looksUpFirst = settings.deduplication != .byID
        configuration.limits.settleTime = settings.settleTime
        placement = OrderPlacement(
            database,
            configuration,
            redis: RedisConfiguration(environment.configuration, name: "worker"),
            logger: environment.logger
        )
        reports = ReportFollower(
            database,
            exchange: exchange,
            tls: configuration.tls,
            logger: environment.logger
        )
        environment.metrics.register(placement.relay, ("destination", "exchange"))
        environment.metrics.register(reports)
    }

    /// Ends: what is under way has until the deadline.
    func end(by deadline: Instant) async {
        await reports.drain()
        await placement.drain(until: deadline)
        database.close()
    }
}
