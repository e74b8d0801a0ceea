import HTTPBodies
import HTTPServer
import HTTPWire
import Reactor
import TestSupport
import Testing

@Suite struct BodyTests {
    init() { Reactor.runInBackground() }

    @Test @ReactorActor func `a body arrives whole, by length and in chunks, however it is cut`() async throws {
        let head = "POST /a HTTP/1.1\r\nHost: a\r\n"
        let wires = [
            head + "Content-Length: 11\r\n\r\nhello world",
            head + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nT: 1\r\n\r\n",
        ]
        try await withServer { server in
            let client = try await server.connect()
            for wire in wires {
                for size in [1, 7, 1000] {
                    var rest = Array(wire.utf8)[...]
                    while !rest.isEmpty {
                        client.send(Array(rest.prefix(size)))
                        rest = rest.dropFirst(size)
                        await Reactor.yield()
                    }
                    let response = try await client.takeResponse()
                    #expect(response.body == "POST /a hello world")
                }
            }
        }
    }

    @Test @ReactorActor func `a body that nobody reads makes the client wait`() async throws {
        let total = 16 * 1024 * 1024
        var waiting: HTTPExchange?
        try await withServer({ $0.limits.bodyBytes = .max }, handling: { waiting = $1 }) { server in
            let client = try await server.connect()
            client.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: \(total)\r\n\r\n")
            client.send([UInt8](repeating: 0x78, count: total))
            try await eventually("the request") { waiting != nil }
            for _ in 0..<50 { await Reactor.yield() }
            #expect(!client.isSent)

            let exchange = try #require(waiting)
            var received = 0
            while let piece = try await exchange.request.body.read() {
                #expect(piece.count <= 128 * 1024)
                received += piece.count
            }
            #expect(received == total)
            exchange.respond(.text("\(received)"))
            let response = try await client.takeResponse()
            #expect(response.body == "\(total)")
        }
    }

    @Test @ReactorActor func `the server bids for a body only when the handler asks for it`() async throws {
        var waiting: [HTTPExchange] = []
        try await withServer(handling: { waiting.append($1) }) { server in
            let client = try await server.connect()
            client.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
            try await eventually("the request") { waiting.count == 1 }
            for _ in 0..<5 { await Reactor.yield() }
            #expect(client.received.isEmpty)

            echo(waiting[0].request, waiting[0])
            let interim = try await client.take(through: "\r\n\r\n")
            #expect(interim == "HTTP/1.1 100 Continue\r\n\r\n")
            client.send("hi")
            let response = try await client.takeResponse()
            #expect(response.body == "PUT / hi")
            #expect(response["connection"] == nil)
        }
    }

    @Test @ReactorActor func `who is refused before the body is not bid for it, and the connection ends`() async throws
    {
        try await withServer(handling: { $1.respond(.text("no", status: .notFound)) }) { server in
            let client = try await server.connect()
            client.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
            let response = try await client.takeResponse()
            #expect(response.status == 404)
            #expect(response["connection"] == "close")
            #expect(try await client.takeAll().isEmpty)
        }
    }

    @Test @ReactorActor func `a body is not bid for within its answer`() async throws {
        try await withServer(handling: { request, exchange in
            let writer = exchange.startResponse(.ok, fields: [:], length: 3)
            let first = Array("a".utf8)
            writer.write(first.span)
            request.body.collect(limitBytes: 2) { outcome in
                let rest = (try? outcome.get()) ?? []
                writer.write(rest.span)
                writer.finish()
            }
        }) { server in
            let client = try await server.connect()
            client.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
            _ = try await client.take(through: "\r\n\r\n")
            // Who waits no longer sends it all the same.
            client.send("hi")
            #expect(try await client.takeAll() == "ahi")
        }
    }

    /// Whoever learns of the length alone that it is too much does not bid for the body either.
    @Test @ReactorActor func `who announces too much is not bid for it, and the connection ends`() async throws {
        try await withServer(handling: { request, exchange in
            request.body.collect(limitBytes: 1) { _ in exchange.respond(.text("no", status: .contentTooLarge)) }
        }) { server in
            let client = try await server.connect()
            client.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
            let response = try await client.takeResponse()
            #expect(response.status == 413)
            #expect(response["connection"] == "close")
            #expect(try await client.takeAll().isEmpty)
        }
    }

    @Test(arguments: [(1000, true), (100_000_000, false)])
    @ReactorActor func `the rest of a body that nobody wants is dropped if it is short`(length: Int, keeps: Bool)
        async throws
    {
        try await withServer({ $0.limits.bodyBytes = .max }, handling: { $1.respond(.text("no")) }) { server in
            let client = try await server.connect()
            client.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: \(length)\r\n\r\n")
            let response = try await client.takeResponse()
            #expect(response["connection"] == (keeps ? nil : "close"))
            guard keeps else { return }
            client.send([UInt8](repeating: 0x78, count: length))
            client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(try await client.takeResponse().body == "no")
        }
    }

    @Test @ReactorActor func `a chunked body that nobody wants is dropped only so far`() async throws {
        try await withServer({ $0.limits.bodyBytes = .max }, handling: { $1.respond(.text("no")) }) { server in
            let client = try await server.connect()
            client.send("PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
            let response = try await client.takeResponse()
            #expect(response["connection"] == nil)
            client.send("fffffff\r\n")
            client.send([UInt8](repeating: 0x78, count: 4 * 1024 * 1024))
            #expect(try await client.takeAll().isEmpty)
        }
    }

    @Test(arguments: [0, 1, 3]) @ReactorActor
    func `a handler that collects less than a body holds is told so`(pieces: Int) async throws {
        var failures: [HTTPBodyError] = []
        try await withServer(handling: { request, exchange in
            request.body.collect(limitBytes: 10) { outcome in
                if case .failure(let error) = outcome { failures.append(error) }
                exchange.respond(.text("too large", status: .contentTooLarge))
            }
        }) { server in
            let client = try await server.connect()
            if pieces == 0 {
                client.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n")
            } else {
                client.send("PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
                for _ in 0..<pieces { client.send("b\r\nhello world\r\n") }
                client.send("0\r\n\r\n")
            }
            let response = try await client.takeResponse()
            #expect(response.status == 413)
            #expect(failures == [.tooLarge(limitBytes: 10)])
        }
    }

    @Test @ReactorActor func `a handler learns that a body breaks off`() async throws {
        var outcomes: [Result<[UInt8], HTTPBodyError>] = []
        try await withServer(handling: { request, _ in
            request.body.collect(limitBytes: 10) { outcomes.append($0) }
        }) { server in
            let client = try await server.connect()
            client.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe")
            try await eventually("the request") { server.server.counters.requests == 1 }
            client.close()
            try await eventually("the failure") { !outcomes.isEmpty }
            #expect(outcomes == [.failure(.cut)])
        }
    }

    @Test @ReactorActor func `a broken body is answered by the server, and its handler learns why`() async throws {
        var outcomes: [Result<[UInt8], HTTPBodyError>] = []
        try await withServer(handling: { request, exchange in
            request.body.collect(limitBytes: 10) { outcome in
                outcomes.append(outcome)
                #expect(exchange.respond(.text("too late")) == false)
            }
        }) { server in
            let client = try await server.connect()
            client.send("PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhello")
            let response = try await client.takeResponse()
            #expect(response.status == 400)
            #expect(response["connection"] == "close")
            #expect(try await client.takeAll().isEmpty)
            #expect(outcomes == [.failure(.malformed(.malformedChunk))])
        }
    }
}
