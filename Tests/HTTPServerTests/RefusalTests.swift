@testable import HTTPServer
import HTTPWire
import Reactor
import TestSupport
import Testing

@Suite struct RefusalTests {
    init() { Reactor.runInBackground() }

    @Test(arguments: [
        ("GET /\r\n\r\n", 400), ("GET / HTTP/1.1\r\n\r\n", 400), ("GET / HTTP/1.1\nHost: a\n\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nA : b\r\n\r\n", 400), ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
        ("CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", 405),
        ("GET /" + String(repeating: "x", count: 9000) + " HTTP/1.1\r\nHost: a\r\n\r\n", 414),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: " + String(repeating: "x", count: 17_000) + "\r\n\r\n", 431),
        ("GET / HTTP/1.1\r\nHost: a\r\n" + String(repeating: "A: b\r\n", count: 101) + "\r\n", 431),
        ("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1048577\r\n\r\n", 413),
        ("PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n100001\r\n", 413),
        ("PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
        ("PUT / HTTP/1.1\r\nHost: a\r\nExpect: magic\r\n\r\n", 417),
    ])
    @ReactorActor func `what is no request is answered with its status and a close`(wire: String, status: Int)
        async throws
    {
        try await withServer { server in
            let client = try await server.connect()
            client.send(wire)
            let response = try await client.takeResponse()
            #expect(response.status == status)
            #expect(response.body == "refused")
            #expect(response["connection"] == "close")
            #expect(try await client.takeAll().isEmpty)
            #expect(!client.isReset)
            #expect(server.handler.refusals.count == 1)
        }
    }

    @Test(arguments: [
        ("GET / HTTP/1.1\r\nX-Id: 1\r\nHost: a\r\nExpect: magic\r\nX-Id: 2\r\n\r\n", ["1", "2"]),
        ("PUT / HTTP/1.1\r\nHost: a\r\nX-Id: 1\r\nContent-Length: 1048577\r\n\r\n", ["1"]),
        ("GET / HTTP/1.1\r\nX-Id: 1\r\n\r\n", ["1"]),
        ("PUT / HTTP/1.1\r\nHost: a\r\nX-Id: 1\r\nTransfer-Encoding: chunked\r\n\r\n100001\r\n", ["1"]),
        ("PUT / HTTP/1.1\r\nHost: a\r\nX-Id: 1\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", ["1"]),
        ("GET / HTTP/1.1\r\nHost: a\r\nX-Id: 1\r\nA : b\r\n\r\n", []),
    ])
    @ReactorActor func `who refuses a request whose head came in full knows its fields`(wire: String, ids: [String])
        async throws
    {
        try await withServer { server in
            let client = try await server.connect()
            client.send(wire)
            _ = try await client.takeResponse()
            #expect(server.handler.refusedFields.flatMap { $0.values("x-id") } == ids)
        }
    }

    @Test @ReactorActor func `requests before a broken one are answered first`() async throws {
        var waiting: HTTPExchange?
        try await withServer(handling: { waiting = $1 }) { server in
            let client = try await server.connect()
            client.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\nGET /\r\n\r\n")
            try await eventually("the refusal") { server.handler.refusals.count == 1 }
            #expect(client.received.isEmpty)
            waiting?.respond(.text("first"))
            let response = try await client.takeResponse()
            #expect(response.body == "first")
            #expect(response["connection"] == nil)
            #expect(try await client.takeResponse().status == 400)
            #expect(try await client.takeAll().isEmpty)
        }
    }

    @Test @ReactorActor func `a client that goes on sending still receives its refusal`() async throws {
        try await withServer { server in
            let client = try await server.connect()
            client.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 200000000\r\n\r\n")
            for _ in 0..<20 {
                client.send([UInt8](repeating: 0x78, count: 10_000))
                await Reactor.yield()
            }
            let response = try await client.takeResponse()
            #expect(response.status == 413)
            #expect(!client.isReset)
        }
    }

    // MARK: Time

    @Test(arguments: ["G", "GET / HTTP/1.1\r\nHost: a\r\n"])
    @ReactorActor func `a head that does not end in time is refused`(start: String) async throws {
        try await withServer({ $0.headTimeout = .milliseconds(50) }) { server in
            let client = try await server.connect()
            client.send(start)
            let response = try await client.takeResponse()
            #expect(response.status == 408)
            #expect(try await client.takeAll().isEmpty)
            #expect(server.handler.refusals == [.headTimedOut])
        }
    }

    @Test @ReactorActor func `a head that trickles has no more time than one that stands still`() async throws {
        try await withServer({ $0.headTimeout = .milliseconds(100) }) { server in
            let client = try await server.connect()
            client.send("GET / HTTP/1.1\r\n")
            // One byte in every turn: it would never be idle for the whole of the timeout.
            try await eventually("the refusal") {
                client.send("A")
                return !server.handler.refusals.isEmpty
            }
            #expect(server.handler.refusals == [.headTimedOut])
        }
    }

    @Test(arguments: [false, true])
    @ReactorActor func `a connection without a request is closed without a word`(afterOne: Bool) async throws {
        try await withServer({
            $0.headTimeout = .milliseconds(200)
            $0.keepAliveTimeout = .milliseconds(200)
        }) { server in
            try await eventually("a connection that was served, if it should be") {
                let client = try await server.connect()
                // On a busy machine the time may be up before this is sent.
                if afterOne { client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n") }
                let received = try await client.takeAll()
                return !afterOne || received.hasSuffix("GET / ")
            }
            #expect(server.handler.refusals.isEmpty)
        }
    }

    @Test @ReactorActor func `a connection that never sends a byte has only the time of a head`() async throws {
        try await withServer({ $0.headTimeout = .milliseconds(50) }) { server in
            let client = try await server.connect()
            // The time between requests is over a minute: what closes this one is the shorter time before the first.
            #expect(try await client.takeAll().isEmpty)
            #expect(server.handler.refusals.isEmpty)
        }
    }

    @Test @ReactorActor func `at the limit the connection that has waited longest gives way`() async throws {
        try await withServer({
            $0.connectionLimit = 2
            $0.shortestIdleTime = .zero
        }) { server in
            let oldest = try await server.connect()
            try await eventually("the first connection") { server.server.counters.openConnections == 1 }
            let younger = try await server.connect()
            younger.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(try await younger.takeResponse().status == 200)
            let newcomer = try await server.connect()
            newcomer.send("GET /b HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(try await newcomer.takeResponse().status == 200)
            #expect(try await oldest.takeAll().isEmpty)
            younger.send("GET /c HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(try await younger.takeResponse().status == 200)
            #expect(server.server.counters.displacedConnections == 1)
        }
    }

    @Test @ReactorActor func `a connection whose request is being answered does not give way`() async throws {
        var waiting: HTTPExchange?
        try await withServer(
            {
                $0.connectionLimit = 1
                $0.shortestIdleTime = .zero
            },
            handling: { waiting = $1 }
        ) { server in
            let busy = try await server.connect()
            busy.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\n")
            try await eventually("the request") { waiting != nil }
            let newcomer = try await server.connect()
            newcomer.send("GET /b HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(try await newcomer.takeResponse().status == 503)
            waiting?.respond(.text("done"))
            #expect(try await busy.takeResponse().body == "done")
            #expect(server.server.counters.displacedConnections == 0)
        }
    }

    @Test(arguments: [
        // Nothing moved yet: the whole timeout. Moved fast: the timeout again. Moved a byte at a time: what is left.
        (0, 0, 30.0), (256_000, 20, 30.0), (1, 29, 1.00390625), (256, 40, 0.0),
    ])
    func `who moves a byte now and then has one timeout in all`(bytes: Int, waited: Int, left: Double) {
        var pace = Pace()
        if bytes > 0 { pace.moved(bytes, after: .seconds(waited)) }
        #expect(pace.patience(.seconds(30), 256) == .seconds(left))
    }

    /// A byte in every turn would never be late by the time between two pieces.
    @Test @ReactorActor func `a body that trickles is refused`() async throws {
        try await withServer({
            $0.bodyTimeout = .milliseconds(200)
            $0.slowestBytesPerSecond = .max
        }) { server in
            let client = try await server.connect()
            client.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n")
            try await eventually("the refusal") {
                client.send("x")
                return !server.handler.refusals.isEmpty
            }
            #expect(server.handler.refusals == [.bodyTimedOut])
        }
    }

    @Test @ReactorActor func `a client that reads too slowly is cut`() async throws {
        let body = [UInt8](repeating: 0x78, count: 256 * 1024 * 1024)
        try await withServer(
            {
                $0.writeTimeout = .milliseconds(200)
                $0.slowestBytesPerSecond = .max
            },
            handling: { $1.respond(HTTPResponse(.ok, body: .bytes(body))) }
        ) { server in
            let client = try await server.connect()
            client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            client.setReading(false)
            try await eventually("the cut") {
                // One read now and then: some progress all the time.
                client.setReading(true)
                await Reactor.yield()
                client.setReading(false)
                return server.server.counters.requests == 1 && server.server.counters.openConnections == 0
            }
        }
    }

    @Test @ReactorActor func `a body that stops is refused`() async throws {
        try await withServer({ $0.bodyTimeout = .milliseconds(50) }) { server in
            let client = try await server.connect()
            client.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe")
            let response = try await client.takeResponse()
            #expect(response.status == 408)
            #expect(response["connection"] == "close")
            #expect(server.handler.refusals == [.bodyTimedOut])
        }
    }

    @Test @ReactorActor func `a handler that never answers is given up on`() async throws {
        var waiting: HTTPExchange?
        try await withServer({ $0.answerTimeout = .milliseconds(50) }, handling: { waiting = $1 }) { server in
            let client = try await server.connect()
            client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            let response = try await client.takeResponse()
            #expect(response.status == 500)
            #expect(response["connection"] == "close")
            #expect(waiting?.respond(.text("too late")) == false)
            #expect(waiting?.isClientGone == true)
        }
    }

    @Test @ReactorActor func `a client that does not read is cut`() async throws {
        let body = [UInt8](repeating: 0x78, count: 16 * 1024 * 1024)
        try await withServer(
            { $0.writeTimeout = .milliseconds(50) },
            handling: { _, exchange in
                exchange.respond(HTTPResponse(.ok, body: .bytes(body)))
            }
        ) { server in
            let client = try await server.connect()
            client.setReading(false)
            client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            try await eventually("the request") { server.server.counters.requests == 1 }
            try await eventually("the cut") { server.server.counters.openConnections == 0 }
        }
    }

    // MARK: Overload

    @Test @ReactorActor func `connections past the limit learn so while none is idle, those far past it wait`()
        async throws
    {
        var waiting: [HTTPExchange] = []
        try await withServer(
            {
                $0.connectionLimit = 2
                $0.refusedConnectionLimit = 1
                $0.shortestIdleTime = .seconds(600)
            },
            handling: { waiting.append($1) }
        ) { server in
            let clients = [try await server.connect(), try await server.connect()]
            for client in clients { client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n") }
            try await eventually("two requests") { waiting.count == 2 }
            let third = try await server.connect()
            try await eventually("three connections") { server.server.counters.openConnections == 3 }
            let fourth = try await server.connect()
            fourth.send("GET /fourth HTTP/1.1\r\nHost: a\r\n\r\n")
            third.send("GET /third HTTP/1.1\r\nHost: a\r\n\r\n")
            let refusal = try await third.takeResponse()
            #expect(refusal.status == 503)
            #expect(refusal["connection"] == "close")
            #expect(server.handler.refusals == [.overloaded])
            #expect(server.server.counters.connections == 3)

            clients[0].reset()
            third.close()
            try await eventually("the fourth request") { waiting.count == 3 }
            waiting[2].respond(.text("fourth"))
            #expect(try await fourth.takeResponse().body == "fourth")
        }
    }

    @Test(arguments: [false, true]) @ReactorActor
    func `the connection that has waited longest for a request gives way to a newcomer`(afterOne: Bool) async throws {
        try await withServer({
            $0.connectionLimit = 3
            $0.refusedConnectionLimit = 0
            $0.shortestIdleTime = .zero
            $0.setTimeouts(.seconds(600))
        }) { server in
            var clients: [TestSocket] = []
            for number in 0..<3 {
                let client = try await server.connect()
                try await eventually("a connection") { server.server.counters.connections == number + 1 }
                if afterOne {
                    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                    _ = try await client.takeResponse()
                }
                clients.append(client)
            }
            for number in 0..<3 {
                let newcomer = try await server.connect()
                newcomer.send("GET /new HTTP/1.1\r\nHost: a\r\n\r\n")
                #expect(try await newcomer.takeResponse().body == "GET /new ")
                #expect(try await clients[number].takeAll().isEmpty)
                #expect(!clients[number].isReset)
                clients.append(newcomer)
            }
            #expect(clients[3...].allSatisfy { !$0.isEnded })
            #expect(server.server.counters.displacedConnections == 3)
            #expect(server.handler.refusals.isEmpty)
        }
    }

    /// Both happen before the server's next turn: when the newcomer is accepted, the request may still be unread.
    @Test @ReactorActor func `a connection whose request has just come does not give way`() async throws {
        try await withServer({
            $0.connectionLimit = 1
            $0.refusedConnectionLimit = 1
            $0.shortestIdleTime = .zero
            $0.setTimeouts(.seconds(600))
        }) { server in
            let client = try await server.connect()
            try await eventually("a connection") { server.server.counters.connections == 1 }
            let address = try await Resolver.resolve(server.endpoint)[0]
            client.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\n")
            let newcomer = try Sockets.connect(to: address)
            #expect(try await client.takeResponse().body == "GET /a ")
            _ = consume newcomer
        }
    }

    @Test @ReactorActor func `a newcomer is served soon after the last place became idle`() async throws {
        var waiting: [HTTPExchange] = []
        try await withServer(
            {
                $0.connectionLimit = 1
                $0.refusedConnectionLimit = 0
                $0.setTimeouts(.seconds(600))
            },
            handling: { waiting.append($1) }
        ) { server in
            let client = try await server.connect()
            client.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\n")
            try await eventually("the request") { waiting.count == 1 }
            let newcomer = try await server.connect()
            newcomer.send("GET /b HTTP/1.1\r\nHost: a\r\n\r\n")
            for _ in 0..<10 { await Reactor.yield() }
            #expect(server.server.counters.connections == 1)
            waiting[0].respond(.text("a"))
            #expect(try await client.takeResponse().body == "a")
            // It stays open, and idle: its place is what the newcomer gets.
            try await eventually("the second request") { waiting.count == 2 }
            #expect(try await client.takeAll().isEmpty)
        }
    }

    @Test @ReactorActor func `answers without an end do not count as requests in flight`() async throws {
        var writers: [HTTPResponseWriter] = []
        try await withServer(
            {
                $0.requestLimit = 1
                $0.targetWait = .zero
            },
            handling: { request, exchange in
                guard request.head.path == "/stream" else {
                    exchange.respond(.text("whole"))
                    return
                }
                writers.append(exchange.startResponse(.ok, fields: [:], length: nil, isOpenEnded: true))
            }
        ) { server in
            var streams: [TestSocket] = []
            for number in 1...3 {
                let client = try await server.connect()
                client.send("GET /stream HTTP/1.1\r\nHost: a\r\n\r\n")
                #expect(try await client.take(through: "\r\n\r\n").hasPrefix("HTTP/1.1 200"))
                #expect(server.server.counters.openStreams == number)
                streams.append(client)
            }
            #expect(server.server.counters.openRequests == 0)
            #expect(try await request("GET", "/", on: server.endpoint).body == "whole")
            streams[0].reset()
            writers[1].finish()
            try await eventually("the end of two") { server.server.counters.openStreams == 1 }
            #expect(writers[0].isClosed)
            #expect(server.server.counters.openRequests == 0)
        }
    }

    @Test @ReactorActor func `what waits for nothing is answered past every limit`() async throws {
        var waiting: [HTTPExchange] = []
        try await withServer(
            {
                $0.connectionLimit = 2
                $0.requestLimit = 1
                $0.setTimeouts(.seconds(600))
            },
            handling: { request, exchange in
                if request.head.path == "/health" { exchange.respond(.text("alive")) } else { waiting.append(exchange) }
            }
        ) { server in
            server.handler.pathAnsweredAlways = "/health"
            let (client, other) = (try await server.connect(), try await server.connect())
            client.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\n")
            try await eventually("a request") { waiting.count == 1 }
            for (path, status) in [("/b", 503), ("/health", 200), ("/c", 503)] {
                other.send("GET \(path) HTTP/1.1\r\nHost: a\r\n\r\n")
                let answer = try await other.takeResponse()
                #expect(answer.status == status)
                #expect(answer["connection"] == nil)
            }
            // Nor is there a place left for a connection.
            other.send("GET /health HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n")
            #expect(try await other.takeResponse().status == 200)
            let newcomer = try await server.connect()
            newcomer.send("GET /health HTTP/1.1\r\nHost: a\r\n\r\n")
            let answer = try await newcomer.takeResponse()
            #expect(answer.body == "alive")
            #expect(answer["connection"] == "close")
            #expect(server.server.counters.overloads == 2)
        }
    }

    @Test @ReactorActor func `requests past the limit are refused, and their connections stay`() async throws {
        var waiting: [HTTPExchange] = []
        try await withServer({ $0.requestLimit = 2 }, handling: { waiting.append($1) }) { server in
            let client = try await server.connect()
            let other = try await server.connect()
            client.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n")
            try await eventually("two requests") { waiting.count == 2 }
            other.send("GET /c HTTP/1.1\r\nHost: a\r\n\r\n")
            let refusal = try await other.takeResponse()
            #expect(refusal.status == 503)
            #expect(refusal["connection"] == nil)
            for exchange in waiting { exchange.respond(.text("done")) }
            other.send("GET /d HTTP/1.1\r\nHost: a\r\n\r\n")
            try await eventually("a third request") { waiting.count == 3 }
        }
    }
}
