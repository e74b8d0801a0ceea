import HTTPServer
import Reactor
import TestSupport
import Testing
import WebAPI

@testable import Proxy

/// What becomes of the token with which a client has come in.
@Suite struct ClientTokenTests {
    init() { Reactor.runInBackground() }

    /// Lets everybody in, for some time.
    @ReactorActor
    private final class OpenDoor: RequestGuard {
        let lifetime: Duration

        init(for lifetime: Duration = .seconds(60)) { self.lifetime = lifetime }

        func admit(
            _ context: RequestContext,
            to path: PathTemplate?,
            pass: @escaping @ReactorActor (_ caller: Caller?) -> Void
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
}
