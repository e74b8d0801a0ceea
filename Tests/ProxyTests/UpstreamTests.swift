import Reactor
import TestSupport
import Testing

@testable import Proxy

/// Several upstreams, and routes that change.
@Suite struct UpstreamTests {
    init() { Reactor.runInBackground() }

    @Test @ReactorActor func `what one upstream got nothing of, another one answers`() async throws {
        let dead = try TestListener()
        dead.close()
        let deadURL = try UpstreamURL(parsing: "http://\(dead.address)")
        try await withProxy(route: { $0.targets.append(ProxyRoute.Target(deadURL, weight: 1000)) }) { proxy in
            let client = try await proxy.connect()
            for number in 1...3 {
                client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi")
                let server = try await proxy.upstream.accept()
                #expect(try await server.take(through: "hi").hasSuffix("\r\n\r\nhi"))
                server.send("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\n\(number)")
                let answer = try await client.takeResponse()
                #expect(answer.body == "\(number)")
            }
        }
    }

    @Test @ReactorActor func `routes change for the next request, and the one on its way ends as it began`()
        async throws
    {
        let other = try TestListener()
        defer { other.close() }
        var route = ProxyRoute(
            prefix: "/new/",
            targets: [ProxyRoute.Target(try UpstreamURL(parsing: "http://\(other.address)/base/"))]
        )
        route.rewrite = "/v2/"
        route.keepsHost = true
        try await withProxy { [route] proxy in
            let client = try await proxy.connect()
            client.send("GET /old HTTP/1.1\r\nHost: a\r\n\r\n")
            let server = try await proxy.upstream.accept()
            _ = try await server.take(through: "\r\n\r\n")
            proxy.proxy.replaceRoutes([route])
            let newcomer = try await proxy.connect()
            newcomer.send("GET /new/x?y HTTP/1.1\r\nHost: shop.test\r\n\r\n")
            let second = try await other.accept()
            let head = try await second.take(through: "\r\n\r\n")
            #expect(head.hasPrefix("GET /base/v2/x?y HTTP/1.1\r\nHost: shop.test\r\n"))
            server.send("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nold")
            let answer = try await client.takeResponse()
            #expect(answer.body == "old")
            client.send("GET /old HTTP/1.1\r\nHost: a\r\n\r\n")
            let gone = try await client.takeResponse()
            #expect(gone.status == 404)
        }
    }
}
