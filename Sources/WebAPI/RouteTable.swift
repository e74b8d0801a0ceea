internal import HTTPWire

/// Finds the route of a request by path and method.
struct RouteTable {
    /// What stands at a path and method.
    enum Match {
        case route(Route, PathParameters, resource: Int)
        /// The path exists; it answers to these methods.
        case otherMethod(allowed: [HTTPMethod], resource: Int)
        case nothing
    }

    /// The routes of one path.
    private struct Resource {
        let path: PathTemplate
        /// Its place in ``paths``.
        let number: Int
        var routes: [Route]

        /// In the order of `Allow`: what was declared, then what comes with it.
        var allowed: [HTTPMethod] {
            var methods = routes.map(\.method)
            if methods.contains(.get) { methods.append(.head) }
            return methods + [.options]
        }
    }

    /// Every path that has a route; a match names one by its place here.
    private(set) var paths: [PathTemplate] = []
    private var exact: [String: Resource] = [:]
    private var templates: [Resource] = []

    init(_ routes: [Route]) {
        for route in routes {
            if exact[route.path.description]?.routes.append(route) != nil { continue }
            if let index = templates.firstIndex(where: { $0.path == route.path }) {
                templates[index].routes.append(route)
                continue
            }
            let resource = Resource(path: route.path, number: paths.count, routes: [route])
            paths.append(route.path)
            if route.path.isExact { exact[route.path.description] = resource } else { templates.append(resource) }
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

    private func resource(at path: String) -> (Resource, PathParameters)? {
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
