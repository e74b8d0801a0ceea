import HTTPServer
import HTTPWire
import RateLimits
import Reactor
import TestSupport
import Testing
import WebAPI

@testable import Proxy

@Suite struct PassingOnTests {
    init() { Reactor.runInBackground() }

    @Test(arguments: ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND"]) @ReactorActor
    func `target, body and end-to-end fields go up as they came`(method: String) async throws {
        try await withProxy { proxy in
            let client = try await proxy.connect()
            client.send(
                "\(method) /a%2Fb/%2520//x?q=%3F&&=? HTTP/1.1\r\nHost: shop.test\r\nx-ODD_name: a  b\r\nAccept: */*\r\n"
                    + "X-Request-Id: r1\r\nContent-Length: 4\r\nCookie: a=1\r\nCookie: b=2\r\n\r\nbody"
            )
            let server = try await proxy.upstream.accept()
            let lines = try await server.take(through: "\r\n\r\n").split(separator: "\r\n").map { String($0) }
            #expect(
                lines.prefix(6) == [
                    "\(method) /a%2Fb/%2520//x?q=%3F&&=? HTTP/1.1", "Host: \(proxy.upstream.address)",
                    "x-ODD_name: a  b",
                    "Accept: */*", "Cookie: a=1", "Cookie: b=2",
                ]
            )
            #expect(
                lines.filter { $0.hasPrefix("X-") } == [
                    "X-Forwarded-For: 127.0.0.1", "X-Forwarded-Proto: http", "X-Forwarded-Host: shop.test",
                    "X-Request-Id: r1",
                ]
            )
            #expect(lines.contains("Via: 1.1 tickloop"))
            #expect(try await server.take(4) == Array("body".utf8))
            server.send("HTTP/1.1 299 Odd\r\nContent-Length: 2\r\nset-cookie: a\r\nSet-Cookie: b\r\nX-Odd: é\r\n\r\nhi")
            let answer = try await client.takeResponse(to: method)
            #expect(answer.status == 299)
            #expect(answer.body == "hi")
            #expect(answer.fields.filter { $0.name == "set-cookie" }.map(\.value) == ["a", "b"])
            #expect(answer["x-odd"] == "é")
            #expect(answer["x-request-id"] == "r1")
        }
    }

    @Test @ReactorActor func `an empty query stays one`() async throws {
        try await withProxy { proxy in
            let client = try await proxy.connect()
            client.send("GET /x? HTTP/1.1\r\nHost: a\r\n\r\n")
            let server = try await proxy.upstream.accept()
            #expect(try await server.take(through: "\r\n") == "GET /x? HTTP/1.1\r\n")
        }
    }

    /// The gateway behind a load balancer, say, and one behind somebody who only looks like it. What is kept for others
    /// may depend on nothing that it is not kept under.
    @Test(arguments: [
        ("127.0.0.0/8", false, "6.6.6.6, 7.7.7.7, 8.8.8.8, 127.0.0.1", "https", "shop.test"),
        ("127.0.0.0/8", true, "6.6.6.6, 7.7.7.7, 8.8.8.8, 127.0.0.1", "http", "a"),
        ("198.51.100.7", false, "127.0.0.1", "http", "a"),
    ])
    @ReactorActor func `a trusted peer is believed about whom it forwards, another is not`(
        range: String,
        isCached: Bool,
        client: String,
        scheme: String,
        host: String
    ) async throws {
        let trusted = try #require(AddressRange(range))
        try await withProxy(
            route: {
                $0.trusted = [trusted]
                $0.isCached = isCached
            }
        ) { proxy in
            let peer = try await proxy.connect()
            peer.send(
                "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 6.6.6.6, 7.7.7.7\r\nX-Forwarded-For: 8.8.8.8\r\n"
                    + "X-Forwarded-Proto: https\r\nX-Forwarded-Host: shop.test\r\nX_Forwarded_For: 9.9.9.9\r\n"
                    + "Forwarded: for=9.9.9.9\r\nX-Real-IP: 9.9.9.9\r\n\r\n"
            )
            let server = try await proxy.upstream.accept()
            let head = try await server.take(through: "\r\n\r\n").split(separator: "\r\n").map { String($0) }
            #expect(
                head.filter { $0.hasPrefix("X-Forwarded") } == [
                    "X-Forwarded-For: \(client)", "X-Forwarded-Proto: \(scheme)", "X-Forwarded-Host: \(host)",
                ]
            )
            #expect(head.allSatisfy { !$0.contains("9.9.9.9") })
        }
    }

    @Test @ReactorActor func `what belongs to the client's hop stays behind, and what this hop says arrives`()
        async throws
    {
        try await withProxy { proxy in
            let client = try await proxy.connect()
            client.send(
                "GET / HTTP/1.1\r\nHost: a\r\nConnection: X-Hop, X-Forwarded-For, Via, X-Request-Id, Host, close\r\n"
                    + "X-Hop: 1\r\nKeep-Alive: 5\r\nTE: gzip\r\nUpgrade: h2c\r\nHTTP2-Settings: AAAA\r\n"
                    + "Proxy-Authorization: secret\r\nProxy: evil\r\n"
                    + "X-Forwarded-For: 6.6.6.6\r\nX_Forwarded_For: 6.6.6.6\r\nX.Forwarded.Host: evil\r\n"
                    + "Forwarded: for=6.6.6.6\r\nX-Real-IP: 6.6.6.6\r\nX_real.ip: 6.6.6.6\r\n\r\n"
            )
            let server = try await proxy.upstream.accept()
            let head = try await server.take(through: "\r\n\r\n").lowercased()
            for gone in ["x-hop", "keep-alive", "te:", "upgrade", "http2", "proxy", "6.6.6.6", "evil", "connection"] {
                #expect(!head.contains("\r\n\(gone)") && !head.contains(": \(gone)"), "\(gone)")
            }
            for there in ["x-forwarded-for: 127.0.0.1", "via: 1.1 tickloop", "x-request-id: ", "host: "] {
                #expect(head.contains("\r\n\(there)"), "\(there)")
            }
            server.send("HTTP/1.1 200 OK\r\nConnection: X-Back\r\nX-Back: 1\r\nContent-Length: 0\r\n\r\n")
            #expect(try await client.takeResponse()["x-back"] == nil)
        }
    }

    private static let documentation = RouteDocumentation(
        "Own",
        in: .operations,
        answers: [.json(.ok, "One.", .array(of: .integer(in: 0...9), count: 0...9), example: nil)]
    )

    @Test @ReactorActor func `own routes win, and 404 is ours where no prefix is`() async throws {
        let own = Route(.get, "/orders", Self.documentation) { _ in
            HTTPResponse(json: Array("[1]".utf8))
        }
        try await withProxy(prefix: "/", routes: [own]) { proxy in
            for path in ["/orders", "/orders/", "/v1/orders", "/v1/orders/"] {
                let answer = try await request("GET", path, on: proxy.endpoint)
                #expect(answer.body == "[1]")
            }
            let posted = try await request("POST", "/orders", on: proxy.endpoint)
            #expect(posted.status == 405)
            let ambiguous = try await request("GET", "/x/../orders", on: proxy.endpoint)
            #expect(ambiguous.status == 400)
            #expect(proxy.upstream.acceptedCount == 0)
        }
        try await withProxy(prefix: "/shop/") { proxy in
            let answer = try await request("GET", "/other", on: proxy.endpoint)
            #expect(answer.status == 404)
        }
    }

    @Test(arguments: [
        (["Idempotency-Key: k"], 2), (["Idempotency-Key: k", "Connection: Idempotency-Key"], 1),
        (["Idempotency-Key:"], 1), ([], 1),
    ]) @ReactorActor
    func `what may not be done twice is sent twice only if the upstream can tell`(lines: [String], times: Int)
        async throws
    {
        try await withProxy { proxy in
            let client = try await proxy.connect()
            let fields = lines.map { "\($0)\r\n" }.joined()
            client.send("POST /x HTTP/1.1\r\nHost: a\r\n\(fields)Content-Length: 2\r\n\r\nab")
            for _ in 0..<times {
                let server = try await proxy.upstream.accept()
                _ = try await server.take(through: "\r\n\r\nab")
                server.close()
            }
            let answer = try await client.takeResponse()
            #expect(answer.status == 502)
            #expect(proxy.upstream.acceptedCount == times)
        }
    }

    @Test @ReactorActor func `what stands before a path on the way up is not left`() async throws {
        try await withProxy(
            prefix: "/shop/",
            route: { $0.rewrite = "/public/" },
            { proxy in
                for path in ["/shop/../shop/secret", "/shop/%2e%2e/shop/secret", "/shop/..;/shop/secret"] {
                    let answer = try await request("GET", path, on: proxy.endpoint)
                    #expect(answer.status == 400, "\(path)")
                }
                #expect(proxy.upstream.acceptedCount == 0)
            }
        )
    }

    @Test @ReactorActor func `bodies flow both ways while neither is complete, beyond the limit for our own`()
        async throws
    {
        try await withProxy { proxy in
            let client = try await proxy.connect()
            client.send("POST /up HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n")
            let server = try await proxy.upstream.accept()
            #expect(try await server.take(through: "\r\n\r\n").contains("\r\nTransfer-Encoding: chunked\r\n"))
            #expect(try await server.take(through: "one\r\n") == "3\r\none\r\n")
            server.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
            #expect(try await client.take(through: "first\r\n").hasSuffix("5\r\nfirst\r\n"))
            client.send("1000\r\n\(String(repeating: "x", count: 4096))\r\n0\r\n\r\n")
            let rest = try await server.take(through: "\r\n0\r\n\r\n")
            #expect(rest.utf8.count { $0 == UInt8(ascii: "x") } == 4096)
            server.send("0\r\n\r\n")
            #expect(try await client.take(through: "0\r\n\r\n") == "0\r\n\r\n")
        }
    }

    @Test @ReactorActor func `who does not read is not read for`() async throws {
        try await withProxy { proxy in
            let client = try await proxy.connect()
            let megabytes = [UInt8](repeating: 0x78, count: 32 * 1024 * 1024)
            client.send("POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: \(megabytes.count)\r\n\r\n")
            let server = try await proxy.upstream.accept()
            _ = try await server.take(through: "\r\n\r\n")
            server.setReading(false)
            client.send(megabytes)
            await Reactor.yield()
            #expect(!client.isSent)
            server.setReading(true)
            #expect(try await server.take(megabytes.count) == megabytes)
            client.setReading(false)
            server.send("HTTP/1.1 200 OK\r\nContent-Length: \(megabytes.count)\r\n\r\n")
            server.send(megabytes)
            await Reactor.yield()
            #expect(!server.isSent)
            client.setReading(true)
            _ = try await client.take(through: "\r\n\r\n")
            #expect(try await client.take(megabytes.count) == megabytes)
        }
    }

    @Test @ReactorActor func `chunks of which many come at once wait for a client that reads none, and all arrive`()
        async throws
    {
        try await withProxy { proxy in
            let client = try await proxy.connect()
            client.setReading(false)
            client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            let server = try await proxy.upstream.accept()
            _ = try await server.take(through: "\r\n\r\n")
            server.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            let chunk = "1000\r\n\(String(repeating: "x", count: 4096))\r\n"
            let chunks = Array(String(repeating: chunk, count: 64).utf8)
            var count = 0
            while server.isSent {
                server.send(chunks)
                count += 64
                for _ in 1...20 { await Reactor.yield() }
            }
            client.setReading(true)
            server.send("0\r\n\r\n")
            _ = try await client.take(through: "\r\n\r\n")
            try await eventually("the end", within: .seconds(60)) {
                client.received.suffix(5) == Array("0\r\n\r\n".utf8)
            }
            #expect(client.received.count { $0 == UInt8(ascii: "x") } == 4096 * count)
        }
    }

    @Test @ReactorActor func `an answer that ends early is cut without an end`() async throws {
        try await withProxy { proxy in
            for framing in ["Content-Length: 100", "Transfer-Encoding: chunked"] {
                let client = try await proxy.connect()
                client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                let server = try await proxy.upstream.accept()
                _ = try await server.take(through: "\r\n\r\n")
                server.send("HTTP/1.1 200 OK\r\n\(framing)\r\n\r\n4\r\nhalf\r\n")
                _ = try await client.take(through: "half\r\n")
                server.close()
                #expect(try await client.takeAll() == "")
            }
        }
    }

    @Test(arguments: [("HEAD", 200), ("GET", 304), ("GET", 204)]) @ReactorActor
    func `no body is awaited where there is none`(method: String, status: Int) async throws {
        try await withProxy { proxy in
            let client = try await proxy.connect()
            var server: TestSocket?
            for _ in 1...2 {
                client.send("\(method) / HTTP/1.1\r\nHost: a\r\n\r\n")
                if server == nil { server = try await proxy.upstream.accept() }
                _ = try await server?.take(through: "\r\n\r\n")
                server?.send("HTTP/1.1 \(status) X\r\nContent-Length: 5\r\n\r\n")
                let answer = try await client.takeResponse(to: method)
                #expect(answer.status == status)
                #expect(answer["content-length"] == (status == 204 ? nil : "5"))
                #expect(answer["transfer-encoding"] == nil)
            }
        }
    }

    @Test @ReactorActor func `a failed upstream is told in our shape, without its name`() async throws {
        try await withProxy { proxy in
            let client = try await proxy.connect()
            let cases = [("nonsense\r\n\r\n", "http_protocol_error"), ("", "connection_terminated")]
            for (words, error) in cases {
                client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
                let server = try await proxy.upstream.accept()
                _ = try await server.take(through: "\r\n\r\n")
                server.send(words)
                server.close()
                let answer = try await client.takeResponse()
                #expect(answer.status == 502)
                #expect(answer.body.hasPrefix(#"{"code":"UPSTREAM_ERROR""#))
                #expect(answer["proxy-status"] == "tickloop; error=\(error)")
                #expect(!answer.body.contains("127.0.0.1"))
            }
            proxy.upstream.close()
            client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            let answer = try await client.takeResponse()
            #expect(answer.status == 502)
            #expect(answer["proxy-status"] == "tickloop; error=connection_refused")
        }
    }

    @Test @ReactorActor func `an upstream that is silent is 504`() async throws {
        try await withProxy(route: { $0.timeout = .milliseconds(50) }) { proxy in
            let answer = try await request("GET", "/", on: proxy.endpoint)
            #expect(answer.status == 504)
            #expect(answer["proxy-status"] == "tickloop; error=http_response_timeout")
        }
    }
}
