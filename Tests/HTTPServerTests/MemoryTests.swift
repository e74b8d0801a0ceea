import HTTPServer
import HTTPWire
import Reactor
import TestSupport
import Testing

/// What a server keeps for clients that do not read, or do not send on. Over Unix-domain sockets, because the kernel
/// keeps little for those itself.
@Suite struct MemoryTests {
    init() { Reactor.runInBackground() }

    private static let mebibyte = 1024 * 1024

    @ReactorActor
    private func withUnixServer(
        _ configure: (inout HTTPServerConfiguration) -> Void = { _ in },
        handling: @escaping @ReactorActor (HTTPRequest, HTTPExchange) -> Void,
        _ body: @ReactorActor (TestServer) async throws -> Void
    ) async throws {
        let endpoint = Endpoint.unix(path: "\(try TestFolder.make())/server.sock")
        try await withServer(on: endpoint, configure, handling: handling, body)
    }

    private func answer(bytes: Int) -> HTTPResponse {
        HTTPResponse(.ok, body: .bytes([UInt8](repeating: 0x61, count: bytes)))
    }

    @Test @ReactorActor func `a client that does not read has one request in flight`() async throws {
        var waiting: [HTTPExchange] = []
        let endless = 1 << 40
        try await withUnixServer({ $0.outputLimitBytes = endless }, handling: { waiting.append($1) }) { server in
            let client = try await server.connect()
            client.setReading(false)
            client.send(String(repeating: "GET / HTTP/1.1\r\nHost: a\r\n\r\n", count: 60))
            try await eventually("a full pipeline") { waiting.count == 16 }
            let late = waiting
            waiting = []
            for exchange in late { exchange.respond(answer(bytes: 100_000)) }
            for _ in 0..<10 {
                try await eventually("the next request") { !waiting.isEmpty }
                for _ in 0..<5 { await Reactor.yield() }
                #expect(waiting.count == 1)
                waiting.removeFirst().respond(answer(bytes: 100_000))
            }
            // When it reads, it may ask ahead again.
            client.setReading(true)
            try await eventually("a full pipeline again") { waiting.count == 16 }
        }
    }

    @Test @ReactorActor func `answers that nobody reads take no more memory than all connections may`() async throws {
        try await withUnixServer(
            { $0.heldLimitBytes = Self.mebibyte },
            handling: { $1.respond(answer(bytes: 500_000)) }
        ) { server in
            var clients: [TestSocket] = []
            for _ in 0..<20 {
                let client = try await server.connect()
                client.setReading(false)
                client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                clients.append(client)
                try await eventually("the request") { server.server.counters.requests == clients.count }
                await Reactor.yield()
                #expect(server.server.heldBytes <= Self.mebibyte)
            }
            #expect(server.server.counters.shedConnections > 0)
            #expect(try await request("GET", "/", on: server.endpoint).body.utf8.count == 500_000)
            for client in clients { client.close() }
            try await eventually("the end of all") { server.server.counters.openConnections == 0 }
            #expect(server.server.heldBytes == 0)
        }
    }

    @Test @ReactorActor func `bodies that do not end take no more memory than all connections may`() async throws {
        try await withUnixServer({ $0.heldLimitBytes = Self.mebibyte }, handling: echo) { server in
            var clients: [TestSocket] = []
            for _ in 0..<20 {
                let client = try await server.connect()
                client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n")
                client.send([UInt8](repeating: 0x61, count: 150_000))
                clients.append(client)
                try await eventually("its bytes") { client.isSent || client.isEnded }
            }
            try await eventually("a cut") { server.server.counters.shedConnections > 0 }
            #expect(server.server.heldBytes <= Self.mebibyte)
        }
    }

    @Test @ReactorActor func `requests and answers that wait for their turn are counted, and nothing when all is read`()
        async throws
    {
        var waiting: [HTTPExchange] = []
        try await withUnixServer(handling: { waiting.append($1) }) { server in
            let client = try await server.connect()
            client.send(String(repeating: "GET / HTTP/1.1\r\nHost: a\r\n\r\n", count: 200))
            try await eventually("a full pipeline") { waiting.count == 16 }
            try await eventually("the rest of the input") { server.server.heldBytes >= 184 * 27 }
            let before = server.server.heldBytes
            for exchange in waiting[1...] { exchange.respond(answer(bytes: 10_000)) }
            try await eventually("the answers") { server.server.heldBytes >= before + 150_000 }
            waiting[0].respond(answer(bytes: 10_000))
            waiting.removeFirst(16)
            for _ in 16..<200 {
                try await eventually("a request") { !waiting.isEmpty }
                waiting.removeFirst().respond(answer(bytes: 10_000))
            }
            for _ in 0..<200 { _ = try await client.takeResponse() }
            try await eventually("nothing") { server.server.heldBytes == 0 }
        }
    }
}
