internal import HTTPClient
internal import HTTPServer
internal import HTTPWire
internal import Logging
internal import Reactor
internal import WebAPI

/// A route with those that it leads to: by reference, as a copy would count everything that belongs to it.
@ReactorActor
final class ProxyPath {
    let route: ProxyRoute
    let group: UpstreamGroup
    let figures: ProxyFigures

    init(_ route: ProxyRoute, _ figures: ProxyFigures) {
        self.route = route
        group = UpstreamGroup(route)
        self.figures = figures
    }

    /// Whether an upstream has something to do.
    var isBusy: Bool { group.upstreams.contains { !$0.isUnused } }

    /// Ends whatever is under way.
    func close() {
        for upstream in group.upstreams {
            upstream.stopChecking()
            upstream.client.close()
        }
    }
}

/// Passes requests on whose path is none of the gateway's own; see README.md beside this file.
@ReactorActor
final class Proxy: PathFallback {
    /// How often it is looked whether the connections of former routes can be closed.
    private static let retirementInterval = Duration.seconds(1)

    private var finder: RouteFinder
    private var paths: [ProxyPath] = []
    /// Of former routes; some requests may still be on their way.
    private var retired: [ProxyPath] = []
    private var retirement: Timer?
    /// By prefix; kept when routes change, because what is counted only grows.
    private(set) var figures: [String: ProxyFigures] = [:]
    let statistics: StatisticsRecorder?
    /// What routes with a cache share.
    let cache: ResponseCache
    let needs: Scope? = .proxy
    /// What requests meet before they are passed on; nil for nothing.
    var limit: (any PathLimit)?
    private let logger: Logger

    /// Takes the routes, of which the longest prefix wins.
    ///
    /// - Parameters:
    ///   - cacheBytes: Most bytes that the routes with a cache keep together.
    ///   - statistics: Is told of each request; nil for nobody.
    init(
        _ routes: [ProxyRoute],
        cacheBytes: Int = 64 * 1024 * 1024,
        statistics: StatisticsRecorder? = nil,
        logger: Logger
    ) {
        self.statistics = statistics
        cache = ResponseCache(byteLimit: cacheBytes)
        self.logger = logger
        finder = RouteFinder([])
        retirement = Timer { [unowned self] in retire() }
        replaceRoutes(routes)
    }

    /// Takes other routes for the requests that come from now on. Those on their way end as they began.
    func replaceRoutes(_ routes: [ProxyRoute]) {
        // What is kept was asked of others, perhaps.
        if !paths.map(\.route).elementsEqual(routes, by: { $0.asksAs($1) }) { cache.removeAll() }
        retired += paths
        for upstream in paths.flatMap(\.group.upstreams) { upstream.stopChecking() }
        paths = routes.map { route in
            let figures = figures[route.prefix] ?? ProxyFigures()
            self.figures[route.prefix] = figures
            return ProxyPath(route, figures)
        }
        finder = RouteFinder(routes.map(\.prefix))
        retire()
    }

    /// Whether a route keeps answers.
    var isCaching: Bool { paths.contains { $0.route.isCached } }

    private func retire() {
        var inUse: [ProxyPath] = []
        while var path = retired.popLast() {
            // A request on its way refers to it, also while it has not asked anybody yet.
            if isKnownUniquelyReferenced(&path), !path.isBusy { path.close() } else { inUse.append(path) }
        }
        retired = inUse
        if !retired.isEmpty { retirement?.schedule(after: Self.retirementInterval) }
    }

    /// The connections, by the prefix of their route, and its number where a route has several upstreams.
    var clients: [(name: String, client: HTTPClient)] {
        paths.flatMap { path in
            let upstreams = path.group.upstreams
            return upstreams.enumerated().map { number, upstream in
                (upstreams.count == 1 ? path.route.prefix : "\(path.route.prefix) \(number + 1)", upstream.client)
            }
        }
    }

    /// Ends whatever is under way.
    func close() {
        retirement?.cancel()
        for path in retired + paths { path.close() }
        retired = []
    }

    // MARK: PathFallback

    /// Whether the path is one of a route.
    func passesOn(_ head: RequestHead) -> Bool { finder.route(head.path) != nil }

    /// Passes a request on, or answers 404 if no prefix matches.
    func handle(_ context: RequestContext, isOwn: (String) -> Bool) {
        let target = context.path
        switch finder.find(target, isOwn: isOwn) {
        case .nothing: context.fail(.notFound)
        case .ambiguous: context.fail(Self.ambiguousPath)
        case .route(let index):
            let path = paths[index]
            guard let limit, limit.isActive else { return serve(context, path) }
            let readings = [target] + (PathReadings.others(of: target) ?? [])
            limit.admit(context, paths: readings, route: path.route.prefix) { [self] in serve(context, path) }
        }
    }

    private func serve(_ context: RequestContext, _ path: ProxyPath) {
        guard HopCount.left(of: context) != 0 else { return answerHere(context) }
        if path.route.isCached { lookUp(context, path) } else { pass(context, path, startedAt: Reactor.now) }
    }

