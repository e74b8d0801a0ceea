import HTTPServer
import HTTPWire
import Reactor
import TestSupport
import Testing

@Suite struct ExchangeTests {
    init() { Reactor.runInBackground() }

    @Test @ReactorActor func `a request is answered and the connection stays open`() async throws {
        try await withServer { server in
            let client = try await server.connect()
            for target in ["/a", "/b?c=d"] {
                client.send("GET \(target) HTTP/1.1\r\nHost: a\r\n\r\n")
                let response = try await client.takeResponse()
                #expect(response.status == 200)
                #expect(response.body == "GET \(target) ")
                #expect(response["content-length"] == "\(response.body.utf8.count)")
                #expect(response["content-type"] == "text/plain")
                #expect(response["date"]?.hasSuffix(" GMT") == true)
                #expect(response["connection"] == nil)
            }
            #expect(server.server.counters.requests == 2)
            #expect(server.server.counters.openConnections == 1)
        }
    }

    @Test @ReactorActor func `pipelined requests are answered in their order, whatever order they are ready in`()
        async throws
    {
        var waiting: [HTTPExchange] = []
        try await withServer(handling: { waiting.append($1) }) { server in
            let client = try await server.connect()
            client.send((0..<5).map { "GET /\($0) HTTP/1.1\r\nHost: a\r\n\r\n" }.joined())
            try await eventually("five requests") { waiting.count == 5 }
            for exchange in waiting.reversed() { exchange.respond(.text(exchange.request.head.path)) }
            for number in 0..<5 { #expect(try await client.takeResponse().body == "/\(number)") }
        }
    }

    @Test @ReactorActor func `no more requests of a connection are read than may be in flight`() async throws {
        var waiting: [HTTPExchange] = []
        try await withServer({ $0.pipelineLimit = 3 }, handling: { waiting.append($1) }) { server in
            let client = try await server.connect()
            client.send((0..<10).map { "GET /\($0) HTTP/1.1\r\nHost: a\r\n\r\n" }.joined())
            try await eventually("three requests") { waiting.count == 3 }
            for _ in 0..<20 { await Reactor.yield() }
            #expect(waiting.count == 3)
            waiting.removeFirst().respond(.text("first"))
            try await eventually("a fourth request") { waiting.count == 3 }
            #expect(waiting.last?.request.head.path == "/3")
        }
    }

    @Test @ReactorActor func `an unsafe request waits for those before it, and those behind it wait for it`()
        async throws
    {
        var waiting: [HTTPExchange] = []
        try await withServer(handling: { waiting.append($1) }) { server in
            let client = try await server.connect()
            let post = "POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi"
            client.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\n" + post + "GET /c HTTP/1.1\r\nHost: a\r\n\r\n")
            for path in ["/a", "/b", "/c"] {
                try await eventually("one request") { waiting.count == 1 }
                for _ in 0..<5 { await Reactor.yield() }
                #expect(waiting.map(\.request.head.path) == [path])
                waiting.removeFirst().respond(.text(path))
            }
            for path in ["/a", "/b", "/c"] { #expect(try await client.takeResponse().body == path) }
        }
    }

    @Test @ReactorActor func `the first answer wins`() async throws {
        try await withServer(handling: { _, exchange in
            #expect(exchange.respond(.text("first")))
            #expect(!exchange.respond(.text("second")))
            #expect(exchange.startResponse(.ok, fields: [:], length: nil).isClosed)
        }) { server in
            let response = try await request("GET", "/", on: server.endpoint)
            #expect(response.body == "first")
        }
    }

    @Test @ReactorActor func `HEAD is answered with the length and without the body`() async throws {
        try await withServer { server in
            let client = try await server.connect()
            client.send("HEAD /x HTTP/1.1\r\nHost: a\r\n\r\nGET /y HTTP/1.1\r\nHost: a\r\n\r\n")
            let response = try await client.takeResponse(to: "HEAD")
            #expect(response["content-length"] == "\("HEAD /x ".utf8.count)")
            #expect(try await client.takeResponse().body == "GET /y ")
        }
    }

    @Test(arguments: [(HTTPStatus.noContent, nil as String?), (.notModified, nil), (.ok, "0"), (.created, "0")])
    @ReactorActor func `a response without a body says so where it may`(status: HTTPStatus, length: String?)
        async throws
    {
        try await withServer(handling: { $1.respond(HTTPResponse(status)) }) { server in
            let client = try await server.connect()
            client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n")
            for _ in 0..<2 {
                let response = try await client.takeResponse()
                #expect(response.status == status.code)
                #expect(response["content-length"] == length)
            }
        }
    }

    @Test @ReactorActor func `an old client gets its connection closed, or kept if it asks`() async throws {
        try await withServer { server in
            let client = try await server.connect()
            client.send("GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            #expect(try await client.takeResponse()["connection"] == "keep-alive")
            client.send("GET /b HTTP/1.0\r\n\r\n")
            #expect(try await client.takeResponse()["connection"] == "close")
            #expect(try await client.takeAll() == "")
            #expect(!client.isReset)
        }
    }

    @Test @ReactorActor func `a request that asks for it is the last one`() async throws {
        try await withServer { server in
            let client = try await server.connect()
            client.send("GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n")
            let response = try await client.takeResponse()
            #expect(response.body == "GET /a ")
            #expect(response["connection"] == "close")
            #expect(try await client.takeAll() == "")
        }
    }

    @Test @ReactorActor func `a client that has finished sending still gets an answer that comes soon`() async throws {
        var waiting: [HTTPExchange] = []
        try await withServer({ $0.halfClosedTimeout = .seconds(600) }, handling: { waiting.append($1) }) { server in
            let client = try await server.connect()
            client.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\n")
            client.finishSending()
            try await eventually("the request") { waiting.count == 1 }
            for _ in 0..<5 { await Reactor.yield() }
            #expect(!waiting[0].isClientGone)
            waiting[0].respond(.text("soon"))
            #expect(try await client.takeAll().hasSuffix("soon"))
        }
    }

    @Test @ReactorActor func `a client that has finished sending and waits for long is taken for gone`() async throws {
        var gone = 0
        try await withServer(
            {
                $0.halfClosedTimeout = .milliseconds(50)
                $0.setTimeouts(.seconds(600))
            },
            handling: { $1.onClientGone = { gone += 1 } }
        ) { server in
            let client = try await server.connect()
            client.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\n")
            try await eventually("the request") { server.server.counters.requests == 1 }
            client.finishSending()
            #expect(try await client.takeAll().isEmpty)
            #expect(gone == 1)
            #expect(server.server.counters.openRequests == 0)
        }
    }

    /// A client that leaves: how the server learns it.
    enum Leaving: CaseIterable { case closing, resetting }

    @Test(arguments: Leaving.allCases)
    @ReactorActor func `a handler learns that its client is gone`(leaving: Leaving) async throws {
        var gone = 0
        var waiting: HTTPExchange?
        try await withServer(
            {
                $0.halfClosedTimeout = .milliseconds(50)
                $0.setTimeouts(.seconds(600))
            },
            handling: { _, exchange in
                waiting = exchange
                exchange.onClientGone = { gone += 1 }
            }
        ) { server in
            let client = try await server.connect()
            client.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\n")
            try await eventually("the request") { waiting != nil }
            if leaving == .resetting { client.reset() } else { client.close() }
            try await eventually("the end of the client") { gone == 1 }
            #expect(waiting?.isClientGone == true)
            #expect(waiting?.respond(.text("to nobody")) == false)
            #expect(server.server.counters.openConnections == 0)
            #expect(server.server.counters.openRequests == 0)
            #expect(gone == 1)
        }
    }

    @Test @ReactorActor func `who has its answer is not said to be gone`() async throws {
        var gone = 0
        try await withServer(handling: { _, exchange in
            exchange.onClientGone = { gone += 1 }
            exchange.respond(.text("done"))
        }) { server in
            let client = try await server.connect()
            client.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\n")
            _ = try await client.takeResponse()
            client.close()
            try await eventually("the end of the connection") { server.server.counters.openConnections == 0 }
            #expect(gone == 0)
        }
    }

    /// The room appears with the last byte that is sent, after which no event of the socket comes.
    @Test @ReactorActor func `a client that was silent while its output was full is read again when there is room`()
        async throws
    {
        let body = [UInt8](repeating: 0x78, count: 8 * 1024 * 1024)
        try await withServer(
            { $0.outputLimitBytes = 1 },
            handling: { $1.respond(HTTPResponse(.ok, body: .bytes(body))) }
        ) { server in
            let client = try await server.connect()
            client.setReading(false)
            client.send((0..<3).map { "GET /\($0) HTTP/1.1\r\nHost: a\r\n\r\n" }.joined())
            try await eventually("the request") { server.server.counters.requests == 1 }
            client.setReading(true)
            for _ in 0..<3 { #expect(try await client.takeResponse().body.utf8.count == body.count) }
        }
    }

    @Test @ReactorActor func `a response that is larger than the socket takes arrives whole`() async throws {
        let body = [UInt8](repeating: 0x78, count: 8 * 1024 * 1024)
        try await withServer(handling: { $1.respond(HTTPResponse(.ok, body: .bytes(body))) }) { server in
            let client = try await server.connect()
            client.setReading(false)
            client.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n")
            try await eventually("the request") { server.server.counters.requests >= 1 }
            for _ in 0..<20 { await Reactor.yield() }
            // The second one waits until the first one is nearly sent: that is the bound on memory.
            #expect(server.server.counters.requests == 1)
            client.setReading(true)
            for _ in 0..<2 {
                let response = try await client.takeResponse()
                #expect(response.status == 200)
                #expect(response.body.utf8.count == body.count)
            }
        }
    }
}
