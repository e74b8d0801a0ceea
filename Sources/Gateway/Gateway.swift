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
        .direct(.get, Self.path, documentation) { [self] context throws(APIError) in
            if cache.isEnabled { try answerFromCache(context) } else { try forward(context) { _ in } }
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

    private func answerFromCache(_ context: RequestContext) throws(APIError) {
        // The query as it came is the key: one that is cached was checked when it came first.
        let key = context.head.query ?? ""
        if let body = cache.answer(to: key, now: Reactor.now) { return context.respond(HTTPResponse(json: body)) }
        let askedAt = Reactor.now
        try forward(context) { [self] body in cache.insert(body, for: key, askedAt: askedAt, now: Reactor.now) }
    }

    private func forward(
        _ context: RequestContext,
        onSuccess: @escaping @ReactorActor ([UInt8]) -> Void
    ) throws(APIError) {
        _ = try AverageRequest(context.content, rangeDaysMax: rangeDaysMax)
        api.get(context, path: Self.path.description) { result in
            switch result {
            case .success(let response):
                if response.status == .ok { onSuccess(response.body) }
                context.answer(with: UpstreamAPI.relay(response))
            case .failure(let error):
                context.fail(error)
            }
        }
    }
}

extension RequestContext {
    fileprivate func answer(with result: Result<HTTPResponse, APIError>) {
        switch result {
        case .success(let response): respond(response)
        case .failure(let error): fail(error)
        }
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
