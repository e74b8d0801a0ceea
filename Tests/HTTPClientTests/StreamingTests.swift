import HTTPBodies
import HTTPWire
import Reactor
import TestSupport
import Testing

@testable import HTTPClient

/// Writes down what comes.
@ReactorActor
private final class Recorder {
    var exchange: HTTPClientExchange?
    var interim: [UInt16] = []
    var status: UInt16?
    /// Whether the response came in one piece.
    var isWhole = false
    var pulled: HTTPBody?
    var body = ""
    var trailers: HTTPFields?
    var failures: [HTTPClientError] = []
    var isComplete = false
    /// Whether the next piece is asked for at once.
    var reads = true

    var hasEnded: Bool { isComplete || !failures.isEmpty }

    func told(_ result: Result<HTTPClientResponse, HTTPClientError>) {
        switch result {
        case .success(let response) where response.status.isInformational: interim.append(response.status.rawValue)
        case .success(let response):
            status = response.status.rawValue
            isWhole = response.rest == nil
            pulled = response.pulled
            if reads { read() }
        case .failure(let error): failures.append(error)
        }
    }

    func read() {
        pulled?.read { [self] result in
            switch result {
            case .success(let piece?):
                body += String(decoding: piece, as: UTF8.self)
                if reads { read() }
            case .success(nil):
                trailers = pulled?.trailers
                isComplete = true
            case .failure(let error): failures.append(HTTPClientError(error))
            }
        }
    }
}

/// A body that a test makes as it goes, and who asks for it.
@ReactorActor
private final class Sender: HTTPBodySource {
    private(set) var wishes = 0
    private(set) lazy var body = HTTPBody(declaredLength: length, windowBytes: 1, source: self)
    private let length: Int?

    /// - Parameter length: nil for chunks.
    init(length: Int? = nil) { self.length = length }

    func bodyIsAwaited(_: HTTPBody) { wishes += 1 }
    func bodyWasTaken(_: HTTPBody) {}
    func bodyIsUnwanted(_: HTTPBody) {}
    func send(_ text: String) { body.receive(Array(text.utf8)) }
}

@Suite struct StreamingTests {
    init() { Reactor.runInBackground() }

    private static let chunkedHead = "POST /up HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n"

    @ReactorActor
    private func open(
        _ client: HTTPClient,
        _ method: HTTPMethod = .get,
        bytes: String = "GET / HTTP/1.1\r\nHost: test\r\n\r\n",
        body: HTTPBody? = nil,
        reads: Bool = true,
        silence: Duration = longTime,
        _ change: (inout HTTPClientRequest) -> Void = { _ in }
    ) -> Recorder {
        let recorder = Recorder()
        recorder.reads = reads
        var request = HTTPClientRequest(method, bytes: Array(bytes.utf8))
        request.body = body
        change(&request)
        recorder.exchange = client.open(request, deadline: Reactor.now + longTime, silence: silence) {
            recorder.told($0)
        }
        return recorder
    }

    @Test @ReactorActor func `a response comes piece by piece, and its connection is used again`() async throws {
        let upstream = try ScriptedUpstream(at: .loopback) { _, _ in }
        let client = HTTPClient(of: upstream.endpoint)
        let recorder = open(client)
        try await eventually("the request") { upstream.requests.count == 1 }
        upstream.peers[0].send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n")
        try await eventually("the first piece") { recorder.body == "one" }
        #expect(recorder.status == 200 && !recorder.hasEnded)
        upstream.peers[0].send("3\r\ntwo\r\n0\r\nX-Sum: 1\r\n\r\n")
        try await eventually("the end") { recorder.isComplete }
        #expect(recorder.body == "onetwo")
        #expect(recorder.trailers?["x-sum"] == "1")
        #expect(client.load.idle == 1)
    }

    @Test @ReactorActor func `a response that is there is told of in one step, chunks with their trailers`()
        async throws
    {
        let chunks = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n0\r\nX-Sum: 1\r\n\r\n"
        let upstream = try ScriptedUpstream(at: .loopback) { peer, request in
            peer.send(request.hasPrefix("GET /chunks") ? chunks : ok("one"))
        }
        let client = HTTPClient(of: upstream.endpoint)
        for (path, isWhole) in [("/", true), ("/chunks", false)] {
            let recorder = open(client, bytes: "GET \(path) HTTP/1.1\r\nHost: test\r\n\r\n")
            try await eventually("the end") { recorder.isComplete }
            #expect(recorder.isWhole == isWhole)
            #expect(recorder.body == "one")
            #expect(recorder.trailers?["x-sum"] == (isWhole ? nil : "1"))
        }
    }

