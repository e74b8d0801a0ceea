internal import HTTPServer
internal import HTTPWire
public import Reactor

/// Who sends a request, where that has to be known.
public struct Caller: Hashable, Sendable {
    /// Who it is; what he makes is his.
    public let subject: String
    /// Until when that is vouched for: a stream to him ends then.
    public let expiresAt: Instant

    /// Takes the parts.
    public init(subject: String, expiresAt: Instant) {
        self.subject = subject
        self.expiresAt = expiresAt
    }
}

/// Lets requests pass, or answers them.
@ReactorActor
public protocol RequestGuard: AnyObject, Sendable {
    /// Decides about a request, now or later.
    ///
    /// - Parameters:
    ///   - scope: What it needs; what needs nothing is never asked about.
    ///   - pass: Called with who sends it; not at all if it was answered here.
    func admit(
        _ context: RequestContext,
        for scope: Scope,
        pass: @escaping @ReactorActor (_ caller: Caller) -> Void
    )
}

extension Route {
    /// The same route, described as one of a service that asks for tokens.
    public var guarded: Route {
        guard needs != nil else { return self }
        var route = self
        route.isGuarded = true
        route.documentation = documentation.adding(RouteAdditions(errors: [.unauthenticated, .forbidden]))
        return route
    }

    /// The same route for everybody.
    public var open: Route {
        var route = self
        route.needs = nil
        return route
    }
}

extension APIError {
    /// 401, whatever is wrong with the token; the challenge of the answer says no more either.
    public static let unauthenticated = APIError(.unauthenticated, "This needs a valid token.")
    /// 403, for a good token that does not allow this.
    public static let forbidden = APIError(.forbidden, "The token does not allow this.")
}
