import HTTPWire
import Metrics
import Reactor
import TestSupport
import Testing

@testable import HTTPClient

/// The upstream goes away, does not answer, or comes back.
@Suite struct FaultTests {
    init() { Reactor.runInBackground() }

    // MARK: Connections that end

    @Test @ReactorActor func `a kept connection that the upstream closes is noticed before it is used`() async throws {
        let upstream = try ScriptedUpstream(answering: ok("x"))
        let client = HTTPClient(of: upstream.endpoint)
        #expect(await client.outcome() == .answer(200, "x"))
        upstream.peers[0].close()
        try await eventually("the end of the connection") { client.load.idle == 0 }
        #expect(await client.outcome(.post, body: "") == .answer(200, "x"))
        #expect(client.statistics.retries == 0)
    }

    @Test @ReactorActor func `bytes that nobody asked for end a kept connection`() async throws {
        let upstream = try ScriptedUpstream(answering: ok("x"))
        let client = HTTPClient(of: upstream.endpoint)
        #expect(await client.outcome() == .answer(200, "x"))
        upstream.peers[0].send("HTTP/1.1 408 Request Timeout\r\n\r\n")
        try await eventually("the end of the connection") { client.load.idle == 0 }
        #expect(await client.outcome() == .answer(200, "x"))
    }

    @Test @ReactorActor func `a request that cannot be repeated is not sent on a connection that has just ended`()
        async throws
    {
        let upstream = try ScriptedUpstream(answering: ok("x"))
        let client = HTTPClient(of: upstream.endpoint)
        #expect(await client.outcome() == .answer(200, "x"))
        // In one turn: the client's watcher cannot have told it.
        upstream.peers[0].close()
        let running = client.start(.post, body: [])
        #expect(try await running.outcome == .answer(200, "x"))
        #expect(upstream.requests.count == 2)
    }

    @Test @ReactorActor func `an idempotent request whose connection ends unanswered is sent once more`() async throws {
        var isFirst = true
        let upstream = try ScriptedUpstream(at: .loopback) { peer, request in
            guard request.hasPrefix("GET /lost"), isFirst else { return peer.send(ok("x")) }
            isFirst = false
            peer.close()
        }
        let client = HTTPClient(of: upstream.endpoint)
        #expect(await client.outcome() == .answer(200, "x"))
        #expect(await client.outcome(.get, "/lost") == .answer(200, "x"))
        #expect(client.statistics.retries == 1)
        #expect(upstream.peers.count == 2)
    }

    @Test(arguments: [(HTTPMethod.get, 2), (.post, 1)])
    @ReactorActor func `a request is never sent a third time, and a POST not twice`(method: HTTPMethod, count: Int)
        async throws
    {
        let upstream = try ScriptedUpstream(at: .loopback) { peer, _ in peer.close() }
        let client = HTTPClient(of: upstream.endpoint)
        let outcome = await client.outcome(method, body: method == .post ? "" : nil)
        #expect(outcome == .failure(.connectionLost(mayHaveBeenProcessed: true)))
        #expect(upstream.requests.count == count)
        #expect(client.statistics.failuresByKind == [.connectionLost: 1])
        #expect(client.latency.count == 0)
    }

