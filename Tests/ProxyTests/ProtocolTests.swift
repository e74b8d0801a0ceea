import HTTPServer
import HTTPWire
import Reactor
import TestSupport
import Testing
import WebAPI

@testable import Proxy

/// Interim answers, trailers, expectations and other protocols.
@Suite struct ProtocolTests {
    init() { Reactor.runInBackground() }

    @Test @ReactorActor func `trailers pass as trailers, both ways`() async throws {
        try await withProxy { proxy in
            let client = try await proxy.connect()
            client.send(
                "POST / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n"
                    + "1\r\na\r\n0\r\nX-Sum: 1\r\n\r\n"
            )
            let server = try await proxy.upstream.accept()
            let head = try await server.take(through: "\r\n\r\n")
            #expect(head.contains("\r\nTrailer: X-Sum\r\n"))
            #expect(head.contains("\r\nConnection: TE\r\nTE: trailers\r\n"))
            #expect(try await server.take(through: "0\r\nX-Sum: 1\r\n\r\n").hasPrefix("1\r\na\r\n"))
            server.send(
                "HTTP/1.1 200 OK\r\nTrailer: X-End\r\nTransfer-Encoding: chunked\r\n\r\n"
                    + "1\r\nb\r\n0\r\nX-End: 2\r\nConnection: close\r\n\r\n"
            )
            #expect(try await client.take(through: "\r\n\r\n").contains("\r\nTrailer: X-End\r\n"))
            #expect(try await client.take(through: "X-End: 2\r\n\r\n") == "1\r\nb\r\n0\r\nX-End: 2\r\n\r\n")
            client.send("GET /next HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(try await server.take(through: "\r\n\r\n").hasPrefix("GET /next "))
        }
    }

    @Test @ReactorActor func `interim answers pass, and an expectation is the upstream's to meet`() async throws {
        try await withProxy { proxy in
            let client = try await proxy.connect()
            client.send("PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
            let server = try await proxy.upstream.accept()
            #expect(try await server.take(through: "\r\n\r\n").contains("\r\nExpect: 100-continue\r\n"))
            server.send("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
            let hints = try await client.take(through: "\r\n\r\n")
            #expect(hints == "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
            server.send("HTTP/1.1 100 Continue\r\n\r\n")
            #expect(try await client.take(through: "\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n")
            client.send("hi")
            #expect(try await server.take(2) == Array("hi".utf8))
            server.send("HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")
            #expect(try await client.takeResponse().status == 201)
        }
    }

    @Test @ReactorActor func `a body that is refused is never asked for, and its connection not used again`()
        async throws
    {
        try await withProxy { proxy in
            let client = try await proxy.connect()
            client.send("PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
            let server = try await proxy.upstream.accept()
            _ = try await server.take(through: "\r\n\r\n")
            server.send("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n")
            let answer = try await client.takeResponse()
            #expect(answer.status == 401)
            #expect(try await server.takeAll() == "")
            let other = try await proxy.connect()
            other.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            let second = try await proxy.upstream.accept()
            #expect(try await second.take(through: "\r\n").hasPrefix("GET / "))
        }
    }

    @Test @ReactorActor func `an upstream that says nothing to an expectation gets the body after a while`()
        async throws
    {
        try await withProxy { proxy in
            let client = try await proxy.connect()
            client.send("PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
            let server = try await proxy.upstream.accept()
            _ = try await server.take(through: "\r\n\r\n")
            #expect(try await client.take(through: "\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n")
            client.send("hi")
            #expect(try await server.take(2) == Array("hi".utf8))
        }
    }

    @Test @ReactorActor func `an answer before the end of a large body is delivered whole`() async throws {
        try await withProxy { proxy in
            let client = try await proxy.connect()
            client.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n")
            client.send([UInt8](repeating: 0, count: 200_000))
            let server = try await proxy.upstream.accept()
            _ = try await server.take(through: "\r\n\r\n")
            server.send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 4\r\nConnection: close\r\n\r\nfull")
            let answer = try await client.takeResponse()
            #expect(answer.status == 413)
            #expect(answer.body == "full")
            server.close()
        }
    }

    private static let upgrade =
        "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\n"

    @Test @ReactorActor func `another protocol is spoken once the upstream agrees, and not before`() async throws {
        try await withProxy { proxy in
            let client = try await proxy.connect()
            client.send(Self.upgrade + "early")
            let server = try await proxy.upstream.accept()
            let head = try await server.take(through: "\r\n\r\n")
            #expect(head.contains("\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"))
            #expect(server.received.isEmpty)
            server.send(
                "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\nX: 1\r\n\r\nhello"
            )
            let answer = try await client.take(through: "\r\n\r\n")
            #expect(answer.hasPrefix("HTTP/1.1 101 Switching Protocols\r\n"))
            #expect(answer.contains("\r\nUpgrade: websocket\r\n"))
            #expect(answer.contains("\r\nConnection: Upgrade\r\n"))
            #expect(!answer.lowercased().contains("transfer-encoding") && !answer.contains("close"))
            #expect(try await client.take(5) == Array("hello".utf8))
            #expect(try await server.take(5) == Array("early".utf8))
            let block = [UInt8](repeating: 7, count: 5_000_000)
            client.send(block)
            server.send(block)
            #expect(try await server.take(block.count) == block)
            #expect(try await client.take(block.count) == block)
            server.close()
            #expect(try await client.takeAll() == "")
        }
    }

    /// Lets requests pass when the test says so.
    @ReactorActor
    private final class LateLimit: PathLimit {
        private(set) var waiting: [() -> Void] = []
        let isActive = true

        func admit(
            _ context: RequestContext,
            paths: [String],
            route: String,
            then: @escaping @ReactorActor () -> Void
        ) {
            waiting.append(then)
        }
    }

    @Test(arguments: ["POST / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n"])
    @ReactorActor
    func `what follows is the other protocol's, however late the request is passed on`(early: String) async throws {
        try await withProxy { proxy in
            let limit = LateLimit()
            proxy.proxy.limit = limit
            let client = try await proxy.connect()
            client.send(Self.upgrade + early)
            try await eventually("the request") { !limit.waiting.isEmpty }
            limit.waiting[0]()
            let server = try await proxy.upstream.accept()
            _ = try await server.take(through: "\r\n\r\n")
            server.send("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n")
            _ = try await client.take(through: "\r\n\r\n")
            #expect(try await server.take(early.utf8.count) == Array(early.utf8))
            #expect(limit.waiting.count == 1)
        }
    }

    @Test @ReactorActor func `a client that leaves before the 101 is noticed`() async throws {
        try await withProxy { proxy in
            let client = try await proxy.connect()
            client.send(Self.upgrade)
            let server = try await proxy.upstream.accept()
            _ = try await server.take(through: "\r\n\r\n")
            client.close()
            #expect(try await server.takeAll() == "")
        }
    }

    @Test @ReactorActor func `nobody waits for another one's tunnel where answers are kept`() async throws {
        try await withProxy(route: { $0.isCached = true }) { proxy in
            for _ in 1...2 {
                let client = try await proxy.connect()
                client.send(Self.upgrade)
                let server = try await proxy.upstream.accept()
                _ = try await server.take(through: "\r\n\r\n")
                #expect(proxy.proxy.cache.flight("a/chat") == nil)
                server.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n")
                _ = try await client.take(through: "\r\n\r\n")
            }
        }
    }

    @Test @ReactorActor func `a client that waits for the 101 is heard afterwards`() async throws {
        try await withProxy { proxy in
            let client = try await proxy.connect()
            client.send(Self.upgrade)
            let server = try await proxy.upstream.accept()
            _ = try await server.take(through: "\r\n\r\n")
            server.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
            _ = try await client.take(through: "\r\n\r\n")
            for word in ["ping", "pong"] {
                client.send(word)
                #expect(try await server.take(4) == Array(word.utf8))
                server.send(word)
                #expect(try await client.take(4) == Array(word.utf8))
            }
        }
    }

    @Test @ReactorActor func `an upgrade that is refused leaves HTTP as it was`() async throws {
        try await withProxy { proxy in
            let client = try await proxy.connect()
            client.send(Self.upgrade + "GET /next HTTP/1.1\r\nHost: a\r\n\r\n")
            let server = try await proxy.upstream.accept()
            _ = try await server.take(through: "\r\n\r\n")
            server.send("HTTP/1.1 426 Upgrade Required\r\nContent-Length: 2\r\n\r\nno")
            #expect(try await client.takeResponse().body == "no")
            #expect(try await server.take(through: "\r\n\r\n").hasPrefix("GET /next "))
            server.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            #expect(try await client.takeResponse().body == "ok")
        }
    }

    @Test @ReactorActor func `a 101 that nobody asked for is no answer`() async throws {
        try await withProxy { proxy in
            let client = try await proxy.connect()
            client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n")
            let server = try await proxy.upstream.accept()
            #expect(try await !server.take(through: "\r\n\r\n").lowercased().contains("upgrade"))
            server.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n")
            #expect(try await client.takeResponse().status == 502)
        }
    }

    @Test @ReactorActor func `a connection of another protocol ends when it is silent, and when the server drains`()
        async throws
    {
        for drains in [false, true] {
            try await withProxy(route: { if !drains { $0.tunnelTimeout = .milliseconds(50) } }) { proxy in
                let client = try await proxy.connect()
                client.send(Self.upgrade)
                let server = try await proxy.upstream.accept()
                _ = try await server.take(through: "\r\n\r\n")
                server.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n")
                _ = try await client.take(through: "\r\n\r\n")
                if drains { Reactor.spawn { await proxy.server.drain(within: .seconds(20)) } }
                #expect(try await client.takeAll() == "")
                #expect(try await server.takeAll() == "")
            }
        }
    }
}
