public import HTTPClient
public import HTTPWire
public import Logging
public import Reactor
public import WebAPI

/// Passes requests on whose path is none of the gateway's own; see README.md beside this file.
@ReactorActor
public final class Proxy: PathFallback {
    /// A route with those that it leads to.
    @ReactorActor
    private final class Target {
        let route: ProxyRoute
        let upstreams: [Upstream]
        let figures = ProxyFigures()

        init(_ route: ProxyRoute) {
            self.route = route
            upstreams = route.upstreams.map { Upstream($0, of: route) }
        }
    }

    private let finder: RouteFinder
    private let targets: [Target]
    let statistics: StatisticsRecorder?
    private let logger: Logger

    /// Takes the routes, of which the longest prefix wins.
    ///
    /// - Parameter statistics: Is told of each request; nil for nobody.
    public init(_ routes: [ProxyRoute], statistics: StatisticsRecorder? = nil, logger: Logger) {
        self.statistics = statistics
        finder = RouteFinder(routes.map(\.prefix))
        targets = routes.map { Target($0) }
        self.logger = logger
    }

    /// The connections, by the prefix of their route.
    public var clients: [(name: String, client: HTTPClient)] {
        targets.flatMap { target in target.upstreams.map { (target.route.prefix, $0.client) } }
    }

    var figures: [(String, ProxyFigures)] { targets.map { ($0.route.prefix, $0.figures) } }

    /// Ends whatever is under way.
    public func close() {
        for target in targets {
            for upstream in target.upstreams { upstream.client.close() }
        }
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
            let target = targets[index]
            let upstream = target.upstreams[0]
            ProxiedRequest(context, target.route, upstream) { [self] outcome in
                ended(context, target, upstream, outcome)
            }
            .start()
        }
    }

    private func ended(_ context: RequestContext, _ target: Target, _ upstream: Upstream, _ outcome: ProxiedOutcome) {
        target.figures.count(outcome)
        statistics?.record(
            CarriedRequest(
                unixTime: Reactor.unixTime - outcome.duration,
                route: target.route.prefix,
                origin: "http://\(upstream.url.authority)",
                path: upstream.url.basePath + context.head.path,
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
