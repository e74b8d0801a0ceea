internal import HTTPClient
public import HTTPWire
public import Logging
public import Reactor
public import WebAPI

/// Passes requests on whose path is none of the gateway's own; see README.md beside this file.
@ReactorActor
public final class Proxy: PathFallback {
    /// A route with those that it leads to.
    private struct Path {
        let route: ProxyRoute
        let group: UpstreamGroup
        let figures: ProxyFigures
    }

    /// How often it is looked whether the connections of former routes can be closed.
    private static let retirementInterval = Duration.seconds(1)

    private var finder: RouteFinder
    private var paths: [Path] = []
    /// Of former routes; some requests may still be on their way.
    private var retired: [Upstream] = []
    private var retirement: Timer?
    /// By prefix; kept when routes change, because what is counted only grows.
    private(set) var figures: [String: ProxyFigures] = [:]
    let statistics: StatisticsRecorder?
    private let logger: Logger

    /// Takes the routes, of which the longest prefix wins.
    ///
    /// - Parameter statistics: Is told of each request; nil for nobody.
    public init(_ routes: [ProxyRoute], statistics: StatisticsRecorder? = nil, logger: Logger) {
        self.statistics = statistics
        self.logger = logger
        finder = RouteFinder([])
        retirement = Timer { [unowned self] in retire() }
        replaceRoutes(routes)
    }

    /// Takes other routes for the requests that come from now on. Those on their way end as they began.
    public func replaceRoutes(_ routes: [ProxyRoute]) {
        retired += paths.flatMap(\.group.upstreams)
        paths = routes.map { route in
            let figures = figures[route.prefix] ?? ProxyFigures()
            self.figures[route.prefix] = figures
            return Path(route: route, group: UpstreamGroup(route), figures: figures)
        }
        finder = RouteFinder(routes.map(\.prefix))
        retire()
    }

    private func retire() {
        for upstream in retired where upstream.isUnused { upstream.client.close() }
        retired.removeAll { $0.isUnused }
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
    public func close() {
        retirement?.cancel()
        for upstream in retired + paths.flatMap(\.group.upstreams) { upstream.client.close() }
        retired = []
    }

    // MARK: PathFallback

    /// Whether a route passes the body on.
    public func streamsBody(of head: RequestHead) -> Bool { finder.route(head.path) != nil }

    /// Passes a request on, or answers 404 if no prefix matches.
    public func handle(_ context: RequestContext, isOwn: (String) -> Bool) {
        switch finder.find(context.head.path, isOwn: isOwn) {
        case .nothing: context.fail(.notFound)
        case .ambiguous: context.fail(Self.ambiguousPath)
        case .route(let index):
            let path = paths[index]
            let request = ProxiedRequest(context, path.route, path.group) { [self] request, outcome in
                ended(context, path, request.upstream, outcome)
            }
            request.start()
        }
    }

    private func ended(_ context: RequestContext, _ path: Path, _ upstream: Upstream, _ outcome: ProxiedOutcome) {
        path.figures.count(outcome)
        statistics?.record(
            CarriedRequest(
                unixTime: Reactor.unixTime - outcome.duration,
                route: path.route.prefix,
                origin: "http://\(upstream.url.authority)",
                path: upstream.url.basePath + path.route.forwarded(context.head.path),
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

    private static let ambiguousPath = APIError(
        .malformedRequest,
        "The path can be read in two ways that lead to different places."
    )
}
