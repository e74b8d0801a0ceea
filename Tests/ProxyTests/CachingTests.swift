import HTTPClient
import HTTPServer
import HTTPWire
import Metrics
import Reactor
import TLS
import TestSupport
import Testing

@testable import Proxy

/// Routes with a cache, on the wire.
@Suite struct CachingTests {
    init() { Reactor.runInBackground() }

    /// Runs `body` with a proxy whose route keeps answers.
    @ReactorActor
    private func withCache(
        of bytes: Int = 64 * 1024 * 1024,
        _ body: @ReactorActor (ProxyFixture) async throws -> Void
    ) async throws {
        try await withProxy(cacheBytes: bytes, route: { $0.isCached = true }, body)
    }

    private static let get = "GET /x HTTP/1.1\r\nHost: a\r\n"

    /// Answers the next request on a connection of the upstream.
    @ReactorActor
    private func answer(_ server: TestSocket, _ lines: [String], _ body: String) async throws -> String {
        let head = try await server.take(through: "\r\n\r\n")
        let fields = (lines + ["Content-Length: \(body.utf8.count)"]).map { "\($0)\r\n" }.joined()
        server.send("HTTP/1.1 200 OK\r\n\(fields)\r\n\(body)")
        return head
    }

    @Test @ReactorActor func `a fresh answer is given again, with its age, to GET, HEAD and for a part`() async throws {
        try await withCache { proxy in
            let client = try await proxy.connect()
            client.send(Self.get + "\r\n")
            let server = try await proxy.upstream.accept()
            _ = try await answer(server, ["Cache-Control: max-age=60", "Age: 7", "ETag: \"v\""], "hello")
            let first = try await client.takeResponse()
            #expect(first.body == "hello")
            #expect(first["cache-status"] == "tickloop; fwd=uri-miss; fwd-status=200; stored")
            client.send(Self.get + "\r\n")
            let second = try await client.takeResponse()
            #expect(second.body == "hello")
            #expect(second["cache-status"]?.hasPrefix("tickloop; hit; ttl=5") == true)
            #expect(second["age"].flatMap { Int($0) }.map { $0 >= 7 } == true)
            client.send("HEAD /x HTTP/1.1\r\nHost: a\r\n\r\n")
            let head = try await client.takeResponse(to: "HEAD")
            #expect(head["content-length"] == "5")
            client.send(Self.get + "Range: bytes=1-2\r\n\r\n")
            let part = try await client.takeResponse()
            #expect(part.status == 206)
            #expect(part.body == "el")
            #expect(part["content-range"] == "bytes 1-2/5")
            client.send(Self.get + "If-None-Match: \"v\"\r\n\r\n")
            let unchanged = try await client.takeResponse()
            #expect(unchanged.status == 304)
            client.send("GET /x HTTP/1.1\r\nHost: b\r\nCache-Control: only-if-cached\r\n\r\n")
            let other = try await client.takeResponse()
            #expect(other.status == 504)
            for (path, status) in [("/x", 200), ("/y", 504)] {
                client.send("GET \(path) HTTP/1.1\r\nHost: a\r\nCache-Control: only-if-cached, no-store\r\n\r\n")
                #expect(try await client.takeResponse().status == status)
            }
            #expect(proxy.upstream.acceptedCount == 1)
        }
    }

    @Test @ReactorActor func `what came without a date has that of when it came, and is fresh until it expires`()
        async throws
    {
        try await withCache { proxy in
            let client = try await proxy.connect()
            client.send(Self.get + "\r\n")
            let server = try await proxy.upstream.accept()
            let expires = HTTPDate.format(unixSeconds: Clock.seconds + 60)
            _ = try await answer(server, ["Expires: \(expires)"], "hello")
            let first = try await client.takeResponse()
            #expect(first["cache-status"] == "tickloop; fwd=uri-miss; fwd-status=200; stored")
            client.send(Self.get + "\r\n")
            let second = try await client.takeResponse()
            #expect(second["cache-status"]?.hasPrefix("tickloop; hit") == true)
            #expect(second["date"] == first["date"])
            // Also what is not kept is passed on with one.
            client.send("GET /y HTTP/1.1\r\nHost: a\r\n\r\n")
            _ = try await answer(server, ["Cache-Control: no-store"], "hello")
            let passed = try await client.takeResponse()
            #expect(passed["date"].flatMap { HTTPDate.parse($0) }.map { $0 >= Clock.seconds - 60 } == true)
        }
    }

