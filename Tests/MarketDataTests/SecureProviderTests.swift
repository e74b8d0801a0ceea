import HTTPClient
import HTTPServer
import Prices
import Reactor
import Redis
import TLS
import TestSupport
import Testing
import WebAPI

@testable import MarketData
@testable import Simulator

/// Providers over https.
@Suite struct SecureProviderTests {
    init() { loop }

    /// Asks a provider that shows a certificate for `names`, trusting the authority of the tests or that of the system.
    @ReactorActor
    private func ask(names: String, trustsAuthority: Bool) async throws -> QuoteOutcome {
        let certificates = try await TestCertificates.get()
        let pair = try await certificates.certificate(for: names)
        let service = WebService(
            routes: ProviderRoutes().routes,
            requestTimeout: .seconds(60),
            takesDeadlineFromCaller: false
        )
        let server = HTTPServer(handler: service)
        server.tls = try TLSServerContext(identities: [TLSIdentity(certificate: pair.certificate, key: pair.key)])
        defer { server.close() }
        let endpoint = try await server.listen(on: Endpoint(parsing: "127.0.0.1:0"), isSecure: true)
        guard case .tcp(_, let port) = endpoint else { preconditionFailure("a TCP port was asked for") }
        let redis = RedisClient(try await TestServers.redisDatabase().clientConfiguration, logger: quiet)
        redis.start()
        defer { redis.close() }
        try #require(await redis.waitUntilReady(within: .seconds(60)))
        var settings = ProviderSettings(.yahoo)
        settings.timeout = .seconds(60)
        let provider = Provider(
            "p",
            settings,
            at: try #require(HTTPBaseURL(parsing: "https://localhost:\(port)")),
            tls: try TLSClientContext(authorities: trustsAuthority ? certificates.authority : nil),
            redis: redis,
            logger: quiet,
            hasPriced: { _, _ in false }
        )
        defer { provider.client.close() }
        return await provider.quote(try #require(Symbol("M&M.NS")), deadline: soon)
    }

    @Test @ReactorActor func `a provider is asked over https`() async throws {
        let outcome = try await ask(names: "DNS:localhost", trustsAuthority: true)
        guard case .price(let quote, raw: let raw) = outcome else {
            Issue.record("\(outcome)")
            return
        }
        #expect(quote.symbol.text == "M&M.NS")
        #expect(raw.contains("M&M.NS"))
    }

    @Test(arguments: [("DNS:example.com", true), ("DNS:localhost", false)]) @ReactorActor
    func `a provider that does not prove who it is gives no price`(names: String, trustsAuthority: Bool) async throws {
        let outcome = try await ask(names: names, trustsAuthority: trustsAuthority)
        #expect(outcome.kind == .unreachable)
        #expect(outcome.description.contains("certificate"), "\(outcome)")
    }
}
