import HTTPClient
import HTTPServer
import HTTPWire
import Logging
import Reactor
import Redis
import Supervision
import TLS
import TestSupport
import Testing
import WebAPI

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

    @Test @ReactorActor func `one of several that are all gone is asked as soon as it is back`() async throws {
        let first = try TestListener()
        let port = try #require(first.endpoint.port)
        first.close()
        try await withProxy(
            route: {
                guard let url = try? UpstreamURL(parsing: "http://127.0.0.1:\(port)") else { return }
                $0.targets = [ProxyRoute.Target(url), ProxyRoute.Target(url)]
            }
        ) { proxy in
            let client = try await proxy.connect()
            // Often enough that both circuits are open for seconds.
            for _ in 1...40 {
                client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                let answer = try await client.takeResponse()
                #expect(answer.status == 502)
            }
            let back = try TestListener(port: port)
            defer { back.close() }
            Reactor.spawn {
                let server = try? await back.accept()
                while let head = try? await server?.take(through: "\r\n\r\n"), !head.isEmpty {
                    server?.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                }
            }
            // Not after the circuits' seconds, but as soon as it is tried to connect, which is every 100 ms.
            try await eventually("an answer", within: .seconds(2)) {
                client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                return try await client.takeResponse().status == 200
            }
        }
    }

    @Test @ReactorActor func `who fails its checks is left out until it passes one`() async throws {
        let other = try TestListener()
        defer { other.close() }
        let url = try UpstreamURL(parsing: "http://\(other.address)")
        try await withProxy(
            route: {
                $0.targets.append(ProxyRoute.Target(url, weight: 1000))
                $0.checkPath = "/up"
                $0.checkInterval = .milliseconds(20)
            }
        ) { proxy in
            var otherStatus = 500
            // Both answer what they are asked for as long as the test runs.
            for (listener, name) in [(proxy.upstream, "first"), (other, "other")] {
                Reactor.spawn {
                    while let socket = try? await listener.accept() {
                        Reactor.spawn {
                            while let head = try? await socket.take(through: "\r\n\r\n") {
                                let isCheck = head.hasPrefix("GET /up ")
                                let status = isCheck && name == "other" ? otherStatus : 200
                                socket.send("HTTP/1.1 \(status) X\r\nContent-Length: 5\r\n\r\n\(name)")
                            }
                        }
                    }
                }
            }
            let client = try await proxy.connect()
            @ReactorActor func isAnswered(by name: String, times: Int) async throws -> Bool {
                for _ in 0..<times {
                    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                    let answer = try await client.takeResponse()
                    if answer.body != name { return false }
                }
                return true
            }
            try await eventually("the other to be left out") { try await isAnswered(by: "first", times: 20) }
            otherStatus = 200
            try await eventually("the other to be back") { try await !isAnswered(by: "first", times: 20) }
        }
    }

    @Test(arguments: [true, false]) @ReactorActor func `an upstream over https has to prove who it is`(isTrusted: Bool)
        async throws
    {
        let certificates = try await TestCertificates.get()
        let pair = try await certificates.certificate(for: "DNS:localhost")
        let web = WebService(
            routes: [],
            fallback: Echo(),
            requestTimeout: .seconds(30),
            takesDeadlineFromCaller: false
        )
        let server = HTTPServer(handler: web)
        server.tls = try TLSServerContext(identities: [TLSIdentity(certificate: pair.certificate, key: pair.key)])
        defer { server.close() }
        let endpoint = try await server.listen(on: Endpoint(parsing: "127.0.0.1:0"), isSecure: true)
        let port = try #require(endpoint.port)
        let url = try UpstreamURL(parsing: "https://localhost:\(port)")
        let tls = try TLSClientContext(authorities: isTrusted ? certificates.authority : nil)
        try await withProxy(
            route: {
                $0.targets = [ProxyRoute.Target(url)]
                $0.tls = tls
            }
        ) { proxy in
            let answer = try await request("GET", "/secret", on: proxy.endpoint)
            #expect(answer.status == (isTrusted ? 200 : 502))
            #expect(isTrusted ? answer.body == "/secret" : answer["proxy-status"]?.contains("tls_certificate") == true)
        }
    }

    @Test @ReactorActor func `every gateway hears of a purge, and one that missed it keeps nothing`() async throws {
        let address = try await TestServers.redisDatabase()
        let configuration = RedisConfiguration(
            endpoint: .tcp(host: "127.0.0.1", port: address.port),
            database: address.database
        )
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let redis = RedisClient(configuration, logger: logger)
        redis.start()
        defer { redis.close() }
        try #require(await redis.waitUntilReady(within: .seconds(60)))
        let cache = ResponseCache(byteLimit: 1 << 20)
        func keep(_ keys: CacheKey...) throws {
            for key in keys { cache.keep(try TestHeads.answer([], in: cache), under: key, asked: cache.lastForgotten) }
        }
        // What was purged before somebody listened is not known.
        try keep("b/x")
        let purges = CachePurges(cache, redis: redis, logger: logger)
        purges.start()
        defer { purges.close() }
        try await eventually("somebody who listens") {
            try await CachePurges.purge("a/", isPrefix: true, redis: redis) == 1
        }
        try await eventually("an empty cache") { cache.count == 0 }
        try keep("b/x", "c/x")
        _ = try await CachePurges.purge("c/x", isPrefix: false, redis: redis)
        try await eventually("all but one") { cache.count == 1 }
        // Another one is counted, and does not get here.
        _ = try await redis.command(["INCR", "tickloop:proxy:purges"])
        _ = try await CachePurges.purge("c/x", isPrefix: false, redis: redis)
        try await eventually("an empty cache") { cache.count == 0 }
    }

    @Test(
        arguments: [
            ("http://Shop.test/a?b", "shop.test/a?b"), ("https://shop.test", "shop.test/"), ("shop.test/a", nil),
            ("http:///a", nil), ("http://a?b", "a/?b"), ("http://a:80/x", "a/x"), ("https://a:443/x", "a/x"),
            ("http://a:443/x", "a:443/x"), ("https://a:80", "a:80/"), ("http://a:/x", "a/x"),
            ("http://a:8080/x", "a:8080/x"), ("http://[::80]/x", "[::80]/x"), ("http://[::1]:80/x", "[::1]/x"),
        ]
    )
    func `what a URL is kept under`(url: String, target: String?) {
        #expect(CacheTarget(ofURL: url)?.text == target)
    }

    @Test(
        arguments: [
            ("/y", "a/y"), ("/y?b#c", "a/y?b"), ("#c", "a/b/x?q"), ("", "a/b/x?q"), ("?r", "a/b/x?r"),
            ("y", "a/b/y"), ("./y", "a/b/y"), ("../y", "a/y"), ("../../../y/.", "a/y/"), ("y/..", "a/b/"),
            ("//c/y", "c/y"), ("//a:80/y#z", "a/y"), ("http://a/y#c", "a/y"), ("http://A:80/b/../y", "a/y"),
            ("HTTPS://a/y", "a/y"), ("mailto:a@b", nil), ("y:z", nil), ("./y:z", "a/b/y:z"), ("//", nil),
            ("/\u{301}y", "a/\u{301}y"), ("/y//z", "a/y//z"), ("y?../z", "a/b/y?../z"),
        ]
    )
    func `what an answer for a target refers to`(reference: String, target: String?) {
        let key: CacheKey = "a/b/x?q"
        #expect(key.resolving(reference)?.text == target)
    }

    /// How often the second of two that have nothing to do is chosen.
    @ReactorActor
    private func seconds(of requests: Int, weight: Int, isBack: Bool = false) throws -> Int {
        let url = try UpstreamURL(parsing: "http://127.0.0.1:1")
        let targets = [ProxyRoute.Target(url), ProxyRoute.Target(url, weight: weight)]
        let group = UpstreamGroup(ProxyRoute(prefix: "/", targets: targets))
        defer { for upstream in group.upstreams { upstream.client.close() } }
        if isBack { group.upstreams[1].client.onCircuitChange?(false) }
        return (0..<requests).count { _ in group.choose() === group.upstreams[1] }
    }

    @Test(arguments: [(3, 750), (1, 500)]) @ReactorActor
    func `who has nothing to do gets its share, too`(weight: Int, share: Int) throws {
        // Eight standard deviations and more.
        #expect(((share - 130)...(share + 130)).contains(try seconds(of: 1000, weight: weight)))
    }

    @Test @ReactorActor func `who has just come back gets little, but something`() throws {
        // Of 1000 that are drawn by 1 and 0.1, 91 on average.
        #expect((15...200).contains(try seconds(of: 1000, weight: 1, isBack: true)))
    }

    @Test @ReactorActor func `a request that has asked nobody yet when routes change ends as it began`() async throws {
        try await withProxy { proxy in
            let client = try await proxy.connect()
            client.send("POST /old HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n")
            try await eventually("the head of the request") { proxy.server.counters.requests == 1 }
            let other = ProxyRoute(
                prefix: "/new/",
                targets: [ProxyRoute.Target(try UpstreamURL(parsing: "http://127.0.0.1:1"))]
            )
            proxy.proxy.replaceRoutes([other])
            #expect(proxy.upstream.acceptedCount == 0)
            client.send("ab")
            let server = try await proxy.upstream.accept()
            _ = try await server.take(through: "\r\n\r\nab")
            server.send("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nold")
            #expect(try await client.takeResponse().body == "old")
            // Then nothing of the former route stays.
            try await eventually("the end of the connection") { server.isEnded }
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

extension UpstreamTests {
    /// They are more than a queue may always have, for longer than it takes to see that all answers are late.
    @Test @ReactorActor func `clients that wait for a slow upstream are no reason to refuse others`() async throws {
        var configuration = HTTPServerConfiguration()
        configuration.targetWait = .zero
        let upstream = HTTPServer(configuration: configuration, handler: Slow())
        defer { upstream.close() }
        let address = try await upstream.listen(on: .tcp(host: "127.0.0.1", port: 0))
        let target = ProxyRoute.Target(try UpstreamURL(parsing: "http://\(address)"))
        try await withProxy(route: { $0.targets = [target] }, server: { $0.targetWait = .milliseconds(10) }) {
            fixture in
            var statuses: [Int?: Int] = [:]
            for _ in 0..<300 {
                let client = try await fixture.connect()
                Reactor.spawn {
                    for _ in 0..<4 {
                        client.send("GET /x HTTP/1.1\r\nHost: a\r\n\r\n")
                        statuses[try? await client.takeResponse().status, default: 0] += 1
                    }
                    client.close()
                }
            }
            try await eventually("all answers") { statuses.values.reduce(0, +) == 1200 }
            #expect(statuses == [200: 1200])
        }
    }
}

/// An upstream that takes its time, for each request another one.
@ReactorActor
private final class Slow: HTTPHandler {
    private var count = 0

    nonisolated init() {}

    func handle(_ request: HTTPRequest, _ exchange: HTTPExchange) {
        count += 1
        let time = Duration.milliseconds(100 + count * 7 % 200)
        Reactor.spawn {
            try? await Reactor.sleep(for: time)
            exchange.respond(HTTPResponse(.ok))
        }
    }

    func response(to refusal: HTTPRefusal, fields _: HTTPFields?) -> HTTPResponse { HTTPResponse(refusal.status) }
}

/// Answers every path with itself.
@ReactorActor
private final class Echo: PathFallback {
    let needs: Scope? = nil
    var limit: (any PathLimit)?
    nonisolated init() {}

    func passesOn(_ head: RequestHead) -> Bool { false }

    func handle(_ context: RequestContext, isOwn: (String) -> Bool) {
        context.respond(HTTPResponse(.ok, body: .bytes(Array(context.head.path.utf8))))
    }
}

extension Endpoint {
    fileprivate var port: UInt16? { if case .tcp(_, let port) = self { port } else { nil } }
}
