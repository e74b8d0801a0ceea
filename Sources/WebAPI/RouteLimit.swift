internal import Reactor

/// Decides whether a request to a route may go on, when it is known to be valid.
public protocol RouteLimit: AnyObject, Sendable {
    /// Counts a request; `then` is called exactly once.
    @ReactorActor
    func admit(_ context: RequestContext, then: @escaping @ReactorActor (RouteAdmission) -> Void)

    /// What callers may know of it.
    var additions: RouteAdditions { get }
}

/// What a limit says of a request.
public struct RouteAdmission: Sendable {
    let fields: [(name: String, value: String)]
    let refusal: APIError?

    /// - Parameters:
    ///   - fields: What the answer carries, whatever it is.
    ///   - refusal: Why the request goes no further; nil if it does.
    public init(fields: [(name: String, value: String)], refusal: APIError? = nil) {
        self.fields = fields
        self.refusal = refusal
    }
}

extension Route {
    /// The same route with a limit, which valid requests meet before anything is done for them.
    ///
    /// Only a route that an ``Operation`` has made knows when a request is valid.
    public func limited(by limit: any RouteLimit) -> Route {
        var route = self
        route.documentation = documentation.adding(limit.additions)
        route.limit = limit
        return route
    }
}

extension RequestContext {
    /// Whether the route has a limit.
    var isLimited: Bool { limit != nil }

    /// Goes on with a valid request, unless the route's limit is against it.
    func admit(then: @escaping @ReactorActor () -> Void) {
        guard let limit else { return then() }
        limit.admit(self) { [self] admission in
            limitFields = admission.fields
            if let refusal = admission.refusal { return fail(refusal) }
            then()
        }
    }

    /// The same for a handler that reads top to bottom.
    func admitted() async throws(APIError) {
        guard let limit else { return }
        let promise = Promise<RouteAdmission, Never>()
        limit.admit(self) { promise.succeed($0) }
        switch await promise.result {
        case .success(let admission):
            limitFields = admission.fields
            if let refusal = admission.refusal { throw refusal }
        }
    }
}
