internal import HTTPWire
internal import Reactor

/// Decides whether a request to a route may go on, when it is known to be valid.
public protocol RouteLimit: AnyObject, Sendable {
    /// Counts a request; `then` is called exactly once.
    @ReactorActor
    func admit(_ context: RequestContext, then: @escaping @ReactorActor (RouteAdmission) -> Void)

    /// Whether there is anything to count now.
    @ReactorActor var isActive: Bool { get }

    /// What callers may know of it.
    var additions: RouteAdditions { get }
}

/// Decides whether a request may go on whose path is no route of the service's own.
public protocol PathLimit: AnyObject, Sendable {
    /// Whether there is anything to count now.
    @ReactorActor var isActive: Bool { get }

    /// Counts a request; `then` is called at once or later if it may go on, else the request is answered.
    ///
    /// - Parameters:
    ///   - paths: All readings of its path.
    ///   - route: Where it goes.
    @ReactorActor
    func admit(
        _ context: RequestContext,
        paths: [String],
        route: String,
        then: @escaping @ReactorActor () -> Void
    )
}

/// What a limit says of a request.
public struct RouteAdmission: Sendable {
    let fields: [(name: String, value: String)]
    let refusal: APIError?
    let takeBack: (@ReactorActor @Sendable () -> Void)?

    /// - Parameters:
    ///   - fields: What the answer carries, unless it says that the request was invalid after all.
    ///   - refusal: Why the request goes no further; nil if it does.
    ///   - takeBack: Called when the answer says that the request was invalid, which only the next hop could know:
    ///     such requests do not count.
    public init(
        fields: [(name: String, value: String)],
        refusal: APIError? = nil,
        takeBack: (@ReactorActor @Sendable () -> Void)? = nil
    ) {
        self.fields = fields
        self.refusal = refusal
        self.takeBack = takeBack
    }
}

extension HTTPStatus {
    /// Whether it says that the request is invalid, whoever sends it and whenever.
    fileprivate var refusesAsInvalid: Bool {
        switch self {
        case .badRequest, .unsupportedMediaType, .unprocessableContent: true
        default: false
        }
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
    var isLimited: Bool { limit?.isActive ?? false }

    /// Notes what a limit has said, and answers if that was no.
    ///
    /// - Returns: Whether the request may go on.
    public func take(_ admission: RouteAdmission) -> Bool {
        self.admission = admission
        guard let refusal = admission.refusal else { return true }
        fail(refusal)
        return false
    }

    /// Goes on with a valid request, unless the route's limit is against it.
    func admit(then: @escaping @ReactorActor () -> Void) {
        guard let limit, limit.isActive else { return then() }
        limit.admit(self) { [self] admission in
            if take(admission) { then() }
        }
    }

    /// The same for a handler that reads top to bottom.
    func admitted() async throws(APIError) {
        guard let limit, limit.isActive else { return }
        let promise = Promise<RouteAdmission, Never>()
        limit.admit(self) { promise.succeed($0) }
        switch await promise.result {
        case .success(let admission):
            self.admission = admission
            if let refusal = admission.refusal { throw refusal }
        }
    }

    /// Counts the request no longer if the status of its answer says that it is invalid after all.
    func takeBackAdmission(ifRefused status: HTTPStatus) {
        guard let takeBack = admission?.takeBack, status.refusesAsInvalid else { return }
        admission = nil
        takeBack()
    }
}
