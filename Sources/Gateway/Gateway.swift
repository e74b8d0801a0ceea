internal import Configuration
internal import HTTPClient
internal import HTTPServer
internal import HTTPWire
internal import Prices
internal import Reactor
public import ServiceRuntime
internal import WebAPI

extension Service {
    /// The public gateway: checks requests, answers from its cache if it is switched on, else asks the internal API.
    public static let gateway = Service(schema: .gateway) { environment throws(StartupError) in
        let configuration = environment.configuration
        let api = UpstreamAPI(
            configuration[UpstreamSettings.address],
            HTTPClientConfiguration(configuration),
            logger: environment.logger
        )
        let averages = AverageForwarder(
            api: api,
            rangeDaysMax: configuration[LimitSettings.maxRangeDays],
            cache: AnswerCache(
                timeToLive: configuration[CacheSettings.averageLifetime],
                byteLimit: configuration[CacheSettings.maxBytes]
            )
        )
        environment.metrics.add(api.client, as: "api")
        environment.metrics.add(cache: "averages") { averages.cacheFigures }
        return RunningService(
            routes: [averages.route],
            requestTimeout: configuration[LimitSettings.requestTimeout],
            takesDeadlineFromCaller: false,
            documentation: ServiceDocumentation(title: "Tickloop", summary: "Market data and orders, for the public."),
            readiness: [ReadinessCheck(.api) { await api.isReady(deadline: $0) }],
            stop: { _ in api.close() }
        )
    }
}

/// Serves `GET /prices/average` to the public.
@ReactorActor
final class AverageForwarder {
    private static let path: PathTemplate = "/prices/average"

    private let api: UpstreamAPI
    private let rangeDaysMax: Int
    private var cache: AnswerCache

    init(api: UpstreamAPI, rangeDaysMax: Int, cache: AnswerCache) {
        self.api = api
        self.rangeDaysMax = rangeDaysMax
        self.cache = cache
    }

    var route: Route {
        Route(.get, Self.path, documentation) {
            [self] context async throws(APIError) in try await answer(context)
        }
    }

    var cacheFigures: CacheFigures {
        CacheFigures(
            hits: cache.hits,
            misses: cache.misses,
            evictions: cache.evictions,
            entries: cache.count,
            bytes: cache.byteCount
        )
    }

    private var documentation: RouteDocumentation {
        AverageRequest.documentation(rangeDaysMax: rangeDaysMax, errors: UpstreamAPI.errors)
    }

    private func answer(_ context: RequestContext) async throws(APIError) -> HTTPResponse {
        // The query as it came is the key: one that is cached was checked when it came first.
        let key = context.head.query ?? ""
        if let body = cache.answer(to: key, now: Reactor.now) { return HTTPResponse(json: body) }
        _ = try AverageRequest(of: context.head, rangeDaysMax: rangeDaysMax)
        let askedAt = Reactor.now
        let response = try await api.get(context, path: Self.path.description)
        if response.status == .ok { cache.insert(response.body, for: key, askedAt: askedAt, now: Reactor.now) }
        return try UpstreamAPI.relay(response)
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
