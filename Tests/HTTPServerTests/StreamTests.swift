import Glibc
import HTTPBodies
import HTTPServer
import HTTPWire
import Reactor
import TestSupport
import Testing

@Suite struct StreamTests {
    init() { Reactor.runInBackground() }

    /// Answers with the pieces as a stream.
    @ReactorActor
    private static func stream(_ pieces: [String], length: Int?) -> @ReactorActor (HTTPRequest, HTTPExchange) -> Void {
        { _, exchange in
            exchange.respond(
                HTTPResponse(
                    .ok,
                    body: .stream(length: length) { writer in
                        for piece in pieces {
                            try await writer.write(Array(piece.utf8))
                            await Reactor.yield()
                        }
                    }
                )
            )
        }
    }

    @Test(arguments: [nil, 11]) @ReactorActor
    func `a streamed response arrives whole, and the connection stays open`(length: Int?) async throws {
        try await withServer(handling: Self.stream(["hello", "", " world"], length: length)) { server in
            let client = try await server.connect()
            client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n")
            for _ in 0..<2 {
                let response = try await client.takeResponse()
                #expect(response.body == "hello world")
                #expect(response["transfer-encoding"] == (length == nil ? "chunked" : nil))
                #expect(response["content-length"] == length.map { "\($0)" })
            }
        }
    }

    @Test @ReactorActor func `an old client gets a stream that ends with its connection`() async throws {
        try await withServer(handling: Self.stream(["hello", " world"], length: nil)) { server in
            let client = try await server.connect()
            client.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            let response = try await client.takeResponse()
            #expect(response.body == "hello world")
            #expect(response["connection"] == "close")
            #expect(response["transfer-encoding"] == nil)
        }
    }

    @Test(arguments: ["HTTP/1.0", "HTTP/1.1"]) @ReactorActor
    func `an answer that breaks off never looks whole`(version: String) async throws {
        struct Broken: Error {}
        try await withServer(handling: { _, exchange in
            exchange.respond(
                HTTPResponse(
                    .ok,
                    body: .stream(length: nil) { writer in
                        try await writer.write(Array("hello".utf8))
                        throw Broken()
                    }
                )
            )
        }) { server in
            let client = try await server.connect()
            client.send("GET / \(version)\r\nHost: a\r\n\r\n")
            let answer = try await client.takeAll()
            #expect(answer.contains("hello"))
            #expect(!answer.hasSuffix("0\r\n\r\n"))
            // Where the end of the connection is that of the answer, only a reset tells.
            #expect(client.isReset == (version == "HTTP/1.0"))
        }
    }

    @Test @ReactorActor func `a streamed answer to HEAD is not produced`() async throws {
        try await withServer(handling: { _, exchange in
            exchange.respond(
                HTTPResponse(.ok, body: .stream(length: 5) { _ in Issue.record("nobody reads this") })
            )
        }) { server in
            let client = try await server.connect()
            client.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\nHEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
            for _ in 0..<2 {
                let response = try await client.takeResponse(to: "HEAD")
                #expect(response["content-length"] == "5")
            }
        }
    }

    /// Says nothing.
    private final class SilentSource: HTTPPushSource {
        func pushBecameReady() {}
        func pushEnded() {}
    }

    @Test(arguments: ["push", "stream", "whole"]) @ReactorActor
    func `the kernel breaks a stream without end whose client acknowledges nothing any more`(kind: String) async throws
    {
        try await withServer(
            { $0.writeTimeout = .seconds(7) },
            handling: { _, exchange in
                switch kind {
                case "push": _ = exchange.startPush(fields: [:], source: SilentSource())
                case "stream":
                    let writer = exchange.startResponse(.ok, fields: [:], length: nil, isOpenEnded: true)
                    writer.write(Array("hello".utf8).span)
                default: exchange.respond(.text("hello"))
                }
            }
        ) { server in
            let client = try await server.connect()
            client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            _ = try await client.take(through: "\r\n\r\n")
            #expect(try Self.acknowledgementLimits(server.endpoint) == [kind == "whole" ? 0 : 7000])
        }
    }

    /// `TCP_USER_TIMEOUT` of this process' connections to an endpoint that it listens on, in milliseconds.
    private static func acknowledgementLimits(_ endpoint: Endpoint) throws -> [CInt] {
        (0..<4096).map { CInt($0) }.compactMap { descriptor in
            guard let address = try? Sockets.localAddress(descriptor), address.endpoint == endpoint,
                (try? Sockets.peerAddress(descriptor)) != nil
            else { return nil }
            var value: CInt = -1
            var size = socklen_t(MemoryLayout<CInt>.size)
            return unsafe getsockopt(descriptor, CInt(IPPROTO_TCP), TCP_USER_TIMEOUT, &value, &size) == 0 ? value : nil
        }
    }

    private struct Fault: Error {}

    @Test(arguments: [nil, 11, 4]) @ReactorActor
    func `a stream that fails, ends early or writes too much is cut`(length: Int?) async throws {
        try await withServer(handling: { _, exchange in
            exchange.respond(
                HTTPResponse(
                    .ok,
                    body: .stream(length: length) { writer in
                        try await writer.write(Array("hello".utf8))
                        if length == nil { throw Fault() }
                    }
                )
            )
        }) { server in
            let client = try await server.connect()
            client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n")
            let everything = try await client.takeAll()
            let isWhole = everything.hasSuffix("0\r\n\r\n") || everything.hasSuffix("hello world")
            #expect(!isWhole)
            #expect(everything.split(separator: "HTTP/1.1 200").count == 1)
        }
    }

