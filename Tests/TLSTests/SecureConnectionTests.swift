import HTTPClient
import HTTPServer
import HTTPWire
import Reactor
import TLS
import TestSupport
import Testing

/// Our client and our server, with each other.
@Suite struct SecureConnectionTests {
    init() { Reactor.runInBackground() }

    @Test @ReactorActor func `a request over TLS is answered, and the next one on the same connection`() async throws {
        let peers = try await SecurePeers()
        defer { peers.close() }
        #expect(try await peers.get("/one") == "GET /one")
        #expect(try await peers.get("/two") == "GET /two")
        #expect(peers.client.statistics.connects == 1)
        #expect(peers.server.counters.failedHandshakes == 0)
    }

    @Test @ReactorActor func `a body of megabytes goes through both ways`() async throws {
        let peers = try await SecurePeers()
        defer { peers.close() }
        let body = [UInt8](repeating: 7, count: 5_000_000)
        let response = try await peers.send(.post, "/echo", body: body)
        #expect(response.body == body)
    }

    @Test @ReactorActor func `a numeric address is verified as one, and a Unix-domain socket as localhost`()
        async throws
    {
        let unix = try "unix:\(TestFolder.make())/s"
        for address in ["127.0.0.1:0", unix] {
            let peers = try await SecurePeers(names: "DNS:localhost,IP:127.0.0.1", listening: address)
            defer { peers.close() }
            #expect(try await peers.get("/") == "GET /")
        }
    }

    @Test(arguments: [
        ("DNS:localhost", TestCertificates.Validity.past, CertificateFault.expired),
        ("DNS:localhost", .future, .notYetValid),
        ("DNS:example.com", .now, .otherHost),
        ("DNS:*", .now, .otherHost),
    ])
    @ReactorActor
    func `a certificate that is not in order is refused, by name`(
        names: String,
        validity: TestCertificates.Validity,
        fault: CertificateFault
    ) async throws {
        let certificate = try await TestCertificates.get().certificate(for: names, valid: validity)
        let peers = try await SecurePeers(certificate)
        defer { peers.close() }
        #expect(await peers.failure() == .unreachable(.insecure(.certificate(fault))))
        #expect(peers.server.counters.requests == 0)
    }

    @Test @ReactorActor func `a certificate of nobody whom we trust is refused`() async throws {
        let authority = try await TestCertificates()
        let strangers = try await SecurePeers(try await authority.certificate(for: "DNS:localhost"))
        defer { strangers.close() }
        #expect(await strangers.failure() == .unreachable(.insecure(.certificate(.unknownAuthority))))
        let selfSigned = try await SecurePeers(try await authority.selfSigned(for: "DNS:localhost"))
        defer { selfSigned.close() }
        #expect(await selfSigned.failure() == .unreachable(.insecure(.certificate(.selfSigned))))
        // The system trusts neither.
        let system = try await SecurePeers(trusting: nil)
        defer { system.close() }
        #expect(await system.failure() == .unreachable(.insecure(.certificate(.unknownAuthority))))
    }

    @Test @ReactorActor func `a self-signed certificate is accepted by who trusts that very one`() async throws {
        let certificate = try await TestCertificates.get().selfSigned(for: "DNS:localhost")
        let peers = try await SecurePeers(certificate, trusting: certificate.certificate)
        defer { peers.close() }
        #expect(try await peers.get("/") == "GET /")
    }

    @Test @ReactorActor func `a second connection resumes the session of the first`() async throws {
        let peers = try await SecurePeers()
        defer { peers.close() }
        #expect(try await peers.get("/") == "GET /")
        let other = HTTPClient(upstream: peers.client.upstream, configuration: peers.client.configuration)
        defer { other.close() }
        let request = HTTPClientRequest(.get, target: "/", authority: "localhost")
        _ = try await other.send(request, deadline: Reactor.now + .seconds(30))
        #expect(peers.context.resumptions == 1)
    }

    @Test @ReactorActor func `what does not speak TLS is told apart`() async throws {
        let peers = try await SecurePeers(isSecure: false)
        defer { peers.close() }
        #expect(await peers.failure() == .unreachable(.insecure(.notTLS)))
    }

    @Test @ReactorActor func `the server sends each client the certificate of the host that it names`() async throws {
        let certificates = try await TestCertificates.get()
        let identities = [
            try await certificates.certificate(for: "DNS:localhost"),
            try await certificates.certificate(for: "DNS:b.localhost,DNS:*.c.localhost"),
        ]
        let context = try TLSServerContext(identities: identities.map(\.identity))
        let server = try await secureServer(context)
        defer { server.server.close() }
        for (name, isKnown) in [
            ("localhost", true), ("b.localhost", true), ("x.c.localhost", true), ("d.localhost", false),
        ] {
            let lines = try await TestCertificates.openssl(
                ["s_client", "-connect", server.endpoint.description, "-servername", name]
                    + ["-verify_hostname", name, "-CAfile", certificates.authority, "-verify_return_error", "-brief"],
                succeeds: false
            )
            #expect(lines.contains { $0.hasPrefix("Verification: OK") } == isKnown, "\(name): \(lines)")
        }
    }

