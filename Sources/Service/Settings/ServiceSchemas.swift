public import Configuration
internal import MarketData
internal import RateLimits

extension ConfigurationSchema {
    /// The public gateway.
    public static let gateway = ConfigurationSchema(
        service: "gateway",
        [ServerSettings.table(port: 8080).section, TrustedProxies.table.section, LimitSettings.table.section]
            + [UpstreamSettings.table.section]
            + [SimulatorSettings.table.section, RedisSettings.table.section, QueueSettings.feeder.section]
            + [CacheSettings.table.section, DocumentationSettings.table.section]
            + common,
        tables: [RateLimitSettings.table.section, ProxySettings.table.section]
    )

    /// The internal API.
    public static let api = ConfigurationSchema(
        service: "api",
        [ServerSettings.table(port: 8000).section, LimitSettings.table.section, DatabaseSettings.table.section]
            + [RedisSettings.table.section, QueueSettings.producer.section, DocumentationSettings.table.section]
            + [PriceSettings.table.section, LatestPriceSettings.table.section, PollingSettings.table.section]
            + [SimulatorSettings.table.section] + common,
        tables: [ProviderSettings.table.section]
    )

    /// A worker.
    public static let worker = ConfigurationSchema(
        service: "worker",
        [ServerSettings.table(port: 8010).section, DatabaseSettings.table.section, RedisSettings.table.section]
            + [
                QueueSettings.consumer.section, PriceSettings.table.section, SimulatorSettings.table.section,
                ExchangeSettings.table.section, StatisticsSettings.table.section,
            ] + common,
        tables: [ProviderSettings.table.section]
    )

    /// The stand-in for the outside world.
    public static let simulator = ConfigurationSchema(
        service: "simulator",
        [ServerSettings.simulatorTable.section, ExchangeBehaviour.table.section] + common
    )

    private static let common = [
        LoggingSettings.table.section, TracingSettings.table.section, ShutdownSettings.table.section,
    ]

    /// Every service, in the order in which a request meets them.
    public static let services = [gateway, api, worker, simulator]
}
