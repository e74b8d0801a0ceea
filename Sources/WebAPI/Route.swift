public import HTTPServer
public import HTTPWire
internal import Reactor

/// One thing that a service answers to, declared in one place.
public struct Route: Sendable {
    /// The method; GET brings HEAD with it, and every path answers OPTIONS.
    public let method: HTTPMethod
    /// The path, which also answers under `/v1`.
    public let path: PathTemplate
    /// What the token of a caller must allow, where tokens are asked for; nil where nobody need show one.
    public internal(set) var needs: Scope?
    /// What its callers may know of it.
    public internal(set) var documentation: RouteDocumentation
    let handler: RouteHandler
    /// Whether its requests are spans of a trace.
    private(set) var isTraced = true
    /// Whether it is answered also while the service takes no more requests.
    private(set) var isAnsweredAlways = false
    /// Whether answers are named by what they say.
    var isTagged = false
    /// What valid requests meet before anything is done for them.
    var limit: (any RouteLimit)?
    /// Whether tokens are asked for here.
    var isGuarded = false

    /// Declares a route whose handler reads top to bottom; every parameter of its path must be documented.
    ///
    /// - Parameter scope: What the token of a caller must allow, where tokens are asked for; nil for what anybody may
    ///   ask.
    public init(
        _ method: HTTPMethod,
        _ path: PathTemplate,
        needs scope: Scope? = .admin,
        _ documentation: RouteDocumentation,
        handler: @escaping RouteHandler.Async
    ) {
        self.init(method, path, scope, documentation, .async(handler))
    }

    private init(
        _ method: HTTPMethod,
        _ path: PathTemplate,
        _ needs: Scope?,
        _ documentation: RouteDocumentation,
        _ handler: RouteHandler
    ) {
        let documented = documentation.parameters.filter { $0.place == .path }.map(\.name)
        precondition(Set(documented) == Set(path.parameterNames), "\(path) is documented with other parameters")
        self.method = method
        self.path = path
        self.needs = needs
        self.documentation = documentation
        self.handler = handler
    }

    /// Declares a route whose handler answers through callbacks; for a route on which every microsecond counts.
    public static func direct(
        _ method: HTTPMethod,
        _ path: PathTemplate,
        needs scope: Scope? = .admin,
        _ documentation: RouteDocumentation,
        handler: @escaping RouteHandler.Direct
    ) -> Route {
        Route(method, path, scope, documentation, .direct(handler))
    }

    /// What tells it from others: `GET /orders/{id}`.
    public var name: String { "\(method.rawValue) \(path)" }

    /// The same route without spans: for what is asked all day long, and says nothing of the service's work.
    public var untraced: Route {
        var route = self
        route.isTraced = false
        return route
    }

    /// The same route, answered also while the service takes no more requests: for answers that wait for nothing.
    public var answeredAlways: Route {
        var route = self
        route.isAnsweredAlways = true
        return route
    }
}

/// The routes of one path.
public struct RouteResource: Sendable {
    /// Without `/v1`, under which it is served too.
    public let path: PathTemplate
    /// Its place among the paths of the service.
    let number: Int
    /// One for each method.
    public fileprivate(set) var routes: [Route]

    /// What the path answers to, in the order of `Allow`: what was declared, then what comes with it.
    public var allowed: [HTTPMethod] {
        var methods = routes.map(\.method)
        if methods.contains(.get) { methods.append(.head) }
        return methods + [.options]
    }
}

extension [Route] {
    /// The routes by path, in the order in which the paths are first declared.
    public var resources: [RouteResource] {
        var resources: [RouteResource] = []
        for route in self {
            if let index = resources.firstIndex(where: { $0.path == route.path }) {
                resources[index].routes.append(route)
            } else {
                resources.append(RouteResource(path: route.path, number: resources.count, routes: [route]))
            }
        }
        return resources
    }
}

/// Answers a request, on the loop, with a response or an error of the one shape.
public enum RouteHandler: Sendable {
    /// Returns the answer.
    public typealias Async = @ReactorActor @Sendable (RequestContext) async throws(APIError) -> HTTPResponse
    /// Gives the answer to the context, now or later, exactly once; or throws before it has returned.
    public typealias Direct = @ReactorActor @Sendable (RequestContext) throws(APIError) -> Void

    /// For nearly every route.
    case async(Async)
    /// For routes on which a Swift task for each request, some 3 µs and ten allocations, is a good part of the cost.
    case direct(Direct)
}