    @Test(arguments: ["HTTP/1.1 2", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", "HTTP/1.1 103 E\r\n\r\n"])
    @ReactorActor func `a response that breaks off is not asked for again`(part: String) async throws {
        let upstream = try ScriptedUpstream(at: .loopback) { peer, _ in
            peer.send(part)
            peer.close()
        }
        let client = HTTPClient(of: upstream.endpoint)
        #expect(await client.outcome() == .failure(.connectionLost(mayHaveBeenProcessed: true)))
        #expect(upstream.requests.count == 1)
    }

    // MARK: An upstream that is away

    @Test @ReactorActor func `while the upstream restarts, requests wait and are then answered`() async throws {
        let path = UniquePath.next()
        let client = HTTPClient(of: .unix(path: path))
        let running = (1...5).map { _ in client.start(.post, body: []) }
        try await eventually("some refusals") { client.statistics.connectFailures >= 3 }
        #expect(running.allSatisfy { $0.outcomes.isEmpty })
        let upstream = try ScriptedUpstream(at: .unix(path: path)) { peer, _ in peer.send(ok("back")) }
        defer { upstream.stop() }
        for request in running { #expect(try await request.outcome == .answer(200, "back")) }
        #expect(upstream.requests.count == 5)
        #expect(client.circuit == .closed)
    }

    @Test @ReactorActor func `an upstream that stays away opens the circuit, and an answer closes it`() async throws {
        let path = UniquePath.next()
        let client = HTTPClient(of: .unix(path: path)) { $0.connectWindow = .milliseconds(5) }
        var changes: [Bool] = []
        client.onCircuitChange = { changes.append($0) }
        guard case .failure(.unreachable(.failed(let error))) = await client.outcome() else {
            return #expect(Bool(false), "it was reached")
        }
        #expect(error.isConnectionRefused)
        #expect(client.circuit != .closed)
        #expect(changes == [true])

        let upstream = try ScriptedUpstream(at: .unix(path: path)) { peer, _ in peer.send(ok("back")) }
        defer { upstream.stop() }
        try await eventually("an answer") { await client.outcome() == .answer(200, "back") }
        #expect(client.circuit == .closed)
        #expect(changes == [true, false])
    }

    @Test @ReactorActor func `while the circuit is half-open, one request goes out`() async throws {
        let path = UniquePath.next()
        let client = HTTPClient(of: .unix(path: path)) {
            $0.connectWindow = .milliseconds(5)
            $0.circuitBreaker.firstOpening = .milliseconds(1)
        }
        _ = await client.outcome()
        let upstream = try ScriptedUpstream(at: .unix(path: path)) { _, _ in }
        defer { upstream.stop() }
        var running: [Running] = []
        try await eventually("the probe") {
            running.append(client.start())
            return !upstream.requests.isEmpty
        }
        for _ in 1...5 { running.append(client.start()) }
        try await eventually("the refusals") { running.count { $0.outcomes.isEmpty } == 1 }
        #expect(upstream.requests.count == 1)
        upstream.peers[0].send(ok("alive"))
        try await eventually("the probe's answer") { running.allSatisfy { $0.outcomes.count == 1 } }
        #expect(client.circuit == .closed)
    }

    @Test @ReactorActor func `overdue answers open the circuit`() async throws {
        let upstream = try ScriptedUpstream(at: .loopback) { _, _ in }
        let client = HTTPClient(of: upstream.endpoint) {
            $0.responseHeadTimeout = .milliseconds(5)
            $0.circuitBreaker.failures = 2
            $0.circuitBreaker.firstOpening = longTime
            $0.circuitBreaker.longestOpening = longTime
        }
        for _ in 1...2 { #expect(await client.outcome() == .failure(.timedOut(.responseHead))) }
        guard case .failure(.circuitOpen) = await client.outcome() else { return #expect(Bool(false), "it is closed") }
        #expect(upstream.requests.count == 2)
    }

    @Test @ReactorActor func `impatient requests do not open the circuit`() async throws {
        let upstream = try ScriptedUpstream(at: .loopback) { _, _ in }
        let client = HTTPClient(of: upstream.endpoint) {
            $0.circuitBreaker.failures = 1
            $0.circuitBreaker.leastPatience = longTime
        }
        for _ in 1...3 {
            #expect(await client.outcome(within: .milliseconds(5)) != .failure(.overloaded))
        }
        #expect(client.circuit == .closed)
    }

    // MARK: Time

    @Test @ReactorActor func `a response whose head is late is out of time`() async throws {
        let upstream = try ScriptedUpstream(at: .loopback) { peer, _ in peer.send("HTTP/1.1 200 OK\r\n") }
        let client = HTTPClient(of: upstream.endpoint) { $0.responseHeadTimeout = .milliseconds(5) }
        #expect(await client.outcome() == .failure(.timedOut(.responseHead)))
        try await eventually("the end of the connection") { upstream.peers.allSatisfy(\.isEnded) }
    }

    @Test @ReactorActor func `a response whose body is late is out of time at the deadline`() async throws {
        let upstream = try ScriptedUpstream(at: .loopback) { peer, _ in
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel")
        }
        let client = HTTPClient(of: upstream.endpoint)
        var limit = Duration.milliseconds(10)
        // On a busy machine not even the head comes in the first of these times.
        try await eventually("a late body") {
            limit *= 2
            return await client.outcome(within: limit) == .failure(.timedOut(.responseBody))
        }
        try await eventually("the end of the connections") { upstream.peers.allSatisfy(\.isEnded) }
    }

    @Test @ReactorActor func `a request that waits for a connection is out of time at its deadline`() async throws {
        let upstream = try ScriptedUpstream(at: .loopback) { _, _ in }
        let client = HTTPClient(of: upstream.endpoint) { $0.connections = 1 }
        let first = client.start()
        try await eventually("the first request") { upstream.requests.count == 1 }
        #expect(await client.outcome(within: .milliseconds(5)) == .failure(.timedOut(.waiting)))
        #expect(await client.outcome(within: .zero) == .failure(.timedOut(.waiting)))
        #expect(first.outcomes.isEmpty)
        client.close()
        #expect(try await first.outcome == .failure(.cancelled))
        #expect(await client.outcome() == .failure(.cancelled))
    }

    @Test @ReactorActor func `a request that waits for an upstream that is away is out of time at its deadline`() async
    {
        let client = HTTPClient(of: .unix(path: UniquePath.next()))
        #expect(await client.outcome(within: .milliseconds(20)) == .failure(.timedOut(.connecting)))
    }

    @Test @ReactorActor func `an attempt to connect that nobody answers ends`() async throws {
        // A full queue of connections that nobody accepts: the kernel drops the next one's SYN.
        let listener = try Sockets.listen(on: .loopback, backlog: 0)
        let address = try Sockets.localAddress(listener.number)
        var fillers: [Peer] = []
        for _ in 1...4 { fillers.append(Peer(try Sockets.connect(to: address)) { _, _ in }) }
        let client = HTTPClient(of: address.endpoint) {
            $0.connectTimeout = .milliseconds(20)
            $0.connectWindow = .milliseconds(20)
        }
        #expect(await client.outcome() == .failure(.unreachable(.timedOut)))
        #expect(client.load == HTTPClientLoad(connecting: 0, idle: 0, busy: 0, waiting: 0))
        for filler in fillers { filler.close() }
    }

    @Test @ReactorActor func `a name that does not exist is unreachable`() async {
        let client = HTTPClient(of: .tcp(host: "no-such-host.invalid", port: 80)) {
            $0.connectTimeout = .seconds(1)
            $0.connectWindow = .milliseconds(1)
        }
        guard case .failure(.unreachable) = await client.outcome() else {
            return #expect(Bool(false), "it was reached")
        }
    }

    @Test @ReactorActor func `a connection is closed when nobody has used it for long`() async throws {
        let upstream = try ScriptedUpstream(answering: ok("x"))
        let client = HTTPClient(of: upstream.endpoint) { $0.idleTimeout = .milliseconds(5) }
        #expect(await client.outcome() == .answer(200, "x"))
        try await eventually("the end of the connection") { upstream.peers[0].isEnded }
        #expect(client.load.idle == 0)
        #expect(await client.outcome() == .answer(200, "x"))
    }

    // MARK: Senders that go away

    @Test @ReactorActor func `cancelling closes the connection and calls nobody back`() async throws {
        let upstream = try ScriptedUpstream(at: .loopback) { peer, request in
            if request.hasPrefix("GET /next") { peer.send(ok("next")) }
        }
        let client = HTTPClient(of: upstream.endpoint) { $0.connections = 1 }
        let first = client.start()
        try await eventually("the first request") { upstream.requests.count == 1 }
        let second = client.start(.get, "/never")
        let third = client.start(.get, "/next")
        second.exchange?.cancel()
        first.exchange?.cancel()
        first.exchange?.cancel()
        #expect(try await third.outcome == .answer(200, "next"))
        #expect(upstream.peers[0].isEnded)
        #expect(first.outcomes.isEmpty && second.outcomes.isEmpty)
        #expect(upstream.requests.count == 2)
        third.exchange?.cancel()
        #expect(client.load.idle == 1)
    }

    @Test @ReactorActor func `cancelling the task cancels its request`() async throws {
        let upstream = try ScriptedUpstream(at: .loopback) { _, _ in }
        let client = HTTPClient(of: upstream.endpoint)
        let task = Task { @ReactorActor in await client.outcome() }
        try await eventually("the request") { upstream.requests.count == 1 }
        task.cancel()
        #expect(await task.value == .failure(.cancelled))
        try await eventually("the end of the connection") { upstream.peers[0].isEnded }
        #expect(client.load == HTTPClientLoad(connecting: 0, idle: 0, busy: 0, waiting: 0))
    }

    @Test @ReactorActor func `a cancelled probe leaves the probing to the next request`() async throws {
        let path = UniquePath.next()
        let client = HTTPClient(of: .unix(path: path)) {
            $0.connectWindow = .milliseconds(5)
            $0.circuitBreaker.firstOpening = .milliseconds(1)
            $0.circuitBreaker.longestOpening = .milliseconds(1)
        }
        _ = await client.outcome()
        let upstream = try ScriptedUpstream(at: .unix(path: path)) { peer, request in
            if request.hasPrefix("GET /next") { peer.send(ok("next")) }
        }
        defer { upstream.stop() }
        var probe: Running?
        try await eventually("the probe") {
            if upstream.requests.isEmpty, client.circuit != .open, probe?.outcomes.isEmpty != true {
                probe = client.start(.get, "/probe")
            }
            return !upstream.requests.isEmpty
        }
        probe?.exchange?.cancel()
        #expect(await client.outcome(.get, "/next") == .answer(200, "next"))
    }
}
