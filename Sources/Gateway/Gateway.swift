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
        let api = Relay(
            "api",
            to: configuration[UpstreamSettings.address],
            HTTPClientConfiguration(configuration),
            logger: environment.logger
        )
        let averages = RelayCache(
            timeToLive: configuration[CacheSettings.averageLifetime],
            byteLimit: configuration[CacheSettings.maxBytes]
        )
        environment.metrics.add(api.client, as: "api")
        environment.metrics.add(averages, as: "averages")
        return RunningService(
            routes: [
                AverageRoutes.relayed(
                    by: api,
                    cache: averages,
                    rangeDaysMax: configuration[LimitSettings.maxRangeDays]
                ),
                ConversationQuestion.operation.relayed(by: api),
            ] + OrderRoutes.relayed(by: api),
            requestTimeout: configuration[LimitSettings.requestTimeout],
            takesDeadlineFromCaller: false,
            documentation: ServiceDocumentation(title: "Tickloop", summary: "Market data and orders, for the public."),
            readiness: [ReadinessCheck(.api) { await api.isReady(deadline: $0) }],
            reservedDescriptors: configuration[UpstreamSettings.connections],
            stop: { _ in api.close() }
        )
    }
}

extension HTTPClientConfiguration {
    /// What the gateway's configuration says about its upstream.
    init(_ configuration: Configuration) {
        self.init()
        connections = configuration[UpstreamSettings.connections]
        idleConnections = connections
        waitingRequests = configuration[UpstreamSettings.maxWaiters]
        connectTimeout = configuration[UpstreamSettings.connectTimeout]
        responseHeadTimeout = configuration[UpstreamSettings.timeout]
        idleTimeout = configuration[UpstreamSettings.idleTimeout]
        connectionAge = configuration[UpstreamSettings.maxAge]
        circuitBreaker.failures = configuration[UpstreamSettings.circuitFailures]
        circuitBreaker.longestOpening = configuration[UpstreamSettings.circuitOpen]
        // Ten years of days are 165 kB; what is larger is not an answer of ours.
        responseLimits.bodyBytes = 16 * 1024 * 1024
    }
}
