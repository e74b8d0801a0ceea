public import Configuration

extension ConfigurationSchema {
    /// The public gateway.
    public static let gateway = ConfigurationSchema(
        service: "gateway",
        [
            ServerSettings.section(listen: ["127.0.0.1:8080"]), LimitSettings.section, UpstreamSettings.section,
            CacheSettings.section, DocumentationSettings.section, LoggingSettings.section, TracingSettings.section,
            ShutdownSettings.section,
        ]
    )

    /// The internal API.
    public static let api = ConfigurationSchema(
        service: "api",
        [
            ServerSettings.section(listen: ["127.0.0.1:8000"]), LimitSettings.section, DatabaseSettings.section,
            RedisSettings.section, QueueSettings.producerSection, DocumentationSettings.section,
            LoggingSettings.section, TracingSettings.section, ShutdownSettings.section,
        ]
    )

    /// A worker.
    public static let worker = ConfigurationSchema(
        service: "worker",
        [
            ServerSettings.section(listen: ["127.0.0.1:8010"]), DatabaseSettings.section, RedisSettings.section,
            QueueSettings.consumerSection, LoggingSettings.section, TracingSettings.section,
            ShutdownSettings.section,
        ]
    )

    /// The stand-in for the outside world.
    public static let simulator = ConfigurationSchema(
        service: "simulator",
        [
            ServerSettings.section(listen: ["127.0.0.1:8090"]), LoggingSettings.section, TracingSettings.section,
            ShutdownSettings.section,
        ]
    )

    /// Every service, in the order in which a request meets them.
    public static let services = [gateway, api, worker, simulator]
}
