import Glibc
import HTTPClient
import HTTPWire
import Reactor
import Supervision
import TLS
import TestSupport
import Testing

/// TLS as an operator sets it up.
@Suite struct TLSTests {
    init() { loop }

    @Test @ReactorActor func `gateway and API speak TLS with each other and with clients, and prove themselves`()
        async throws
    {
        let folder = try TestFolder.make()
        let certificates = try await TestCertificates.get()
        let own = try await certificates.certificate(for: "DNS:localhost")
        let api = try SecureProcess(
            "api",
            own,
            certificates,
            in: folder,
            [
                "TICKLOOP_TLS_CLIENT_CERTIFICATES": "required",
                "TICKLOOP_TLS_CLIENT_AUTHORITIES": certificates.authority,
            ]
        )
        let gateway = try SecureProcess(
            "gateway",
            own,
            certificates,
            in: folder,
            ["TICKLOOP_UPSTREAM_ADDRESS": "https://unix:\(folder)/api.sock"]
        )
        // The API itself answers, through the gateway; it has no database.
        try await eventually("an answer", within: .seconds(30)) {
            await gateway.answer(to: "/api/conversations?page=1")?.status == .serviceUnavailable
        }
        // Without a certificate the API talks to nobody.
        #expect(await api.answer(to: "/health") == nil)
        #expect(await gateway.answer(to: "/health")?.status == .ok)

        let health = try TickloopProcess(
            ["health", "api", "--alive"],
            environment: api.environment,
            folder: packageFolder
        )
        try await health.waitForEnd()
        #expect(health.lines == [#"{"status":"ok"}"#])
        try await gateway.process.kill()
        try await api.process.kill()
    }

    @Test @ReactorActor func `SIGHUP takes new certificates, and leaves the old ones where the new have a fault`()
        async throws
    {
        let folder = try TestFolder.make()
        let certificates = try await TestCertificates.get()
        let old = try await certificates.certificate(for: "DNS:localhost")
        try Files.write(try #require(Files.text(old.certificate)), to: "\(folder)/cert.pem")
        try Files.write(try #require(Files.text(old.key)), to: "\(folder)/key.pem")
        let used = TestCertificates.Pair(certificate: "\(folder)/cert.pem", key: "\(folder)/key.pem")
        let gateway = try SecureProcess("gateway", used, certificates, in: folder, [:])
        try await eventually("an answer", within: .seconds(30)) { await gateway.answer(to: "/health") != nil }

        let new = try await certificates.certificate(for: "DNS:example.com")
        try Files.write(try #require(Files.text(new.certificate)), to: "\(folder)/cert.pem")
        gateway.process.send(SIGHUP)
        try await eventually("the complaint") {
            gateway.process.lines.contains {
                $0.contains("certificates stay as they are") && $0.contains("does not fit")
            }
        }
        #expect(await gateway.answer(to: "/health")?.status == .ok)

        try Files.write(try #require(Files.text(new.key)), to: "\(folder)/key.pem")
        gateway.process.send(SIGHUP)
        try await eventually("the new certificate") {
            await gateway.failure() == HTTPClientError.unreachable(.insecure(.certificate(.otherHost)))
        }
        #expect(gateway.process.status == nil)
        try await gateway.process.kill()
    }

    @Test(arguments: [
        (["TICKLOOP_SERVER_LISTEN": "https://127.0.0.1:0"], "which needs tls.certificates", 78),
        (["TICKLOOP_TLS_CERTIFICATES": "a,b", "TICKLOOP_TLS_KEYS": "a"], "tls.keys must be as many", 78),
        (["TICKLOOP_TLS_CLIENT_CERTIFICATES": "required"], "needs tls.client_authorities", 78),
        (
            ["TICKLOOP_SERVER_LISTEN": "https://127.0.0.1:0", "TICKLOOP_TLS_CERTIFICATES": "/nowhere.pem"],
            "/nowhere.pem: is not a certificate", 1
        ),
    ])
    @ReactorActor
    func `a service does not start with half of what TLS needs`(
        settings: [String: String],
        reason: String,
        status: CInt
    ) async throws {
        let process = try TickloopProcess(["gateway"], environment: settings, folder: packageFolder)
        #expect(try await process.waitForEnd() == .exited(status))
        #expect(process.lines.contains { $0.contains(reason) }, "\(process.lines)")
    }
}

/// A service that listens for TLS on a socket of its own, and a client of it without a certificate.
@ReactorActor
private final class SecureProcess {
    let process: TickloopProcess
    let environment: [String: String]
    private let endpoint: Endpoint
    private let authority: String

    init(
        _ service: String,
        _ own: TestCertificates.Pair,
        _ certificates: TestCertificates,
        in folder: String,
        _ settings: [String: String]
    ) throws {
        endpoint = .unix(path: "\(folder)/\(service).sock")
        authority = certificates.authority
        environment = [
            "TICKLOOP_SERVER_LISTEN": "https://\(endpoint)", "TICKLOOP_TLS_CERTIFICATES": own.certificate,
            "TICKLOOP_TLS_KEYS": own.key, "TICKLOOP_TLS_AUTHORITIES": certificates.authority,
            "TICKLOOP_DATABASE_PORT": "1", "TICKLOOP_REDIS_ADDRESS": "127.0.0.1:1",
        ].merging(settings) { $1 }
        process = try TickloopProcess([service], environment: environment, folder: packageFolder)
    }

    func answer(to target: String) async -> HTTPClientResponse? { try? await ask(target).get() }

    func failure() async -> HTTPClientError? {
        if case .failure(let error) = await ask("/health") { error } else { nil }
    }

    private func ask(_ target: String) async -> Result<HTTPClientResponse, HTTPClientError> {
        var configuration = HTTPClientConfiguration()
        configuration.connectWindow = .zero
        configuration.tls = try? TLSClientContext(authorities: authority)
        let client = HTTPClient(upstream: endpoint, configuration: configuration)
        defer { client.close() }
        do throws(HTTPClientError) {
            let request = HTTPClientRequest(.get, target: target, authority: "localhost")
            return .success(try await client.send(request, deadline: Reactor.now + .seconds(10)))
        } catch {
            return .failure(error)
        }
    }
}