    @Test @ReactorActor func `a client that does not read makes the producer wait`() async throws {
        let pieceBytes = 64 * 1024
        var written = 0
        try await withServer(handling: { _, exchange in
            exchange.respond(
                HTTPResponse(
                    .ok,
                    body: .stream(length: nil) { writer in
                        for _ in 0..<256 {
                            try await writer.write([UInt8](repeating: 0x78, count: pieceBytes))
                            written += pieceBytes
                        }
                    }
                )
            )
        }) { server in
            let client = try await server.connect()
            client.setReading(false)
            client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            try await eventually("the first piece") { written > 0 }
            for _ in 0..<200 { await Reactor.yield() }
            #expect(written < 256 * pieceBytes)
            client.setReading(true)
            let response = try await client.takeResponse()
            #expect(response.body.utf8.count == 256 * pieceBytes)
        }
    }

    @Test @ReactorActor func `a producer learns that its client is gone`() async throws {
        var failure: (any Error)?
        try await withServer(handling: { _, exchange in
            exchange.respond(
                HTTPResponse(
                    .ok,
                    body: .stream(length: nil) { writer in
                        do {
                            while true { try await writer.write([UInt8](repeating: 0x78, count: 64 * 1024)) }
                        } catch {
                            failure = error
                        }
                    }
                )
            )
        }) { server in
            let client = try await server.connect()
            client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            try await eventually("some of the stream") { client.received.count > 100_000 }
            client.close()
            try await eventually("the failure") { failure is HTTPClientGone }
            try await eventually("the end of the connection") { server.server.counters.openConnections == 0 }
        }
    }

    @Test @ReactorActor func `a body is passed on with its trailers, and cut where it breaks off`() async throws {
        for (failure, end) in [(HTTPBodyError?.none, "0\r\nX-Sum: 1\r\n\r\n"), (.cut, "")] {
            let source = Upstream()
            var outcomes: [HTTPBodyError?] = []
            try await withServer(handling: { _, exchange in
                exchange.startResponse(.ok, fields: [:], length: nil).write(source.body) { outcomes.append($0) }
            }) { server in
                let client = try await server.connect()
                client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                _ = try await client.take(through: "\r\n\r\n")
                source.body.receive(Array("one".utf8))
                #expect(try await client.take(through: "one\r\n") == "3\r\none\r\n")
                if let failure { source.body.fail(failure) } else { source.body.finish(trailers: ["X-Sum": "1"]) }
                #expect(outcomes == [failure])
                let rest = failure == nil ? try await client.take(through: "\r\n\r\n") : try await client.takeAll()
                #expect(rest == end)
            }
        }
    }

    @Test(arguments: [0, 1_000_000]) @ReactorActor
    func `a client that leaves cancels the body that it is given, also while it does not read`(bytes: Int) async throws
    {
        let source = Upstream()
        var outcomes: [HTTPBodyError?] = []
        try await withServer(handling: { _, exchange in
            exchange.startResponse(.ok, fields: [:], length: nil).write(source.body) { outcomes.append($0) }
        }) { server in
            let client = try await server.connect()
            client.setReading(false)
            client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            try await eventually("a reader") { source.isAwaited }
            // Until the writer has no room: then nobody reads the body.
            while bytes > 0, !source.body.isFull {
                source.body.receive([UInt8](repeating: 0x78, count: bytes))
                await Reactor.yield()
            }
            client.close()
            try await eventually("the cancellation") { source.isUnwanted }
            #expect(outcomes == [.unwanted])
        }
    }

    /// Whose body a test passes on.
    @ReactorActor
    private final class Upstream: HTTPBodySource {
        private(set) var isAwaited = false
        private(set) var isUnwanted = false
        private(set) lazy var body = HTTPBody(declaredLength: nil, windowBytes: 1, source: self)

        func bodyIsAwaited(_: HTTPBody) { isAwaited = true }
        func bodyWasTaken(_: HTTPBody) {}
        func bodyIsUnwanted(_: HTTPBody) { isUnwanted = true }
    }

    @Test @ReactorActor func `streams that are ready early wait for the answers before them`() async throws {
        var waiting: [HTTPExchange] = []
        try await withServer(handling: { waiting.append($1) }) { server in
            let client = try await server.connect()
            client.send((0..<3).map { "GET /\($0) HTTP/1.1\r\nHost: a\r\n\r\n" }.joined())
            try await eventually("three requests") { waiting.count == 3 }

            let third = waiting[2].startResponse(.ok, fields: [:], length: nil)
            third.write([UInt8]("third".utf8).span)
            third.finish()
            let second = waiting[1].startResponse(.ok, fields: [:], length: nil)
            second.write([UInt8](repeating: 0x32, count: 32 * 1024).span)
            #expect(!second.hasRoom)
            waiting[0].respond(.text("first"))
            #expect(second.hasRoom)
            second.write([UInt8]("end".utf8).span)
            second.finish()

            #expect(try await client.takeResponse().body == "first")
            #expect(try await client.takeResponse().body.utf8.count == 32 * 1024 + 3)
            #expect(try await client.takeResponse().body == "third")
        }
    }
}