    /// Answers a request that may go no further (RFC 9110 §7.6.2). With TRACE nobody is told what it said when it came
    /// here: others on its way may have added secrets.
    private func answerHere(_ context: RequestContext) {
        if context.head.method == .options {
            context.respond(HTTPResponse(.noContent))
        } else {
            context.fail(Self.notTraced, fields: ["Allow": "OPTIONS"])
        }
    }

    private func pass(_ context: RequestContext, _ path: ProxyPath, _ task: CacheTask? = nil, startedAt: Instant) {
        ProxiedRequest(context, path, task: task, startedAt: startedAt, of: self).start()
    }

    /// A request has ended.
    ///
    /// - Parameter upstream: Who was asked; nil for nobody.
    func ended(_ context: RequestContext, _ path: ProxyPath, _ upstream: Upstream?, _ outcome: ProxiedOutcome) {
        let upstream = upstream ?? path.group.upstreams[0]
        path.figures.count(outcome)
        statistics?.record(
            CarriedRequest(
                unixTime: Reactor.unixTime - outcome.duration,
                source: upstream.source,
                path: upstream.url.basePath + path.route.forwarded(context.path),
                status: outcome.status,
                duration: outcome.duration
            )
        )
        switch outcome.result {
        case .answered, .abandoned: break
        case .cut(_, let failure), .failed(_, let failure):
            logger.debug(
                "upstream failed",
                metadata: ["reason": "\(failure)", "request_id": "\(context.identity.requestID)"]
            )
        }
    }

    // MARK: The cache

    /// - Parameter waitedSince: When a request came that has waited for another one in vain; nil for one that is new.
    private func lookUp(_ context: RequestContext, _ path: ProxyPath, waitedSince: Instant? = nil) {
        let startedAt = waitedSince ?? Reactor.now
        let key = CacheKey(context.head, isSecure: context.isSecure)
        let head = path.route.forwardedHead(of: context)
        switch CachedRoute(cache: cache).decide(head, key, mayWait: waitedSince == nil) {
        case .give(let answer, let cacheStatus, let refreshes):
            // The request is made while the client is there, who is gone once it has its answer.
            let refresh = refreshes ? prepareRefresh(of: answer, context, path, key) : nil
            give(answer, to: context, path, cacheStatus, startedAt)
            refresh?()
        case .wait(let flight, let reason):
            CacheWaiter(context, flight).start { [self] outcome in
                switch outcome {
                case .shared(let answer)? where answer.answers(head):
                    cache.note(.merged)
                    give(answer, to: context, path, "tickloop; fwd=\(reason); collapsed", startedAt)
                case .shared?, .alone?: lookUp(context, path, waitedSince: startedAt)
                case nil: ended(context, path, nil, ProxiedOutcome(.abandoned, since: startedAt))
                }
            }
        case .ask(let task): pass(context, path, task, startedAt: startedAt)
        case .fail:
            context.fail(Self.notCached, fields: ["Cache-Status": "tickloop; detail=only-if-cached"])
            ended(context, path, nil, ProxiedOutcome(.answered(.gatewayTimeout), since: startedAt))
        }
    }

    private func give(
        _ answer: CachedAnswer,
        to context: RequestContext,
        _ path: ProxyPath,
        _ cacheStatus: String,
        _ startedAt: Instant
    ) {
        let delivery = CachedDelivery.give(
            answer,
            to: context,
            status: cacheStatus,
            now: Clock.seconds
        ) { [self] status, isWhole in
            context.onClientGone = nil
            ended(context, path, nil, ProxiedOutcome(isWhole ? .answered(status) : .abandoned, since: startedAt))
        }
        if let delivery, !delivery.isEnded { context.onClientGone = { delivery.leave() } }
    }

    private func prepareRefresh(
        of answer: CachedAnswer,
        _ context: RequestContext,
        _ path: ProxyPath,
        _ key: CacheKey
    ) -> (() -> Void)? {
        guard context.head.method == .get, cache.beginRefresh(key) else { return nil }
        let head = path.route.forwardedHead(of: context)
        let task = CacheTask(cache, key, head, kept: answer, reason: "stale")
        let upstream = path.group.choose()
        var bytes: [UInt8] = []
        ForwardedHead.append(context, context.head, path, to: upstream, framing: .none, task: task, &bytes)
        let request = HTTPClientRequest(.get, bytes: bytes)
        return { [cache] in
            upstream.client.open(
                request,
                deadline: Reactor.now + path.route.timeout,
                silence: path.route.idleTimeout
            ) { result in
                task.refresh(with: result) { cache.endRefresh(key) }
            }
        }
    }

    private static let notCached = APIError(.upstreamTimeout, "Nothing is kept that would answer this request.")

    private static let notTraced = APIError(.methodNotAllowed, "This hop does not answer TRACE.")

    private static let ambiguousPath = APIError(
        .malformedRequest,
        "The path can be read in two ways that lead to different places."
    )
}

extension Scope {
    static let proxy = Scope("proxy", "What is passed on to an upstream")
}