    @Test(arguments: [(0, 200), (1, 206)]) @ReactorActor
    func `a part on condition of a date is given if the answer is of a later second`(
        seconds: Int,
        status: Int
    ) async throws {
        try await withCache { proxy in
            let client = try await proxy.connect()
            client.send(Self.get + "\r\n")
            let server = try await proxy.upstream.accept()
            let now = Clock.seconds
            let modified = HTTPDate.format(unixSeconds: now - seconds)
            let lines = ["Date: \(HTTPDate.format(unixSeconds: now))", "Last-Modified: \(modified)"]
            _ = try await answer(server, ["Cache-Control: max-age=60"] + lines, "hello")
            _ = try await client.takeResponse()
            client.send(Self.get + "Range: bytes=1-2\r\nIf-Range: \(modified)\r\n\r\n")
            let part = try await client.takeResponse()
            #expect(part.status == status)
            #expect(part.body == (status == 206 ? "el" : "hello"))
        }
    }

    @Test @ReactorActor func `a stale answer is asked for with its tag, and a 304 makes it fresh`() async throws {
        try await withCache { proxy in
            let client = try await proxy.connect()
            client.send(Self.get + "\r\n")
            let server = try await proxy.upstream.accept()
            _ = try await answer(server, ["Cache-Control: max-age=60", "Age: 60", "ETag: \"v\"", "X: 1"], "hello")
            _ = try await client.takeResponse()
            client.send(Self.get + "If-None-Match: \"own\"\r\n\r\n")
            let asked = try await server.take(through: "\r\n\r\n")
            #expect(asked.contains("\r\nIf-None-Match: \"v\"\r\n"))
            #expect(!asked.contains("own"))
            server.send("HTTP/1.1 304 Not Modified\r\nCache-Control: max-age=70\r\nX: 2\r\n\r\n")
            let validated = try await client.takeResponse()
            #expect(validated.status == 200)
            #expect(validated.body == "hello")
            #expect(validated["x"] == "2")
            client.send(Self.get + "\r\n")
            let hit = try await client.takeResponse()
            #expect(hit["cache-status"]?.hasPrefix("tickloop; hit") == true)
        }
    }

