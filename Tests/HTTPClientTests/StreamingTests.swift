import HTTPWire
import Reactor
import TestSupport
import Testing

@testable import HTTPClient

/// Writes down what comes.
@ReactorActor
private final class Recorder: HTTPClientReceiver {
    var status: UInt16?
    var body = ""
    var ends: [HTTPClientError?] = []
    var wishes = 0
    var exchange: HTTPClientExchange?
    /// What to do when a piece of the body comes.
    var onBody: @ReactorActor (Recorder) -> Void = { _ in }

    func responseBegan(_ head: ResponseHead) { status = head.status.rawValue }

    func responseBodyReceived(_ bytes: Span<UInt8>) {
        var copy: [UInt8] = []
        copy.append(copying: bytes)
        body += String(decoding: copy, as: UTF8.self)
        onBody(self)
    }

    func responseEnded(_ failure: HTTPClientError?) { ends.append(failure) }

    func requestBodyWanted() { wishes += 1 }
}

@Suite struct StreamingTests {
    init() { Reactor.runInBackground() }

    private static let chunkedHead = "POST /up HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n"

    @ReactorActor
    private func open(
        _ client: HTTPClient,
        _ method: HTTPMethod = .get,
        bytes: String = "GET / HTTP/1.1\r\nHost: test\r\n\r\n",
        isComplete: Bool = true,
        within limit: Duration = longTime
    ) -> Recorder {
        let recorder = Recorder()
        recorder.exchange = client.open(
            HTTPClientRequest(method, bytes: Array(bytes.utf8)),
            isComplete: isComplete,
            deadline: Reactor.now + limit,
            receiver: recorder
        )
        return recorder
    }

    @Test @ReactorActor func `a response comes piece by piece, and its connection is used again`() async throws {
        let upstream = try ScriptedUpstream(at: .loopback) { _, _ in }
        let client = HTTPClient(of: upstream.endpoint)
        let recorder = open(client)
        try await eventually("the request") { upstream.requests.count == 1 }
        upstream.peers[0].send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n")
        try await eventually("the first piece") { recorder.body == "one" }
        #expect(recorder.status == 200 && recorder.ends.isEmpty)
        upstream.peers[0].send("3\r\ntwo\r\n0\r\n\r\n")
        try await eventually("the end") { recorder.ends == [nil] }
        #expect(recorder.body == "onetwo")
        #expect(client.load.idle == 1)
    }

    @Test @ReactorActor func `while it is paused, nothing is read, and the upstream is held up`() async throws {
        let large = String(repeating: "x", count: 8_000_000)
        let upstream = try ScriptedUpstream(answering: ok(large))
        let client = HTTPClient(of: upstream.endpoint) { $0.responseLimits.bodyBytes = .max }
        let recorder = open(client)
        recorder.onBody = { $0.exchange?.pause() }
        try await eventually("the first piece") { !recorder.body.isEmpty }
        for _ in 1...20 { await Reactor.yield() }
        #expect(recorder.body.utf8.count <= ClientSocket.receiveBytes)
        #expect(upstream.peers[0].hasUnsentBytes)
        recorder.onBody = { _ in }
        recorder.exchange?.resume()
        try await eventually("the end") { recorder.ends == [nil] }
        #expect(recorder.body.utf8.count == large.utf8.count)
    }

    @Test @ReactorActor func `a request is written piece by piece, each when there is room`() async throws {
        let upstream = try ScriptedUpstream(at: .loopback) { peer, request in peer.send(ok(request)) }
        let client = HTTPClient(of: upstream.endpoint)
        let head = "POST /up HTTP/1.1\r\nHost: test\r\nContent-Length: 6\r\n\r\n"
        let recorder = open(client, .post, bytes: head, isComplete: false)
        #expect(recorder.wishes == 0)
        for (index, piece) in ["one", "two"].enumerated() {
            try await eventually("room") { recorder.wishes == index + 1 }
            recorder.exchange?.write(Array(piece.utf8).span)
        }
        recorder.exchange?.finishRequest()
        try await eventually("the end") { recorder.ends == [nil] }
        #expect(recorder.body == head + "onetwo")
        #expect(client.load.idle == 1)
    }