    @Test @ReactorActor func `a client that must show a certificate is refused without one`() async throws {
        let certificates = try await TestCertificates.get()
        let own = try await certificates.certificate(for: "IP:127.0.0.1")
        let context = try TLSServerContext(
            identities: [own.identity],
            clients: .required,
            clientAuthorities: certificates.authority
        )
        let server = try await secureServer(context)
        defer { server.server.close() }
        let bare = try TLSClientContext(authorities: certificates.authority)
        let shown = try TLSClientContext(authorities: certificates.authority, identity: own.identity)
        let stranger = try await TestCertificates().certificate(for: "DNS:localhost")
        let other = try TLSClientContext(authorities: certificates.authority, identity: stranger.identity)
        for (client, isLet) in [(bare, false), (shown, true), (other, false)] {
            let client = secureClient(to: server.endpoint, client)
            defer { client.close() }
            let request = HTTPClientRequest(.get, target: "/", authority: "localhost")
            let response = try? await client.send(request, deadline: Reactor.now + .seconds(30))
            #expect((response?.status == .ok) == isLet, "\(client.upstream)")
        }
        #expect(server.server.counters.requests == 1)
    }

    @Test @ReactorActor func `new certificates count for new connections, and cut none`() async throws {
        let peers = try await SecurePeers()
        defer { peers.close() }
        #expect(try await peers.get("/old") == "GET /old")
        let stranger = try await TestCertificates().certificate(for: "DNS:localhost")
        peers.server.tls = try TLSServerContext(identities: [stranger.identity])
        #expect(try await peers.get("/kept") == "GET /kept")
        #expect(peers.client.statistics.connects == 1)
        let other = secureClient(to: peers.client.upstream, try TLSClientContext(authorities: peers.authority))
        defer { other.close() }
        let request = HTTPClientRequest(.get, target: "/", authority: "localhost")
        await #expect(throws: HTTPClientError.unreachable(.insecure(.certificate(.unknownAuthority)))) {
            try await other.send(request, deadline: Reactor.now + .seconds(30))
        }
    }

    @Test @ReactorActor func `a certificate that does not fit its key is not taken, and the error says so`()
        async throws
    {
        let certificates = try await TestCertificates.get()
        let one = try await certificates.certificate(for: "DNS:localhost")
        let other = try await certificates.certificate(for: "DNS:localhost")
        let mixed = TLSIdentity(certificate: one.certificate, key: other.key)
        let error = #expect(throws: TLSSetupError.self) { try TLSServerContext(identities: [mixed]) }
        #expect(error?.description == "\(other.key): does not fit the certificate \(one.certificate)")
        let missing = TLSIdentity(certificate: "/nowhere.pem", key: other.key)
        #expect(throws: TLSSetupError.self) { try TLSServerContext(identities: [missing]) }
    }

    @Test @ReactorActor func `handshakes that only begin give way to newcomers, and end in time`() async throws {
        let own = try await TestCertificates.get().certificate(for: "DNS:localhost")
        let context = try TLSServerContext(identities: [own.identity])
        let server = try await secureServer(context) { $0.handshakeLimit = 2 }
        defer { server.server.close() }
        let first = try await TestSocket(to: server.endpoint)
        try await eventually("the first") { server.server.counters.connections == 1 }
        let others = [try await TestSocket(to: server.endpoint), try await TestSocket(to: server.endpoint)]
        try await eventually("the end of the first") { first.isEnded }
        #expect(others.allSatisfy { !$0.isEnded })
        #expect(server.server.counters.failedHandshakes == 1)

        let impatient = try await secureServer(context) { $0.headTimeout = .milliseconds(100) }
        defer { impatient.server.close() }
        let slow = try await TestSocket(to: impatient.endpoint)
        slow.send([22, 3, 1])
        try await eventually("the end of the slow one") { slow.isEnded }
    }

    @Test(arguments: ["HTTP/1.1 400 Bad Request\r\n\r\n", ""]) @ReactorActor
    func `a handshake that takes too long is over, also for a server that speaks or closes later`(late: String)
        async throws
    {
        let upstream = try TestListener()
        defer { upstream.close() }
        let context = try TLSClientContext(authorities: await TestCertificates.get().authority)
        let client = secureClient(to: upstream.endpoint, context) { $0.connectTimeout = .milliseconds(100) }
        defer { client.close() }
        let request = HTTPClientRequest(.get, target: "/", authority: "localhost")
        await #expect(throws: HTTPClientError.unreachable(.timedOut)) {
            try await client.send(request, deadline: Reactor.now + .seconds(30))
        }
        let peer = try await upstream.accept()
        peer.send(late)
        // Whoever has given up keeps no socket.
        try await eventually("the end of the connection") { peer.isEnded || peer.isReset }
        peer.close()
        await Reactor.yield()
        #expect(client.load.connecting == 0)
    }

    @Test(arguments: ["-tls1_2", "-tls1_3"])
    @ReactorActor
    func `another server's TLS is understood, in both versions`(version: String) async throws {
        let certificates = try await TestCertificates.get()
        let own = try await certificates.certificate(for: "DNS:localhost")
        let peer = try await OpenSSLServer(own, [version])
        defer { peer.stop() }
        let context = try TLSClientContext(authorities: certificates.authority)
        let client = secureClient(to: .tcp(host: "localhost", port: peer.port), context)
        defer { client.close() }
        let request = HTTPClientRequest(.get, target: "/", authority: "localhost")
        let response = try await client.send(request, deadline: Reactor.now + .seconds(30))
        #expect(String(decoding: response.body, as: UTF8.self).contains("s_server"))
    }

    @Test(arguments: [
        (["-tls1_1"], false), (["-alpn", "h2"], false), (["-alpn", "h2,http/1.1"], true), (["-tls1_2"], true),
    ])
    @ReactorActor
    func `old versions and other protocols are refused`(options: [String], isLet: Bool) async throws {
        let own = try await TestCertificates.get().certificate(for: "DNS:localhost")
        let server = try await secureServer(TLSServerContext(identities: [own.identity]))
        defer { server.server.close() }
        let lines = try await TestCertificates.openssl(
            ["s_client", "-connect", server.endpoint.description, "-brief"] + options,
            succeeds: false
        )
        #expect(lines.contains { $0.hasPrefix("CONNECTION ESTABLISHED") } == isLet, "\(lines)")
    }

    @Test(arguments: ["GET / HTTP/1.0\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"]) @ReactorActor
    func `an answer behind which the connection closes ends as TLS ends`(request: String) async throws {
        let own = try await TestCertificates.get().certificate(for: "DNS:localhost")
        let server = try await secureServer(TLSServerContext(identities: [own.identity]))
        defer { server.server.close() }
        let lines = try await TestCertificates.openssl(
            ["s_client", "-connect", server.endpoint.description, "-ign_eof"],
            input: request,
            succeeds: false
        )
        #expect(lines.contains { $0.hasPrefix("GET /") }, "\(lines)")
        // What an end without `close_notify` is called.
        #expect(!lines.contains { $0.contains("unexpected eof") }, "\(lines)")
        #expect(lines.contains { $0.hasSuffix("closed") }, "\(lines)")
    }

    @Test @ReactorActor func `a client that wants to begin anew on its connection is refused that`() async throws {
        let own = try await TestCertificates.get().certificate(for: "DNS:localhost")
        let server = try await secureServer(TLSServerContext(identities: [own.identity]))
        defer { server.server.close() }
        let lines = try await TestCertificates.openssl(
            ["s_client", "-connect", server.endpoint.description, "-tls1_2"],
            // What begins with R is a command, up to 8 KiB of it; what follows waits for what it does.
            input: "R" + String(repeating: "\n", count: 50_000),
            succeeds: false
        )
        #expect(lines.contains { $0 == "RENEGOTIATING" }, "\(lines)")
        #expect(lines.contains { $0.contains("no renegotiation") }, "\(lines)")
    }

    @Test(arguments: ["-tls1_2", "-tls1_3"]) @ReactorActor
    func `a client goes on by a ticket where it was, and a server with other keys begins anew`(version: String)
        async throws
    {
        let own = try await TestCertificates.get().certificate(for: "DNS:localhost")
        let server = try await secureServer(TLSServerContext(identities: [own.identity]))
        defer { server.server.close() }
        let session = "\(try TestFolder.make())/session"
        func connect(_ option: String) async throws -> [String] {
            try await TestCertificates.openssl(
                ["s_client", "-connect", server.endpoint.description, version, "-ign_eof", option, session],
                input: "GET / HTTP/1.0\r\n\r\n",
                succeeds: false
            )
        }
        let first = try await connect("-sess_out")
        #expect(first.contains { $0.hasPrefix("New, TLSv1.") }, "\(first)")
        #expect(first.contains { $0.hasPrefix("GET /") })
        let second = try await connect("-sess_in")
        #expect(second.contains { $0.hasPrefix("Reused, TLSv1.") }, "\(second)")
        server.server.tls = try TLSServerContext(identities: [own.identity])
        let third = try await connect("-sess_in")
        #expect(third.contains { $0.hasPrefix("New, TLSv1.") }, "\(third)")
    }
}