    @Test @ReactorActor func `who asks the same meanwhile gets the same answer, while it comes`() async throws {
        try await withCache { proxy in
            let first = try await proxy.connect()
            first.send(Self.get + "\r\n")
            let server = try await proxy.upstream.accept()
            _ = try await server.take(through: "\r\n\r\n")
            let others = [try await proxy.connect(), try await proxy.connect()]
            for client in others { client.send(Self.get + "\r\n") }
            await Reactor.yield()
            server.send("HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 10\r\n\r\nhello")
            _ = try await first.take(through: "\r\n\r\nhello")
            for client in others { _ = try await client.take(through: "\r\n\r\nhello") }
            // Who began it may leave.
            first.close()
            let meanwhile = try await proxy.connect()
            meanwhile.send(Self.get + "\r\n")
            #expect(try await meanwhile.take(through: "\r\n\r\nhello").contains("; collapsed"))
            server.send("world")
            for client in others + [meanwhile] { #expect(try await client.take(5) == Array("world".utf8)) }
            let late = try await proxy.connect()
            late.send(Self.get + "\r\n")
            let answer = try await late.takeResponse()
            #expect(answer.body == "helloworld")
            #expect(proxy.upstream.acceptedCount == 1)
        }
    }

    @Test @ReactorActor func `who waits for another one's answer and leaves is forgotten at once`() async throws {
        try await withCache { proxy in
            let first = try await proxy.connect()
            first.send(Self.get + "\r\n")
            let server = try await proxy.upstream.accept()
            _ = try await server.take(through: "\r\n\r\n")
            var others: [TestSocket] = []
            for _ in 0..<3 {
                others.append(try await proxy.connect())
                others.last?.send(Self.get + "\r\n")
            }
            try await eventually("those who wait") { proxy.proxy.cache.flight("a/x")?.waitingCount == 3 }
            for client in others[1...] { client.close() }
            try await eventually("those who left") { proxy.proxy.cache.flight("a/x")?.waitingCount == 1 }
            // And so is who has a part of it.
            server.send("HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 10\r\n\r\nhello")
            _ = try await others[0].take(through: "\r\n\r\nhello")
            others[0].close()
            try await eventually("the one who has a part") { Self.abandoned(by: proxy) == 3 }
            server.send("world")
            _ = try await first.take(through: "\r\n\r\nhelloworld")
        }
    }

    /// Requests whose clients left, as far as that is known.
    @ReactorActor
    private static func abandoned(by proxy: ProxyFixture) -> Int? {
        var page = MetricsPage()
        proxy.proxy.figures["/"]?.collect(into: &page)
        let line = String(decoding: page.text, as: UTF8.self).split(separator: "\n")
            .first { $0.contains("outcome=\"abandoned\"") }
        return line?.split(separator: " ").last.flatMap { Int($0) }
    }

    @Test @ReactorActor func `an answer that is not for everybody is shared by nobody, and nobody queues for it`()
        async throws
    {
        try await withCache { proxy in
            var clients: [TestSocket] = []
            for _ in 1...3 {
                let client = try await proxy.connect()
                client.send(Self.get + "\r\n")
                clients.append(client)
            }
            let server = try await proxy.upstream.accept()
            _ = try await server.take(through: "\r\n\r\n")
            server.send("HTTP/1.1 200 OK\r\nCache-Control: private\r\nContent-Length: 1\r\n\r\n")
            // The others are asked for at once, while the first answer still comes.
            for number in 2...3 {
                let other = try await proxy.upstream.accept()
                _ = try await answer(other, ["Cache-Control: private"], "\(number)")
            }
            server.send("1")
            var bodies: Set<String> = []
            for client in clients { bodies.insert(try await client.takeResponse().body) }
            #expect(bodies == ["1", "2", "3"])
        }
    }

    @Test @ReactorActor func `a stale answer is given at once where that is allowed, and one request makes it fresh`()
        async throws
    {
        try await withCache { proxy in
            let client = try await proxy.connect()
            client.send(Self.get + "\r\n")
            let server = try await proxy.upstream.accept()
            let lines = ["Cache-Control: max-age=60, stale-while-revalidate=60"]
            _ = try await answer(server, lines + ["Age: 61"], "old")
            _ = try await client.takeResponse()
            for _ in 1...3 {
                client.send(Self.get + "\r\n")
                let stale = try await client.takeResponse()
                #expect(stale.body == "old")
            }
            _ = try await answer(server, lines, "new")
            try await eventually("the new answer") {
                client.send(Self.get + "\r\n")
                return try await client.takeResponse().body == "new"
            }
            #expect(proxy.upstream.acceptedCount == 1)
            #expect(server.received.isEmpty)
        }
    }

    @Test @ReactorActor func `a stale answer stands in for an error where that is allowed`() async throws {
        try await withCache { proxy in
            let client = try await proxy.connect()
            client.send(Self.get + "\r\n")
            let server = try await proxy.upstream.accept()
            _ = try await answer(server, ["Cache-Control: max-age=60, stale-if-error=60", "Age: 61"], "old")
            _ = try await client.takeResponse()
            client.send(Self.get + "\r\n")
            _ = try await server.take(through: "\r\n\r\n")
            server.send("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\ndown")
            let first = try await client.takeResponse()
            #expect(first.status == 200)
            #expect(first.body == "old")
            proxy.upstream.close()
            server.close()
            client.send(Self.get + "\r\n")
            let second = try await client.takeResponse()
            #expect(second.body == "old")
        }
    }

    @Test(arguments: ["PUT", "purge", "purge of a prefix"]) @ReactorActor
    func `what was forgotten while its target was asked for does not stand in for an error`(change: String)
        async throws
    {
        try await withCache { proxy in
            let client = try await proxy.connect()
            client.send(Self.get + "\r\n")
            let server = try await proxy.upstream.accept()
            _ = try await answer(server, ["Cache-Control: max-age=60, stale-if-error=60", "Age: 61"], "old")
            _ = try await client.takeResponse()
            client.send(Self.get + "\r\n")
            _ = try await server.take(through: "\r\n\r\n")
            let waiting = try await proxy.connect()
            waiting.send(Self.get + "\r\n")
            try await eventually("one who waits") { proxy.proxy.cache.flight("a/x")?.waitingCount == 1 }
            try await Self.change("a/x", by: change, proxy)
            let error = "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 4\r\n\r\ndown"
            server.send(error)
            #expect(try await client.takeResponse().status == 503)
            // Who waited asks for itself.
            let another = try await proxy.upstream.accept()
            _ = try await another.take(through: "\r\n\r\n")
            another.send(error)
            #expect(try await waiting.takeResponse().status == 503)
        }
    }

    /// Makes what is kept of a target void.
    @ReactorActor
    private static func change(_ target: CacheTarget, by change: String, _ proxy: ProxyFixture) async throws {
        guard change == "PUT" else {
            let isPrefix = change != "purge"
            proxy.proxy.cache.purge(isPrefix ? "a/" : target, isPrefix: isPrefix)
            return
        }
        let other = try await proxy.connect()
        other.send("PUT \(target.path) HTTP/1.1\r\nHost: \(target.host)\r\nContent-Length: 0\r\n\r\n")
        let server = try await proxy.upstream.accept()
        _ = try await server.take(through: "\r\n\r\n")
        server.send("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        #expect(try await other.takeResponse().status == 204)
    }

    @Test @ReactorActor func `what changes a target makes what is kept of it void`() async throws {
        try await withCache { proxy in
            let client = try await proxy.connect()
            client.send(Self.get + "\r\n")
            let server = try await proxy.upstream.accept()
            _ = try await answer(server, ["Cache-Control: max-age=60"], "old")
            _ = try await client.takeResponse()
            client.send("POST /y HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
            _ = try await answer(server, ["Location: http://a/x"], "")
            _ = try await client.takeResponse()
            client.send(Self.get + "\r\n")
            _ = try await answer(server, ["Cache-Control: max-age=60"], "new")
            #expect(try await client.takeResponse().body == "new")
        }
    }

    @Test(arguments: ["PUT", "purge", "purge of a prefix"]) @ReactorActor
    func `what is on its way while its target changes is given, and not kept`(change: String) async throws {
        try await withCache { proxy in
            let client = try await proxy.connect()
            client.send(Self.get + "\r\n")
            let server = try await proxy.upstream.accept()
            _ = try await server.take(through: "\r\n\r\n")
            server.send("HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 3\r\n\r\nol")
            _ = try await client.take(through: "\r\n\r\nol")
            try await Self.change("a/x", by: change, proxy)
            // Who comes now asks for itself.
            let late = try await proxy.connect()
            late.send(Self.get + "\r\n")
            let another = try await proxy.upstream.accept()
            _ = try await another.take(through: "\r\n\r\n")
            another.send("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nnew")
            #expect(try await late.takeResponse().body == "new")
            server.send("d")
            _ = try await client.take(1)
            let upstream = proxy.proxy.clients[0].client
            try await eventually("the end of the request") { upstream.load.busy == 0 }
            #expect(proxy.proxy.cache.count == 0)
        }
    }

    @Test @ReactorActor func `what breaks off, or has no certain end, is not kept`() async throws {
        try await withCache { proxy in
            for framing in ["Content-Length: 100", "Transfer-Encoding: chunked", "X: y"] {
                let client = try await proxy.connect()
                client.send(Self.get + "\r\n")
                let server = try await proxy.upstream.accept()
                _ = try await server.take(through: "\r\n\r\n")
                server.send("HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\n\(framing)\r\n\r\n4\r\nhalf\r\n")
                _ = try await client.take(through: "half\r\n")
                server.close()
                // What ends with its connection is passed on in chunks.
                _ = framing == "X: y" ? try await client.take(through: "\r\n0\r\n\r\n") : try await client.takeAll()
            }
            #expect(proxy.proxy.cache.count == 0)
        }
    }

    @Test @ReactorActor func `what grows too large to be kept passes all the same, at its reader's pace`() async throws
    {
        try await withCache { proxy in
            let client = try await proxy.connect()
            client.setReading(false)
            client.send(Self.get + "\r\n")
            let server = try await proxy.upstream.accept()
            _ = try await server.take(through: "\r\n\r\n")
            let piece = [UInt8](repeating: 0x78, count: 0x100000)
            server.send("HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nTransfer-Encoding: chunked\r\n\r\n")
            for _ in 1...64 {
                server.send("100000\r\n")
                server.send(piece)
                server.send("\r\n")
            }
            server.send("0\r\n\r\n")
            await Reactor.yield()
            #expect(!server.isSent)
            client.setReading(true)
            let answer = try await client.takeResponse()
            #expect(answer.body.utf8.count == 64 * piece.count)
            #expect(proxy.proxy.cache.count == 0)
        }
    }

    @Test @ReactorActor func `a large answer that its client has already is not waited for by anybody`() async throws {
        try await withCache(of: 1024 * 1024) { proxy in
            let client = try await proxy.connect()
            client.send(Self.get + "If-None-Match: \"v\"\r\n\r\n")
            let server = try await proxy.upstream.accept()
            _ = try await server.take(through: "\r\n\r\n")
            let head =
                "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nETag: \"v\"\r\nTransfer-Encoding: chunked\r\n\r\n"
            server.send(head)
            #expect(try await client.takeResponse().status == 304)
            server.send("100000\r\n")
            server.send([UInt8](repeating: 0x78, count: 0x100000))
            let upstream = proxy.proxy.clients[0].client
            try await eventually("the end of the request") { upstream.load.busy == 0 }
            #expect(proxy.proxy.cache.count == 0)
        }
    }

    @Test @ReactorActor func `answers of unknown length that come together take no more than there is room for`()
        async throws
    {
        try await withCache(of: 1024 * 1024) { proxy in
            let piece = [UInt8](repeating: 0x78, count: 0xa000)
            var exchanges: [(client: TestSocket, server: TestSocket)] = []
            for number in 0..<24 {
                let client = try await proxy.connect()
                client.send("GET /\(number) HTTP/1.1\r\nHost: a\r\n\r\n")
                let server = try await proxy.upstream.accept()
                _ = try await server.take(through: "\r\n\r\n")
                server.send("HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nTransfer-Encoding: chunked\r\n\r\n")
                server.send("a000\r\n")
                server.send(piece)
                server.send("\r\n")
                _ = try await client.take(through: "x\r\n")
                exchanges.append((client, server))
            }
            #expect(proxy.proxy.cache.weights.bytes <= 512 * 1024 + 2 * piece.count)
            for (client, server) in exchanges {
                server.send("0\r\n\r\n")
                _ = try await client.take(through: "0\r\n\r\n")
            }
            #expect((10...14).contains(proxy.proxy.cache.count))
        }
    }

    @Test @ReactorActor func `what slow clients still read counts though it is kept no longer`() throws {
        let cache = ResponseCache(byteLimit: 1024 * 1024)
        let response = try Self.response(length: 65_536)
        var read: [CachedAnswer] = []
        while cache.mayFill(response), read.count < 1000 {
            let answer = try Self.answer(in: cache, response, key: nil)
            cache.keep(answer, under: "a/\(read.count)", asked: 0)
            read.append(answer)
        }
        // As many as are kept, and half as many again.
        #expect((16...24).contains(read.count))
        read = []
        #expect(cache.mayFill(response))
        cache.removeAll()
        #expect(cache.weights.bytes == 0)
    }

    @Test @ReactorActor func `so many changes of other targets cost an answer on its way nothing, and more its place`()
        throws
    {
        for (changes, isKept) in [(0, true), (256, true), (257, false)] {
            let cache = ResponseCache(byteLimit: 1024 * 1024)
            // Those of before do not count, however many.
            for number in 0..<1000 { cache.invalidate("a/before/\(number)") }
            let asked = cache.lastForgotten
            for number in 0..<changes { cache.invalidate("a/\(number)") }
            let answer = try Self.answer(in: cache, Self.response(length: 5), key: nil)
            cache.keep(answer, under: "a/x", asked: asked)
            #expect(cache.count == (isKept ? 1 : 0), "\(changes)")
        }
    }

    @Test @ReactorActor func `what clients say in the fields of Vary counts as a part of what is kept`() throws {
        let cache = ResponseCache(byteLimit: 1024 * 1024)
        for number in 0..<1000 {
            let key = "\(number)" + String(repeating: "k", count: 10_000)
            cache.keep(try Self.answer(in: cache, Self.response(length: 5), key: key), under: "a/\(number)", asked: 0)
        }
        #expect((50...104).contains(cache.count))
    }

    /// The head of an answer that may be kept.
    private static func response(length: Int) throws -> ResponseHead {
        var parser = ResponseParser(limits: HTTPLimits())
        parser.expectResponse(to: .get)
        let bytes = Array("HTTP/1.1 200 OK\r\nVary: X-Key\r\nContent-Length: \(length)\r\n\r\n".utf8)
        guard case .deliverHead(let head) = try parser.step(bytes.span).action else { throw NoHead() }
        return head
    }

    /// A whole answer to a request with a field `X-Key`.
    @ReactorActor
    private static func answer(in cache: ResponseCache, _ head: ResponseHead, key: String?) throws -> CachedAnswer {
        var parser = RequestParser(limits: HTTPLimits())
        let request = Array("GET / HTTP/1.1\r\nHost: a\r\n\(key.map { "X-Key: \($0)\r\n" } ?? "")\r\n".utf8)
        guard case .deliverHead(let asked) = try parser.step(request.span).action else { throw NoHead() }
        let answer = CachedAnswer(
            head,
            head.fields,
            to: asked,
            requestedAt: 0,
            receivedAt: 0,
            weights: cache.weights
        )
        answer.append([UInt8](repeating: 0x78, count: head.contentLength ?? 0).span)
        answer.end(.complete)
        return answer
    }

    private struct NoHead: Error {}

    @Test @ReactorActor
    func `what a client without TLS is told is not for one with it, and both are forgotten together`()
        async throws
    {
        try await withCache { proxy in
            let certificates = try await TestCertificates.get()
            let pair = try await certificates.certificate(for: "DNS:localhost")
            let identity = TLSIdentity(certificate: pair.certificate, key: pair.key)
            proxy.server.tls = try TLSServerContext(identities: [identity])
            let endpoint = try await proxy.server.listen(on: Endpoint(parsing: "127.0.0.1:0"), isSecure: true)
            var configuration = HTTPClientConfiguration()
            configuration.tls = try TLSClientContext(authorities: certificates.authority)
            let port = if case .tcp(_, let port) = endpoint { port } else { UInt16(0) }
            let secure = HTTPClient(upstream: .tcp(host: "localhost", port: port), configuration: configuration)
            defer { secure.close() }

            let plain = try await proxy.connect()
            plain.send(Self.get + "\r\n")
            let server = try await proxy.upstream.accept()
            #expect(
                try await answer(server, ["Cache-Control: max-age=60"], "go").contains("X-Forwarded-Proto: http\r\n")
            )
            #expect(try await plain.takeResponse().body == "go")
            let request = HTTPClientRequest(.get, target: "/x", authority: "a")
            async let secured = secure.send(request, deadline: Reactor.now + .seconds(20))
            let head = try await answer(server, ["Cache-Control: max-age=60"], "come")
            #expect(head.contains("X-Forwarded-Proto: https\r\n"))
            #expect(try await secured.body == Array("come".utf8))
            #expect(proxy.proxy.cache.count == 2)
            #expect(proxy.proxy.cache.purge("a/x", isPrefix: false) == 1)
            #expect(proxy.proxy.cache.count == 0)
        }
    }

    @Test @ReactorActor func `purging forgets a target, or all that begin alike`() async throws {
        try await withCache { proxy in
            let client = try await proxy.connect()
            var server: TestSocket?
            for path in ["/a/1", "/a/2", "/b"] {
                client.send("GET \(path) HTTP/1.1\r\nHost: a\r\n\r\n")
                if server == nil { server = try await proxy.upstream.accept() }
                if let server { _ = try await answer(server, ["Cache-Control: max-age=60"], path) }
                _ = try await client.takeResponse()
            }
            #expect(proxy.proxy.cache.count == 3)
            #expect(proxy.proxy.cache.purge("a/b", isPrefix: false) == 1)
            #expect(proxy.proxy.cache.purge("a/a/", isPrefix: true) == 2)
            #expect(proxy.proxy.cache.byteCount == 0)
        }
    }
}
