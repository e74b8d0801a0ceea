internal import Configuration
internal import Conversations
internal import HTTPClient
internal import HTTPWire
internal import Orders
internal import Prices
public import ServiceRuntime
internal import WebAPI

extension Service {
    /// The public gateway: checks requests, answers from its cache if it is switched on, else asks the internal API.
    public static let gateway = Service(schema: .gateway) { environment throws(StartupError) in
        let configuration = environment.configuration
        let limits = configuration[LimitSettings.table]
        let cache = configuration[CacheSettings.table]
        let upstream = configuration[UpstreamSettings.table]
        var client = upstream.client
        client.idleConnections = client.connections
        let api = Relay(
            "api",
            to: upstream.address,
            client,
            logger: environment.logger
        )
        let averages = RelayCache(
            timeToLive: cache.averageLifetime,
            byteLimit: cache.bytesLimit
        )
        environment.metrics.add(api.client, as: "api")
        environment.metrics.add(averages, as: "averages")
        return RunningService(
            routes: [
                AverageRoutes.relayed(
                    by: api,
                    cache: averages,
                    rangeDaysMax: limits.rangeDaysMax
                ),
                ConversationQuestion.operation.relayed(by: api),
            ] + OrderRoutes.relayed(by: api),
            requestTimeout: limits.requestTimeout,
            takesDeadlineFromCaller: false,
            documentation: ServiceDocumentation(title: "Tickloop", summary: "Market data and orders, for the public."),
            readiness: [ReadinessCheck(.api) { await api.isReady(deadline: $0) }],
            reservedDescriptors: client.connections,
            stop: { _ in api.close() }
        )
    }
}
