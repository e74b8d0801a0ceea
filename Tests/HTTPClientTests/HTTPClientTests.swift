import Glibc
import HTTPWire
import Metrics
import Reactor
import TestSupport
import Testing

@testable import HTTPClient

@Suite struct HTTPClientTests {
    init() { Reactor.runInBackground() }

    private static let responses: [(wire: String, outcome: Outcome, isKept: Bool)] = [
        (ok("hello"), .answer(200, "hello"), true),
        (ok(""), .answer(200, ""), true),
        ("HTTP/1.1 204 No Content\r\n\r\n", .answer(204, ""), true),
        ("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", .answer(304, ""), true),
        (
            "HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nT: 1\r\n\r\n",
            .answer(404, "abcde"), true
        ),
        ("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + ok("later"), .answer(200, "later"), true),
        ("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 3\r\n\r\nbye", .answer(200, "bye"), false),
        ("HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nold", .answer(200, "old"), false),
        ("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 3\r\n\r\nold", .answer(200, "old"), true),
    ]

    @Test(arguments: 0..<responses.count, [1, 2, 3, 7, 4096])
    @ReactorActor func `a response is read however the network cuts it`(index: Int, size: Int) async throws {
        let expected = Self.responses[index]
        let upstream = try ScriptedUpstream(at: .loopback) { peer, _ in peer.send(expected.wire, cutEvery: size) }
        let client = HTTPClient(of: upstream.endpoint)
        for _ in 1...2 { #expect(await client.outcome() == expected.outcome) }
        #expect(upstream.peers.count == (expected.isKept ? 1 : 2))
        client.close()
    }

    @Test @ReactorActor func `a body without a length ends with its connection`() async throws {
        let upstream = try ScriptedUpstream(at: .loopback) { peer, _ in
            peer.send("HTTP/1.1 200 OK\r\n\r\nuntil the end")
            peer.close()
        }
        let client = HTTPClient(of: upstream.endpoint)
        for _ in 1...2 { #expect(await client.outcome() == .answer(200, "until the end")) }
        #expect(upstream.peers.count == 2)
    }

    @Test @ReactorActor func `the answer to HEAD has no body whatever its length says`() async throws {
        let upstream = try ScriptedUpstream(answering: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
        let client = HTTPClient(of: upstream.endpoint)
        for _ in 1...2 { #expect(await client.outcome(.head) == .answer(200, "")) }
        #expect(upstream.peers.count == 1)
    }

    @Test(arguments: [false, true])
    @ReactorActor func `requests go out as written, over one connection`(isUnix: Bool) async throws {
        let address = isUnix ? SocketAddress.unix(path: UniquePath.next()) : .loopback
        let upstream = try ScriptedUpstream(at: address) { peer, request in peer.send(ok(request)) }
        defer { upstream.stop() }
        let client = HTTPClient(of: upstream.endpoint)
        let get = "GET /a?b=c HTTP/1.1\r\nHost: test\r\n\r\n"
        let post = "POST /d HTTP/1.1\r\nHost: test\r\nContent-Length: 4\r\n\r\nbody"
        for _ in 1...3 {
            #expect(await client.outcome(.get, "/a?b=c") == .answer(200, get))
            #expect(await client.outcome(.post, "/d", body: "body") == .answer(200, post))
        }
        #expect(upstream.peers.count == 1)
        #expect(client.statistics.reuses == 5)
        #expect(client.latency.count == 6)
    }

    @Test @ReactorActor func `a name is looked up`() async throws {
        let upstream = try ScriptedUpstream(answering: ok("found"))
        guard case .tcp(_, let port) = upstream.endpoint else { return }
        let client = HTTPClient(of: .tcp(host: "localhost", port: port))
        #expect(await client.outcome() == .answer(200, "found"))
    }

    @Test @ReactorActor func `many requests share the connections allowed, and all are answered`() async throws {
        let upstream = try ScriptedUpstream(at: .loopback) { peer, request in
            peer.send(ok(String(request.prefix { $0 != "H" })), cutEvery: 20)
        }
        let client = HTTPClient(of: upstream.endpoint) { $0.connections = 3 }
        let running = (1...50).map { client.start(.get, "/\($0)") }
        for (index, request) in running.enumerated() {
            #expect(try await request.outcome == .answer(200, "GET /\(index + 1) "))
        }
        #expect(upstream.peers.count == 3)
        #expect(client.load == HTTPClientLoad(connecting: 0, idle: 3, busy: 0, waiting: 0))
    }

    @Test @ReactorActor func `one request too many is refused at once, not inside the call`() async throws {
        let upstream = try ScriptedUpstream(at: .loopback) { _, _ in }
        let client = HTTPClient(of: upstream.endpoint) {
            $0.connections = 1
            $0.waitingRequests = 2
        }
        client.start()
        try await eventually("the first request") { upstream.requests.count == 1 }
        for _ in 1...2 { client.start() }
        let refused = client.start()
        #expect(refused.outcomes.isEmpty)
        #expect(try await refused.outcome == .failure(.overloaded))
        client.close()
    }

    @Test @ReactorActor func `a callback may send the next request, which finds its connection free`() async throws {
        let upstream = try ScriptedUpstream(answering: ok("x"))
        let client = HTTPClient(of: upstream.endpoint)
        let request = HTTPClientRequest(.get, target: "/", authority: "test")
        var statuses: [UInt16?] = []
        client.send(request, deadline: Reactor.now + longTime) { first in
            statuses.append(try? first.get().status.rawValue)
            client.send(request, deadline: Reactor.now + longTime) { second in
                statuses.append(try? second.get().status.rawValue)
            }
        }
        try await eventually("both answers") { statuses.count == 2 }
        #expect(statuses == [200, 200])
        #expect(upstream.peers.count == 1)
    }

    @Test @ReactorActor func `large bodies pass in both directions`() async throws {
        let large = String(repeating: "0123456789abcdef", count: 200_000)
        let upstream = try ScriptedUpstream(at: .loopback) { peer, request in
            peer.send(ok(request.hasSuffix("\r\n\r\n" + large) ? large : "damaged"))
        }
        let client = HTTPClient(of: upstream.endpoint) { $0.responseLimits.bodyBytes = 4_000_000 }
        #expect(await client.outcome(.post, body: large) == .answer(200, large))
        #expect(await client.outcome() == .answer(200, "damaged"))
        #expect(upstream.peers.count == 1)
    }

    @Test @ReactorActor func `an answer that comes before the request is sent ends the connection`() async throws {
        let upstream = try ScriptedUpstream(at: .loopback) { _, _ in }
        upstream.isReading = false
        let client = HTTPClient(of: upstream.endpoint)
        let running = client.start(.post, body: [UInt8](repeating: 0x61, count: 16_000_000))
        try await eventually("the connection") { upstream.peers.count == 1 }
        upstream.peers[0].send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n")
        #expect(try await running.outcome == .answer(413, ""))
        #expect(client.load == HTTPClientLoad(connecting: 0, idle: 0, busy: 0, waiting: 0))
    }

    @Test(arguments: [
        ("HTTP/2 200\r\n\r\n", HTTPClientError.malformedResponse(.malformedStatusLine)),
        ("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", .malformedResponse(.invalidContentLength)),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nz\r\n", .malformedResponse(.malformedChunk)),
        ("HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n", .responseTooLarge),
        ("HTTP/1.1 200 OK\r\nX: \(String(repeating: "x", count: 300))\r\n\r\n", .responseTooLarge),
    ])
    @ReactorActor func `a response that is not right or too large is refused`(wire: String, error: HTTPClientError)
        async throws
    {
        let upstream = try ScriptedUpstream(answering: wire)
        let client = HTTPClient(of: upstream.endpoint) {
            $0.responseLimits = HTTPLimits(headBytes: 256, bodyBytes: 100)
        }
        #expect(await client.outcome() == .failure(error))
        #expect(client.load == HTTPClientLoad(connecting: 0, idle: 0, busy: 0, waiting: 0))
        try await eventually("the end of the connection") { upstream.peers.allSatisfy(\.isEnded) }
    }

    @Test @ReactorActor func `bytes behind the response end the connection`() async throws {
        let upstream = try ScriptedUpstream(answering: ok("x") + "HTTP/1.1 200 OK\r\n")
        let client = HTTPClient(of: upstream.endpoint)
        for _ in 1...2 { #expect(await client.outcome() == .answer(200, "x")) }
        #expect(upstream.peers.count == 2)
    }

    @Test @ReactorActor func `no socket is left behind, whatever became of the requests`() async throws {
        let address = SocketAddress.unix(path: UniquePath.next())
        let upstream = try ScriptedUpstream(at: address) { peer, request in
            switch request.dropFirst("GET /".count).first {
            case "0": peer.close()
            case "1": peer.send("nonsense\r\n\r\n")
            case "2": peer.send(ok("x", fields: "Connection: close\r\n"))
            case "3": break
            default: peer.send(ok("x"))
            }
        }
        defer { upstream.stop() }
        let client = HTTPClient(of: upstream.endpoint) { $0.responseHeadTimeout = .milliseconds(20) }
        let running = (0..<200).map { client.start(.get, "/\($0 % 10)") }
        for request in running { _ = try await request.outcome }
        #expect(openSockets(to: address) == client.load.idle)
        client.close()
        #expect(openSockets(to: address) == 0)
    }

    @Test @ReactorActor func `a client that nobody keeps finishes what it began and closes its connections`()
        async throws
    {
        let upstream = try ScriptedUpstream(answering: ok("x"))
        weak var forgotten: HTTPClient?
        let running: Running
        do {
            let client = HTTPClient(of: upstream.endpoint)
            forgotten = client
            running = client.start()
        }
        #expect(try await running.outcome == .answer(200, "x"))
        running.exchange = nil
        try await eventually("the end of the connection") { upstream.peers.allSatisfy(\.isEnded) }
        #expect(forgotten == nil)
    }
}
