public import HTTPWire

/// One thing that a service answers to, declared in one place.
public struct Route: Sendable {
    /// The method; GET brings HEAD with it, and every path answers OPTIONS.
    public let method: HTTPMethod
    /// The path, which also answers under `/v1`.
    public let path: PathTemplate
    /// One line for a person: what the route is for.
    public let summary: String
    let handler: RouteHandler
    /// Whether its requests are spans of a trace.
    private(set) var isTraced = true

    /// Declares a route.
    public init(_ method: HTTPMethod, _ path: PathTemplate, _ summary: String, handler: @escaping RouteHandler) {
        self.method = method
        self.path = path
        self.summary = summary
        self.handler = handler
    }

    /// The same route without spans: for what is asked all day long, and says nothing of the service's work.
    public var untraced: Route {
        var route = self
        route.isTraced = false
        return route
    }
}