    @Test @ReactorActor func `an upstream that does not read holds the request up`() async throws {
        let upstream = try ScriptedUpstream(at: .loopback) { _, _ in }
        upstream.isReading = false
        let client = HTTPClient(of: upstream.endpoint)
        let recorder = open(client, .post, bytes: Self.chunkedHead, isComplete: false)
        let piece = [UInt8](repeating: 0x61, count: 1_000_000)
        try await eventually("room") { recorder.wishes == 1 }
        var wishes = 0
        // Each wish is granted, until there is none: the kernel's buffers are full.
        try await eventually("a full buffer") {
            if recorder.wishes == wishes { return (recorder.exchange?.unsentBytes ?? 0) > 0 }
            wishes = recorder.wishes
            recorder.exchange?.write(piece.span)
            return false
        }
        #expect(recorder.ends.isEmpty)
        upstream.peers[0].send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n")
        try await eventually("the answer") { recorder.ends == [nil] }
        #expect(recorder.status == 413)
        #expect(client.load == HTTPClientLoad(connecting: 0, idle: 0, busy: 0, waiting: 0))
        recorder.exchange?.write(piece.span)
    }

    @Test @ReactorActor func `a receiver may cancel in the middle of a body`() async throws {
        let upstream = try ScriptedUpstream(answering: ok("first") + ok("second"))
        let client = HTTPClient(of: upstream.endpoint)
        let recorder = open(client)
        recorder.onBody = { $0.exchange?.cancel() }
        try await eventually("the end of the connection") { upstream.peers.first?.isEnded == true }
        #expect(recorder.body == "first")
        #expect(recorder.ends.isEmpty)
    }

    @Test @ReactorActor func `a body that breaks off is told of`() async throws {
        let upstream = try ScriptedUpstream(at: .loopback) { peer, _ in
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel")
            peer.close()
        }
        let recorder = open(HTTPClient(of: upstream.endpoint))
        try await eventually("the end") { !recorder.ends.isEmpty }
        #expect(recorder.ends == [.connectionLost(mayHaveBeenProcessed: true)])
        #expect(recorder.body == "hel")
    }

    @Test @ReactorActor func `a deadline that is moved does not end a body that makes progress`() async throws {
        let upstream = try ScriptedUpstream(at: .loopback) { _, _ in }
        let client = HTTPClient(of: upstream.endpoint)
        let recorder = open(client)
        try await eventually("the request") { upstream.requests.count == 1 }
        upstream.peers[0].send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na")
        try await eventually("the first piece") { recorder.body == "a" }
        recorder.exchange?.moveDeadline(to: Reactor.now + .milliseconds(1))
        try await eventually("the end") { recorder.ends == [.timedOut(.responseBody)] }
        recorder.exchange?.moveDeadline(to: Reactor.now + longTime)
        #expect(recorder.ends.count == 1)
    }

    @Test @ReactorActor func `a streamed request waits for its upstream and is sent whole`() async throws {
        let path = UniquePath.next()
        let client = HTTPClient(of: .unix(path: path))
        let recorder = open(client, .post, bytes: Self.chunkedHead, isComplete: false)
        recorder.exchange?.write(Array("3\r\nabc\r\n0\r\n\r\n".utf8).span)
        recorder.exchange?.finishRequest()
        try await eventually("some refusals") { client.statistics.connectFailures >= 2 }
        let upstream = try ScriptedUpstream(at: .unix(path: path)) { peer, _ in peer.send(ok("done")) }
        defer { upstream.stop() }
        try await eventually("the end") { recorder.ends == [nil] }
        #expect(recorder.body == "done")
    }
}
