internal import Configuration
internal import HTTPClient
internal import Outbox
internal import Postgres
public import Reactor
internal import Redis
public import Service

/// Places orders, on connections of its own, so that its lease does not wait for somebody's query.
@ReactorActor
public struct OrderPlacer {
    private let database: PostgresPool
    private let placement: OrderPlacement

    /// Begins at once.
    ///
    /// - Throws: What is wrong with the configuration.
    public init(_ environment: ServiceEnvironment) throws(StartupError) {
        let settings = environment.configuration[ExchangeSettings.table]
        var databaseConfiguration = try PostgresConfiguration(environment.configuration, name: "worker placing orders")
        databaseConfiguration.connections = 2
        database = PostgresPool(databaseConfiguration, logger: environment.logger)
        var configuration = OrderPlacement.Configuration(
            base: settings.baseURL.resolved(simulator: environment.configuration[SimulatorSettings.table].url)
        )
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
        environment.metrics.register(placement.relay, ("destination", "exchange"))
    }

    /// Ends: what is under way has until the deadline.
    public func end(by deadline: Instant) async {
        await placement.drain(until: deadline)
        database.close()
    }
}