    @Test @ReactorActor func `a short body that comes soon after its head is told of with it`() async throws {
        let upstream = try ScriptedUpstream(at: .loopback) { _, _ in }
        let client = HTTPClient(of: upstream.endpoint) { $0.shortBodyWait = longTime }
        let recorder = open(client)
        try await eventually("the request") { upstream.requests.count == 1 }
        upstream.peers[0].send("HTTP/1.1 200 OK\r\nContent-Length: 16384\r\n\r\n")
        try await eventually("the head") { recorder.exchange?.bodyTimer != nil }
        upstream.peers[0].send(String(repeating: "x", count: 16_384))
        try await eventually("the end") { recorder.isComplete }
        #expect(recorder.isWhole && recorder.body.utf8.count == 16_384)
    }

    @Test @ReactorActor func `a short body that comes late does not hold up its head, nor does a long one`()
        async throws
    {
        let upstream = try ScriptedUpstream(at: .loopback) { peer, request in
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: \(request.hasPrefix("GET /short") ? 5 : 16_385)\r\n\r\nhel")
        }
        for (path, wait) in [("/short", Duration.milliseconds(1)), ("/long", longTime)] {
            let client = HTTPClient(of: upstream.endpoint) { $0.shortBodyWait = wait }
            let recorder = open(client, bytes: "GET \(path) HTTP/1.1\r\nHost: test\r\n\r\n")
            try await eventually("what there is") { recorder.body == "hel" }
            #expect(recorder.status == 200 && !recorder.isWhole)
        }
    }

    @Test @ReactorActor func `while nobody reads, nothing is read, and the upstream is held up`() async throws {
        let large = String(repeating: "x", count: 8_000_000)
        let upstream = try ScriptedUpstream(answering: ok(large))
        let client = HTTPClient(of: upstream.endpoint) { $0.responseLimits.bodyBytes = .max }
        let recorder = open(client, reads: false)
        try await eventually("the beginning") { recorder.status == 200 }
        for _ in 1...20 { await Reactor.yield() }
        let pulled = try #require(recorder.pulled)
        #expect(pulled.isFull && pulled.receivedBytes <= ClientSocket.receiveBytes)
        #expect(upstream.peers[0].hasUnsentBytes)
        // Nor does its silence count.
        #expect(recorder.exchange?.deadline == .distantFuture)
        var count = 0
        while let piece = try await pulled.read() { count += piece.count }
        #expect(count == large.utf8.count)
    }

    @Test @ReactorActor func `a request is read piece by piece, each when there is room`() async throws {
        let upstream = try ScriptedUpstream(at: .loopback) { peer, request in peer.send(ok(request)) }
        let client = HTTPClient(of: upstream.endpoint)
        let head = "POST /up HTTP/1.1\r\nHost: test\r\nContent-Length: 6\r\n\r\n"
        let sender = Sender(length: 6)
        let recorder = open(client, .post, bytes: head, body: sender.body)
        #expect(sender.wishes == 0)
        try await eventually("room") { sender.wishes == 1 }
        sender.send("one")
        for _ in 1...3 { await Reactor.yield() }
        #expect(!sender.body.isFull && upstream.requests.isEmpty)
        sender.send("two")
        sender.body.finish()
        try await eventually("the end") { recorder.isComplete }
        #expect(recorder.body == head + "onetwo")
        #expect(client.load.idle == 1)
    }

    @Test @ReactorActor func `an upstream that does not read holds the request up`() async throws {
        let upstream = try ScriptedUpstream(at: .loopback) { _, _ in }
        upstream.isReading = false
        let client = HTTPClient(of: upstream.endpoint)
        let sender = Sender()
        let recorder = open(client, .post, bytes: Self.chunkedHead, body: sender.body)
        let piece = String(repeating: "a", count: 1_000_000)
        try await eventually("room") { sender.wishes == 1 }
        // Each wish is granted, until there is none: the kernel's buffers are full.
        try await eventually("a full buffer") {
            if !sender.body.isFull { sender.send(piece) }
            return (recorder.exchange?.unsentBytes ?? 0) > 0 && sender.body.isFull
        }
        #expect(!recorder.hasEnded)
        upstream.peers[0].send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n")
        try await eventually("the answer") { recorder.isComplete }
        #expect(recorder.status == 413)
        #expect(client.load == HTTPClientLoad(connecting: 0, idle: 0, busy: 0, waiting: 0))
        sender.send(piece)
    }

