internal import HTTPClient
internal import HTTPWire
public import Logging
public import Reactor
public import TLS
public import WebAPI

/// Asks for a bearer token (RFC 6750) with the scope that a request needs.
@ReactorActor
public final class BearerGuard: RequestGuard {
    /// Most tokens that are remembered: about 10 MB of them.
    private static let rememberedMax = 10_000

    /// Paths of routes that anybody may ask, as the description of the service has them.
    private let publicPaths: Set<String>
    private let rules: TokenRules
    private let source: TokenKeySource
    private let logger: Logger
    /// Whether a token may come as the password of HTTP's own dialog.
    private let takesBasic: Bool
    /// By reason, of which there are few.
    private var refusals: [String: Reminder] = [:]
    /// Tokens that were verified. They are forgotten with the keys, and never count longer than they are good.
    private var remembered: [[UInt8]: TokenClaims] = [:]

    /// The guard that a configuration asks for; nil if everybody may ask for everything.
    ///
    /// - Parameter tls: For keys behind a URL that is `https`.
    public init?(
        _ settings: AuthSettings,
        tls: () throws(TLSSetupError) -> TLSClientContext,
        logger: Logger
    ) async throws(AccessProblem) {
        guard settings.mode == .jwt else { return nil }
        guard let place = settings.keys else {
            throw AccessProblem("auth.keys: is needed to verify tokens; name a key set, or set auth.mode to off")
        }
        var context: TLSClientContext?
        if case .url(let url) = place, url.isSecure {
            do { context = try tls() } catch { throw AccessProblem("auth.keys: \(error)") }
        }
        publicPaths = Set(settings.publicPaths)
        rules = settings.rules
        source = try await TokenKeySource(place, tls: context, logger: logger)
        self.logger = logger
        takesBasic = false
        source.onChange = { [unowned self] in remembered = [:] }
    }

    private init(forBrowsers other: BearerGuard) {
        (publicPaths, rules, source, logger) = (other.publicPaths, other.rules, other.source, other.logger)
        takesBasic = true
        let before = source.onChange
        source.onChange = { [weak self] in
            before()
            self?.remembered = [:]
        }
    }

    /// The same for a listener that browsers ask for pages: the only way that they know to say a token, when they
    /// follow a link, is as the password of their own dialog (RFC 7617).
    public var forBrowsers: BearerGuard { BearerGuard(forBrowsers: self) }

    /// Reads keys again, on SIGHUP.
    public func reload() { source.reload() }

    /// A route as it is while tokens are asked for: with that in its description, or for everybody if the configuration
    /// says so.
    public func guarding(_ route: Route) -> Route {
        publicPaths.contains(route.path.description) ? route.open : route.guarded
    }

    /// Asks for a token that allows what is needed.
    public func admit(
        _ context: RequestContext,
        for scope: Scope,
        pass: @escaping @ReactorActor (_ caller: Caller) -> Void
    ) {
        // Who tries another scheme has sent no token (RFC 6750 §3.1).
        guard context.head.fields.values("authorization").contains(where: isOfToken) else {
            return context.fail(.unauthenticated, fields: challenge("Bearer"))
        }
        guard let token = token(context.head.fields) else { return refuse(context, "not one bearer token") }
        if let claims = remembered[token], now < claims.expiresAt + rules.leeway {
            return decide(context, claims, scope, pass)
        }
        verify(token, context, scope, mayAskAgain: true, pass)
    }

    private var now: Int { Reactor.unixSeconds }

    private func verify(
        _ token: [UInt8],
        _ context: RequestContext,
        _ scope: Scope,
        mayAskAgain: Bool,
        _ pass: @escaping @ReactorActor (_ caller: Caller) -> Void
    ) {
        do throws(TokenFault) {
            let claims = try rules.verify(token, with: source.keys, now: now)
            remember(token, claims)
            decide(context, claims, scope, pass)
        } catch {
            guard error == .unknownKey, mayAskAgain, source.mayHaveNewKeys else {
                guard source.hasKeys else { return context.fail(.unavailable) }
                return refuse(context, error.rawValue)
            }
            source.refresh { [self] in verify(token, context, scope, mayAskAgain: false, pass) }
        }
    }

    private func decide(
        _ context: RequestContext,
        _ claims: TokenClaims,
        _ scope: Scope,
        _ pass: @ReactorActor (_ caller: Caller) -> Void
    ) {
        guard scope.isAllowed(by: claims.scopes) else {
            let challenge = #"Bearer error="insufficient_scope", scope="\#(scope.name)""#
            return context.fail(.forbidden, fields: self.challenge(challenge))
        }
        let left = Duration.seconds(max(0, min(claims.expiresAt - now, 1_000_000_000)))
        pass(Caller(subject: claims.subject, expiresAt: Reactor.now + left))
    }

    /// Says nothing of the reason to the client.
    private func refuse(_ context: RequestContext, _ reason: String) {
        // Anybody can send as many bad tokens as he likes.
        let unsaid = refusals[reason, default: Reminder()].isDue(at: Reactor.now)
        logger.log(
            level: unsaid == nil ? .debug : .info,
            "token refused",
            metadata: [
                "reason": "\(reason)", "request_id": "\(context.identity.requestID)", "unsaid": "\(unsaid ?? 0)",
            ]
        )
        context.fail(.unauthenticated, fields: challenge(#"Bearer error="invalid_token""#))
    }

    private func challenge(_ value: String) -> HTTPFields {
        var fields: HTTPFields = ["WWW-Authenticate": value]
        if takesBasic { fields.append("WWW-Authenticate", #"Basic realm="a token with the scope admin as password""#) }
        return fields
    }

    private func remember(_ token: [UInt8], _ claims: TokenClaims) {
        if remembered.count >= Self.rememberedMax {
            let now = now
            remembered = remembered.filter { $1.expiresAt > now }
            // Most are good still: begin anew, which costs each of them one verification, and not each new one a walk.
            if remembered.count > Self.rememberedMax / 2 { remembered = [:] }
        }
        remembered[token] = claims
    }

    /// Whether credentials are of a scheme that has a token.
    private func isOfToken(_ credentials: String) -> Bool {
        let scheme = credentials.prefix { $0 != " " }.lowercased()
        return scheme == "bearer" || takesBasic && scheme == "basic"
    }

    /// The token of the one `Authorization` field.
    private func token(_ fields: HTTPFields) -> [UInt8]? {
        guard let value = fields.onlyValueBytes("authorization") else { return nil }
        let name = value.prefix { $0 != UInt8(ascii: " ") }
        // `auth-scheme 1*SP token68` (RFC 9110 §11.4).
        let credentials = value.dropFirst(name.count).drop { $0 == UInt8(ascii: " ") }
        guard !credentials.isEmpty else { return nil }
        let scheme = String(decoding: name, as: UTF8.self).lowercased()
        if scheme == "bearer" { return Array(credentials) }
        guard takesBasic, scheme == "basic" else { return nil }
        let encoded = credentials.map { digit in
            digit == UInt8(ascii: "+") ? UInt8(ascii: "-") : digit == UInt8(ascii: "/") ? UInt8(ascii: "_") : digit
        }
        guard let pair = Base64URL.decode(encoded.prefix { $0 != UInt8(ascii: "=") }),
            let colon = pair.firstIndex(of: UInt8(ascii: ":"))
        else { return nil }
        return Array(pair[(colon + 1)...])
    }
}

extension Scope {
    /// Whether a token with these scopes allows it.
    fileprivate func isAllowed(by scopes: Set<String>) -> Bool {
        scopes.contains(name) || scopes.contains(Self.admin.name)
    }
}
