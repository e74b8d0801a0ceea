internal import HTTPWire

/// Finds the route of a request by path and method.
struct RouteTable {
    /// What stands at a path and method.
    enum Match {
        case route(Route, PathParameters, resource: Int)
        /// The path exists; it answers to these methods.
        case otherMethod(allowed: [HTTPMethod], resource: Int)
        case nothing

        var parameters: PathParameters {
            if case .route(_, let parameters, _) = self { parameters } else { .none }
        }

        var limit: (any RouteLimit)? {
            if case .route(let route, _, _) = self { route.limit } else { nil }
        }

        var isTraced: Bool {
            if case .route(let route, _, _) = self { route.isTraced } else { true }
        }

        var resource: Int? {
            switch self {
            case .route(_, _, let resource), .otherMethod(_, let resource): resource
            case .nothing: nil
            }
        }
    }

    /// Every path that has a route; a match names one by its place here.
    let paths: [PathTemplate]
    private var exact: [String: RouteResource] = [:]
    private var templates: [RouteResource] = []

    init(_ routes: [Route]) {
        let resources = routes.resources
        paths = resources.map(\.path)
        for resource in resources {
            if resource.path.isExact {
                exact[resource.path.description] = resource
            } else {
                templates.append(resource)
            }
        }
    }

    /// Looks a request up.
    ///
    /// A path also answers under `/v1` and with one slash at its end; beyond that it matches byte by byte.
    func find(_ method: HTTPMethod, path: String) -> Match {
        guard let (resource, parameters) = resource(at: path) else { return .nothing }
        // HEAD answers like GET; the server leaves the body out.
        let wanted: HTTPMethod = method == .head ? .get : method
        guard let route = resource.routes.first(where: { $0.method == wanted }) else {
            return .otherMethod(allowed: resource.allowed, resource: resource.number)
        }
        return .route(route, parameters, resource: resource.number)
    }

    /// Whether something is at a path, in any of its spellings.
    func hasPath(_ path: String) -> Bool { resource(at: path) != nil }

    private func resource(at path: String) -> (RouteResource, PathParameters)? {
        if let resource = exact[path] { return (resource, .none) }
        var path = path[...]
        if path.hasPrefix("/v1/") { path = path.dropFirst(3) }
        if path.count > 1, path.hasSuffix("/") { path = path.dropLast() }
        if let resource = exact[String(path)] { return (resource, .none) }
        for resource in templates {
            if let parameters = resource.path.match(path) { return (resource, parameters) }
        }
        return nil
    }
}
