import HTTPServer
import HTTPWire
import Logging
import Reactor
import TestSupport
import WebAPI

@testable public import Proxy

/// A proxy on a port of its own, in front of an upstream that says what the test wants.
@ReactorActor
final class ProxyFixture {
    let upstream: TestListener
    let proxy: Proxy
    let server: HTTPServer
    let endpoint: Endpoint

    /// - Parameter routes: Own routes of the service.
    init(
        prefix: String = "/",
        routes: [Route] = [],
        access: (any RequestGuard)? = nil,
        policy: AnswerPolicy? = nil,
        cacheBytes: Int = 64 * 1024 * 1024,
        route configure: (inout ProxyRoute) -> Void = { _ in },
        server configureServer: (inout HTTPServerConfiguration) -> Void = { _ in }
    ) async throws {
        upstream = try TestListener()
        var route = ProxyRoute(
            prefix: prefix,
            targets: [ProxyRoute.Target(try UpstreamURL(parsing: "http://\(upstream.address)"))]
        )
        configure(&route)
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        proxy = Proxy([route], cacheBytes: cacheBytes, logger: logger)
        let web = WebService(
            routes: routes,
            fallback: proxy,
            access: access,
            policy: policy,
            requestTimeout: .seconds(30),
            takesDeadlineFromCaller: false
        )
        var configuration = HTTPServerConfiguration()
        configuration.limits.bodyBytes = 1024
        configureServer(&configuration)
        server = HTTPServer(configuration: configuration, handler: web)
        endpoint = try await server.listen(on: .tcp(host: "127.0.0.1", port: 0))
    }

    func connect() async throws -> TestSocket { try await TestSocket(to: endpoint) }

    func close() {
        server.close()
        proxy.close()
        upstream.close()
    }
}

/// Runs `body` with a proxy, which is closed afterwards.
@ReactorActor
func withProxy(
    prefix: String = "/",
    routes: [Route] = [],
    access: (any RequestGuard)? = nil,
    policy: AnswerPolicy? = nil,
    cacheBytes: Int = 64 * 1024 * 1024,
    route configure: (inout ProxyRoute) -> Void = { _ in },
    server configureServer: (inout HTTPServerConfiguration) -> Void = { _ in },
    _ body: @ReactorActor (ProxyFixture) async throws -> Void
) async throws {
    let fixture = try await ProxyFixture(
        prefix: prefix,
        routes: routes,
        access: access,
        policy: policy,
        cacheBytes: cacheBytes,
        route: configure,
        server: configureServer
    )
    defer { fixture.close() }
    try await body(fixture)
}

extension CacheTarget: ExpressibleByStringInterpolation {
    /// Reads `host/path?query`.
    public init(stringLiteral text: String) {
        guard let target = Self(text) else { preconditionFailure("\(text) has no path") }
        self = target
    }
}

/// What was asked without TLS.
extension CacheKey: ExpressibleByStringInterpolation {
    /// Reads `host/path?query`.
    public init(stringLiteral text: String) { self.init(target: CacheTarget(stringLiteral: text), isSecure: false) }
}
