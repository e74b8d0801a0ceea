internal import Basics
internal import HTTPWire

/// Finds the route of a request by path and method.
struct RouteTable {
    /// What stands at a path and method.
    enum Match {
        case route(ServedRoute, PathParameters)
        /// The path exists; it answers to other methods.
        case otherMethod(ServedResource)
        /// `*`, which `OPTIONS` alone may ask for: the service itself (RFC 9110 §9.3.7).
        case service
        case nothing

        var route: ServedRoute? {
            if case .route(let served, _) = self { served } else { nil }
        }

        var parameters: PathParameters {
            if case .route(_, let parameters) = self { parameters } else { .none }
        }

        var resource: Int? {
            switch self {
            case .route(let served, _): served.resource
            case .otherMethod(let resource): resource.number
            case .service, .nothing: nil
            }
        }
    }

    /// Every path that has a route; a match names one by its place here.
    let paths: [PathTemplate]
    /// What any of them answers to.
    let methods: [HTTPMethod]
    /// Those with paths without parameters, by the length of the path: hardly any two are equally long, so that to
    /// compare is less work than to hash.
    private var exact: [[ServedResource]] = []
    private var templates: [ServedResource] = []

    init(_ routes: [Route]) {
        let resources = routes.resources
        paths = resources.map(\.path)
        methods = resources.reduce(into: []) { methods, resource in
            methods += resource.allowed.filter { !methods.contains($0) }
        }
        for resource in resources.map(ServedResource.init) {
            guard resource.path.isExact else {
                templates.append(resource)
                continue
            }
            let length = resource.bytes.count
            while exact.count <= length { exact.append([]) }
            exact[length].append(resource)
        }
    }

    /// Looks a request up.
    ///
    /// A path also answers under `/v1` and with one slash at its end; beyond that it matches byte by byte.
    func find(_ method: HTTPMethod, path: Span<UInt8>) -> Match {
        guard let (resource, parameters) = resource(at: path) else {
            return path.count == 1 && path[0] == UInt8(ascii: "*") ? .service : .nothing
        }
        // HEAD answers like GET; the server leaves the body out.
        let wanted: HTTPMethod = method == .head ? .get : method
        guard let served = resource.routes.first(where: { $0.method == wanted }) else {
            return .otherMethod(resource)
        }
        return .route(served, parameters)
    }

    /// Whether something is at a path, in any of its spellings.
    func hasPath(_ path: String) -> Bool { resource(at: path.utf8.span) != nil }

    private func resource(at path: Span<UInt8>) -> (ServedResource, PathParameters)? {
        if let resource = exactResource(at: path) { return (resource, .none) }
        // By bytes: what is passed on comes here, too, and is none of these.
        var rest = path
        if rest.starts(with: "/v1/") { rest = rest.extracting(3...) }
        if rest.count > 1, rest[rest.count - 1] == UInt8(ascii: "/") {
            rest = rest.extracting(droppingLast: 1)
        }
        if rest.count < path.count, let resource = exactResource(at: rest) { return (resource, .none) }
        for resource in templates {
            let bytes = resource.bytes
            guard rest.begins(with: bytes.span), let parameters = resource.path.match(rest) else { continue }
            return (resource, parameters)
        }
        return nil
    }

    private func exactResource(at path: Span<UInt8>) -> ServedResource? {
        guard path.count < exact.count else { return nil }
        for resource in exact[path.count] {
            let bytes = resource.bytes
            if path.begins(with: bytes.span) { return resource }
        }
        return nil
    }
}

extension Span where Element == UInt8 {
    fileprivate func starts(with text: String) -> Bool { begins(with: text.utf8.span) }
}

/// A route as requests find it: by reference, as a copy would count everything that is declared with it.
final class ServedRoute: Sendable {
    let method: HTTPMethod
    let needs: Scope?
    /// The place of its path.
    let resource: Int
    let handler: RouteHandler
    let isTraced: Bool
    let isAnsweredAlways: Bool
    let isTagged: Bool
    let limit: (any RouteLimit)?
    /// Most bytes of the body; nil where it takes none.
    let bodyLimitBytes: Int?

    fileprivate init(_ route: Route, _ resource: Int) {
        method = route.method
        needs = route.needs
        self.resource = resource
        handler = route.handler
        isTraced = route.isTraced
        isAnsweredAlways = route.isAnsweredAlways
        isTagged = route.isTagged
        limit = route.limit
        bodyLimitBytes = route.documentation.body?.limitBytes
    }
}

/// The routes of one path, the same way.
final class ServedResource: Sendable {
    fileprivate let path: PathTemplate
    /// The path as it stands in requests, up to the first parameter.
    fileprivate let bytes: [UInt8]
    let number: Int
    let allowed: [HTTPMethod]
    fileprivate let routes: [ServedRoute]

    fileprivate init(_ resource: RouteResource) {
        path = resource.path
        bytes = Array(resource.path.start.utf8)
        number = resource.number
        allowed = resource.allowed
        routes = resource.routes.map { ServedRoute($0, resource.number) }
    }
}
