import HTTPServer
import Reactor
import TestSupport
import Testing
import WebAPI

@testable import Proxy

/// What is the gateway's own matter between a client and an upstream: tokens, and who may read answers.
@Suite struct OwnMatterTests {
    init() { Reactor.runInBackground() }

    /// Lets everybody in, for some time.
    @ReactorActor
    private final class OpenDoor: RequestGuard {
        let lifetime: Duration

        init(for lifetime: Duration = .seconds(60)) { self.lifetime = lifetime }

        func admit(
            _ context: RequestContext,
            for scope: Scope,
            pass: @escaping @ReactorActor (_ caller: Caller) -> Void
        ) {
            pass(Caller(subject: "ada", expiresAt: Reactor.now + lifetime))
        }
    }

    private static func get(_ token: String) -> String {
        "GET /x HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer \(token)\r\n\r\n"
    }

    @Test(arguments: [(true, false, false), (true, true, true), (false, false, true)])
    @ReactorActor
    func `an upstream gets a token only where the route says so, or where we ask for none`(
        isGuarded: Bool,
        passes: Bool,
        arrives: Bool
    ) async throws {
        try await withProxy(access: isGuarded ? OpenDoor() : nil, route: { $0.passesToken = passes }) { proxy in
            let client = try await proxy.connect()
            client.send(Self.get("secret"))
            let server = try await proxy.upstream.accept()
            let head = try await server.take(through: "\r\n\r\n").lowercased()
            #expect(head.contains("\r\nauthorization: bearer secret\r\n") == arrives)
            #expect(head.contains("secret") == arrives)
        }
    }

    @Test(arguments: [false, true]) @ReactorActor
    func `what an upstream answers without seeing a token is kept for everybody who may ask`(passes: Bool) async throws
    {
        try await withProxy(
            access: OpenDoor(),
            route: {
                $0.isCached = true
                $0.passesToken = passes
            }
        ) { proxy in
            let client = try await proxy.connect()
            client.send(Self.get("one"))
            let server = try await proxy.upstream.accept()
            _ = try await server.take(through: "\r\n\r\n")
            server.send("HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 5\r\n\r\nfirst")
            #expect(try await client.takeResponse().body == "first")
            client.send(Self.get("other"))
            if passes {
                _ = try await server.take(through: "\r\n\r\n")
                server.send("HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 6\r\n\r\nsecond")
            }
            #expect(try await client.takeResponse().body == (passes ? "second" : "first"))
        }
    }

    @Test @ReactorActor func `a connection of another protocol ends with the token that it began with`() async throws {
        try await withProxy(access: OpenDoor(for: .milliseconds(300))) { proxy in
            let client = try await proxy.connect()
            client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n")
            let server = try await proxy.upstream.accept()
            _ = try await server.take(through: "\r\n\r\n")
            server.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\nhello")
            #expect(try await client.take(through: "hello").hasPrefix("HTTP/1.1 101 "))
            try await eventually("the end, on both sides") { client.isEnded && server.isEnded }
        }
    }

    @Test @ReactorActor func `who may read answers from elsewhere is decided here, for upstreams as well`() async throws
    {
        let policy = AnswerPolicy(
            crossOrigin: CrossOriginPolicy(origins: ["https://app.example"]),
            compresses: true,
            tellsTiming: false,
            routes: []
        )
        for policy in [policy, nil] {
            try await withProxy(policy: policy, route: { $0.isCached = true }) { proxy in
                let client = try await proxy.connect()
                let get = "GET /x HTTP/1.1\r\nHost: a\r\nOrigin: https://app.example\r\nAccept-Encoding: gzip\r\n\r\n"
                client.send(get)
                let server = try await proxy.upstream.accept()
                _ = try await server.take(through: "\r\n\r\n")
                let body = String(repeating: "a", count: 5000)
                server.send(
                    "HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: *\r\nAccess-Control-Expose-Headers: X\r\n"
                        + "Content-Type: text/plain\r\nCache-Control: max-age=60\r\nContent-Length: 5000\r\n\r\n\(body)"
                )
                // From the upstream, and from what is kept; as it came otherwise.
                for round in 1...2 {
                    if round == 2 { client.send(get) }
                    let answer = try await client.takeResponse()
                    #expect(answer.body == body)
                    let allowed = answer.fields.filter { $0.name == "access-control-allow-origin" }.map(\.value)
                    #expect(allowed == [policy == nil ? "*" : "https://app.example"])
                    #expect((answer["access-control-expose-headers"] == "X") == (policy == nil))
                }
                // A preflight has no token, and is of no use to an upstream that does not decide.
                client.send(
                    "OPTIONS /x HTTP/1.1\r\nHost: a\r\nOrigin: https://app.example\r\n"
                        + "Access-Control-Request-Method: PURGE\r\n\r\n"
                )
                if policy == nil {
                    #expect(try await server.take(through: "\r\n\r\n").hasPrefix("OPTIONS /x "))
                } else {
                    let answer = try await client.takeResponse()
                    #expect(answer.status == 204)
                    #expect(answer["access-control-allow-methods"] == "PURGE")
                }
            }
        }
    }
}
