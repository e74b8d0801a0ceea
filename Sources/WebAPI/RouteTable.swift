internal import HTTPWire

/// Finds the route of a request by path and method.
struct RouteTable {
    /// What stands at a path and method.
    enum Match {
        case route(ServedRoute, PathParameters, resource: Int)
        /// The path exists; it answers to these methods.
        case otherMethod(allowed: [HTTPMethod], resource: Int)
        case nothing

        var parameters: PathParameters {
            if case .route(_, let parameters, _) = self { parameters } else { .none }
        }

        var limit: (any RouteLimit)? {
            if case .route(let served, _, _) = self { served.route.limit } else { nil }
        }

        var isTagged: Bool {
            if case .route(let served, _, _) = self { served.route.isTagged } else { false }
        }

        var isTraced: Bool {
            if case .route(let served, _, _) = self { served.route.isTraced } else { true }
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
    private var exact: [String: ServedResource] = [:]
    private var templates: [ServedResource] = []

    init(_ routes: [Route]) {
        let resources = routes.resources
        paths = resources.map(\.path)
        for resource in resources.map(ServedResource.init) {
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
        guard let route = resource.routes.first(where: { $0.route.method == wanted }) else {
            return .otherMethod(allowed: resource.allowed, resource: resource.number)
        }
        return .route(route, parameters, resource: resource.number)
    }

    /// Whether something is at a path, in any of its spellings.
    func hasPath(_ path: String) -> Bool { resource(at: path) != nil }

    private func resource(at path: String) -> (ServedResource, PathParameters)? {
        if let resource = exact[path] { return (resource, .none) }
        // By bytes: what is passed on comes here, too, and is none of these.
        var rest = path[...]
        if rest.utf8.starts(with: "/v1/".utf8) { rest = rest.dropFirst(3) }
        if rest.utf8.count > 1, rest.utf8.last == UInt8(ascii: "/") { rest = rest.dropLast() }
        if rest.utf8.count < path.utf8.count, let resource = exact[String(rest)] { return (resource, .none) }
        for resource in templates where resource.path.mayMatch(rest) {
            if let parameters = resource.path.match(rest) { return (resource, parameters) }
        }
        return nil
    }
}

/// A route as requests find it: by reference, as a copy would count everything that is declared with it.
final class ServedRoute: Sendable {
    let route: Route

    init(_ route: Route) { self.route = route }
}

/// The routes of one path, the same way.
private final class ServedResource: Sendable {
    let path: PathTemplate
    let number: Int
    let allowed: [HTTPMethod]
    let routes: [ServedRoute]

    init(_ resource: RouteResource) {
        path = resource.path
        number = resource.number
        allowed = resource.allowed
        routes = resource.routes.map(ServedRoute.init)
    }
}