    @Test @ReactorActor func `a request that breaks off ends its exchange, one that is not wanted does not`()
        async throws
    {
        let upstream = try ScriptedUpstream(at: .loopback) { _, _ in }
        let client = HTTPClient(of: upstream.endpoint)
        let senders = [Sender(), Sender()]
        let broken = open(client, .post, bytes: Self.chunkedHead, body: senders[0].body)
        try await eventually("room") { senders[0].wishes == 1 }
        senders[0].body.fail(.cut)
        try await eventually("the end of the connection") { upstream.peers[0].isEnded }
        #expect(broken.failures == [.cancelled])
        let answered = open(client, .post, bytes: Self.chunkedHead, body: senders[1].body)
        try await eventually("room") { senders[1].wishes == 1 }
        senders[1].body.fail(.unwanted)
        upstream.peers[1].send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        try await eventually("the end") { answered.isComplete }
        #expect(answered.body == "ok")
        #expect(client.load.idle == 0)
    }

    @Test @ReactorActor func `an expectation holds the body until the upstream bids for it`() async throws {
        let upstream = try ScriptedUpstream(at: .loopback) { _, _ in }
        let client = HTTPClient(of: upstream.endpoint)
        let sender = Sender(length: 2)
        let head = "PUT / HTTP/1.1\r\nHost: test\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
        let recorder = open(client, .put, bytes: head, body: sender.body) {
            $0.expectsContinue = true
            $0.wantsInterim = true
        }
        try await eventually("the connection") { upstream.peers.count == 1 }
        upstream.peers[0].send("HTTP/1.1 103 Early Hints\r\n\r\n")
        try await eventually("the hints") { recorder.interim == [103] }
        #expect(sender.wishes == 0)
        upstream.peers[0].send("HTTP/1.1 100 Continue\r\n\r\n")
        try await eventually("the wish") { sender.wishes == 1 }
        #expect(recorder.interim == [103])
    }

    @Test @ReactorActor func `a reader may cancel in the middle of a body`() async throws {
        let upstream = try ScriptedUpstream(at: .loopback) { peer, _ in
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst")
        }
        let client = HTTPClient(of: upstream.endpoint)
        let recorder = open(client)
        try await eventually("the first piece") { recorder.body == "first" }
        recorder.pulled?.cancel()
        #expect(recorder.failures == [.cancelled])
        try await eventually("the end of the connection") { upstream.peers.first?.isEnded == true }
        #expect(client.load == HTTPClientLoad(connecting: 0, idle: 0, busy: 0, waiting: 0))
    }

    @Test(arguments: [(5, nil, ""), (20_000, 200, "hel")] as [(Int, UInt16?, String)])
    @ReactorActor func `a body that breaks off is told of, in place of a short response`(
        length: Int,
        status: UInt16?,
        body: String
    ) async throws {
        let upstream = try ScriptedUpstream(at: .loopback) { peer, _ in
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: \(length)\r\n\r\nhel")
            peer.close()
        }
        let recorder = open(HTTPClient(of: upstream.endpoint) { $0.shortBodyWait = longTime })
        try await eventually("the end") { recorder.hasEnded }
        #expect(recorder.failures == [.connectionLost(mayHaveBeenProcessed: true)])
        #expect(recorder.status == status)
        #expect(recorder.body == body)
    }

    @Test @ReactorActor func `a body that falls silent ends`() async throws {
        let upstream = try ScriptedUpstream(at: .loopback) { _, _ in }
        let client = HTTPClient(of: upstream.endpoint)
        let recorder = open(client, silence: .milliseconds(20))
        try await eventually("the request") { upstream.requests.count == 1 }
        upstream.peers[0].send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na")
        try await eventually("the end") { recorder.hasEnded }
        #expect(recorder.failures == [.timedOut(.responseBody)])
    }

    @Test @ReactorActor func `a streamed request waits for its upstream and is sent whole`() async throws {
        let path = UniquePath.next()
        let client = HTTPClient(of: .unix(path: path))
        let head = "POST /up HTTP/1.1\r\nHost: test\r\nContent-Length: 3\r\n\r\n"
        let recorder = open(client, .post, bytes: head, body: HTTPBody(Array("abc".utf8)))
        try await eventually("some refusals") { client.statistics.connectFailures >= 2 }
        let upstream = try ScriptedUpstream(at: .unix(path: path)) { peer, request in peer.send(ok(request)) }
        defer { upstream.stop() }
        try await eventually("the end") { recorder.isComplete }
        #expect(recorder.body == head + "abc")
    }
}
