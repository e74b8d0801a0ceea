import Glibc
import HTTPServer
import HTTPWire
import Reactor
import TestSupport
import Testing

@Suite struct LifecycleTests {
    init() { Reactor.runInBackground() }

    // MARK: Draining

    @Test @ReactorActor func `draining waits for requests in flight and tells their clients`() async throws {
        var waiting: HTTPExchange?
        try await withServer(handling: { waiting = $1 }) { server in
            let client = try await server.connect()
            client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            try await eventually("the request") { waiting != nil }
            var isDrained = false
            Reactor.spawn {
                await server.server.drain(within: .seconds(20))
                isDrained = true
            }
            for _ in 0..<5 { await Reactor.yield() }
            #expect(!isDrained)
            waiting?.respond(.text("done"))
            let response = try await client.takeResponse()
            #expect(response.body == "done")
            #expect(response["connection"] == "close")
            #expect(try await client.takeAll().isEmpty)
            client.close()
            try await eventually("the end of draining") { isDrained }
            await #expect(throws: SystemError.self) { _ = try await server.connect() }
        }
    }

    @Test @ReactorActor func `an idle connection may send one last request while the server drains`() async throws {
        try await withServer({ $0.drainIdleTimeout = .seconds(20) }) { server in
            let client = try await server.connect()
            client.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\n")
            _ = try await client.takeResponse()
            Reactor.spawn { await server.server.drain(within: .seconds(20)) }
            for _ in 0..<5 { await Reactor.yield() }
            client.send("GET /b HTTP/1.1\r\nHost: a\r\n\r\n")
            let response = try await client.takeResponse()
            #expect(response.body == "GET /b ")
            #expect(response["connection"] == "close")
        }
    }

    @Test @ReactorActor func `draining closes idle connections and cuts what is not done in time`() async throws {
        try await withServer({ $0.drainIdleTimeout = .milliseconds(20) }, handling: { _, _ in }) { server in
            let idle = try await server.connect()
            let busy = try await server.connect()
            busy.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            try await eventually("the request") { server.server.counters.openRequests == 1 }
            await server.server.drain(within: .milliseconds(200))
            #expect(try await idle.takeAll().isEmpty)
            #expect(try await busy.takeAll().isEmpty)
            #expect(server.server.counters.openConnections == 0)
            #expect(server.server.counters.abandonedRequests == 1)
        }
    }

    /// With the timeouts that a connection has otherwise, this would wait for minutes.
    @Test(arguments: [false, true]) @ReactorActor
    func `an idle connection closes within the idle time of the drain`(afterOne: Bool) async throws {
        try await withServer({
            $0.drainIdleTimeout = .milliseconds(20)
            $0.setTimeouts(.seconds(600))
        }) { server in
            let client = try await server.connect()
            if afterOne {
                client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                _ = try await client.takeResponse()
            }
            try await eventually("the connection") { server.server.counters.openConnections == 1 }
            var isDrained = false
            Reactor.spawn {
                await server.server.drain(within: .seconds(600))
                isDrained = true
            }
            try await eventually("the end of draining") { isDrained }
            #expect(try await client.takeAll().isEmpty)
        }
    }

    @Test @ReactorActor func `an answer without an end ends when the server drains`() async throws {
        try await withServer(handling: { _, exchange in
            exchange.respond(
                HTTPResponse(
                    .ok,
                    body: .openEnded { writer in
                        let draining = Promise<Void, Never>()
                        writer.write([UInt8]("begin".utf8).span)
                        writer.whenDraining { draining.succeed(()) }
                        _ = await draining.result
                        writer.write([UInt8](" end".utf8).span)
                    }
                )
            )
        }) { server in
            let client = try await server.connect()
            client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            _ = try await client.take(through: "begin")
            await server.server.drain(within: .seconds(20))
            let rest = try await client.takeAll()
            #expect(rest.contains(" end") && rest.hasSuffix("0\r\n\r\n"))
            #expect(server.server.counters.openStreams == 0)
        }
    }

    @ReactorActor
    private final class Source: HTTPPushSource {
        private(set) var isEnded = false

        func pushBecameReady() {}
        func pushEnded() { isEnded = true }
    }

    @Test @ReactorActor func `an answer without an end that begins while the server drains ends at once`() async throws
    {
        let source = Source()
        try await withServer(
            {
                $0.drainIdleTimeout = .seconds(600)
                $0.setTimeouts(.seconds(600))
            },
            handling: { _, exchange in _ = exchange.startPush(fields: [:], source: source) }
        ) { server in
            let client = try await server.connect()
            try await eventually("the connection") { server.server.counters.openConnections == 1 }
            var isDrained = false
            Reactor.spawn {
                await server.server.drain(within: .seconds(600))
                isDrained = true
            }
            try await eventually("the draining") { server.server.isDraining }
            client.send("GET /push HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(try await client.takeAll().hasSuffix("\r\n\r\n0\r\n\r\n"))
            try await eventually("the end of draining") { isDrained }
            #expect(source.isEnded)
        }
    }

    @Test @ReactorActor func `what ends before its turn cuts no answer before it`() async throws {
        let source = Source()
        var waiting: HTTPExchange?
        var push: HTTPPush?
        try await withServer(handling: { request, exchange in
            if request.head.path == "/slow" {
                waiting = exchange
            } else {
                push = exchange.startPush(fields: [:], source: source)
            }
        }) { server in
            let client = try await server.connect()
            client.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\nGET /push HTTP/1.1\r\nHost: a\r\n\r\n")
            try await eventually("the requests") { push != nil }
            Reactor.spawn { await server.server.drain(within: .seconds(20)) }
            try await eventually("the end of the push") { source.isEnded }
            waiting?.respond(.text("done"))
            #expect(try await client.takeResponse().body == "done")
            #expect(try await client.takeAll().isEmpty)
        }
    }

    @Test @ReactorActor func `pipelined requests that have arrived are answered before a drained connection closes`()
        async throws
    {
        var waiting: [HTTPExchange] = []
        try await withServer({ $0.pipelineLimit = 2 }, handling: { waiting.append($1) }) { server in
            let client = try await server.connect()
            client.send((0..<4).map { "GET /\($0) HTTP/1.1\r\nHost: a\r\n\r\n" }.joined())
            try await eventually("two requests") { waiting.count == 2 }
            Reactor.spawn { await server.server.drain(within: .seconds(20)) }
            for number in 0..<4 {
                try await eventually("request \(number)") { !waiting.isEmpty }
                waiting.removeFirst().respond(.text("\(number)"))
                let response = try await client.takeResponse()
                #expect(response.body == "\(number)")
                #expect(response["connection"] == (number == 3 ? "close" : nil))
            }
        }
    }

    /// Clients that send request after request, and count the answers; each stops when it is told that its connection
    /// closes.
    @Test @ReactorActor func `no request is lost while a server drains under load`() async throws {
        try await withServer(handling: { request, exchange in
            Reactor.spawn {
                await Reactor.yield()
                exchange.respond(.text(request.head.path))
            }
        }) { server in
            var running = 0
            var answers = 0
            var losses = 0
            for number in 0..<50 {
                let client = try await server.connect()
                running += 1
                Reactor.spawn {
                    defer { running -= 1 }
                    while true {
                        client.send("GET /\(number) HTTP/1.1\r\nHost: a\r\n\r\n")
                        guard let response = try? await client.takeResponse(), response.body == "/\(number)" else {
                            losses += 1
                            return
                        }
                        answers += 1
                        if response["connection"] == "close" { return client.close() }
                    }
                }
            }
            try await eventually("some answers") { answers > 200 }
            await server.server.drain(within: .seconds(20))
            try await eventually("the end of all clients") { running == 0 }
            #expect(losses == 0)
            #expect(server.server.counters.requests == answers)
        }
    }

    @Test @ReactorActor func `connections that wait in the queue are served, not reset, by a server that drains`()
        async throws
    {
        try await withServer({ $0.drainIdleTimeout = .milliseconds(20) }) { server in
            let address = try await Resolver.resolve(server.endpoint)[0]
            var clients: [CInt] = []
            defer { for client in clients { Glibc.close(client) } }
            // In one turn with the beginning of the drain: the server has had no chance to accept them.
            for _ in 0..<20 { clients.append(try Sockets.connect(to: address).release()) }
            #expect(server.server.counters.connections == 0)
            await server.server.drain(within: .seconds(20))
            #expect(server.server.counters.connections == 20)
        }
    }

    // MARK: Many connections

    @Test @ReactorActor func `many connections are served at the same time`() async throws {
        try await withServer { server in
            var clients: [TestSocket] = []
            for _ in 0..<300 { clients.append(try await server.connect()) }
            for _ in 0..<3 {
                for (number, client) in clients.enumerated() {
                    client.send("GET /\(number) HTTP/1.1\r\nHost: a\r\n\r\n")
                }
                for (number, client) in clients.enumerated() {
                    #expect(try await client.takeResponse().body == "GET /\(number) ")
                }
            }
            #expect(server.server.counters.openConnections == 300)
            for client in clients { client.close() }
            try await eventually("the end of all") { server.server.counters.openConnections == 0 }
        }
    }

    // MARK: Unix-domain sockets

    @Test @ReactorActor func `a Unix-domain socket is served, and its file goes with the server`() async throws {
        let path = try TestFolder.make() + "/http.sock"
        try await withServer(on: .unix(path: path)) { server in
            #expect(server.endpoint == .unix(path: path))
            let response = try await request("GET", "/a", on: server.endpoint)
            #expect(response.body == "GET /a ")
            #expect(exists(path))
            server.server.close()
            #expect(!exists(path))
        }
    }

    @Test @ReactorActor func `the socket of a killed server is replaced, that of a living one is not`() async throws {
        let path = try TestFolder.make() + "/http.sock"
        // Bound and closed without unlinking, as a kill leaves it.
        do { _ = try Sockets.listen(on: .unix(path: path)) }
        #expect(exists(path))
        try await withServer(on: .unix(path: path)) { server in
            await #expect(throws: ListenError.occupied(path: path)) {
                _ = try await TestServer(on: .unix(path: path), handling: echo)
            }
            let response = try await request("GET", "/a", on: server.endpoint)
            #expect(response.status == 200)
        }
    }

    @Test @ReactorActor func `a file that is no socket is left alone`() async throws {
        let path = try TestFolder.make()
        await #expect(throws: ListenError.notASocket(path: path)) {
            _ = try await TestServer(on: .unix(path: path), handling: echo)
        }
    }

    @Test @ReactorActor func `a port in use is an error`() async throws {
        try await withServer { server in
            let error = await #expect(throws: ListenError.self) {
                _ = try await TestServer(on: server.endpoint, handling: echo)
            }
            guard case .system(let failure)? = error else { return }
            #expect(failure.isAddressInUse)
        }
    }

    private func exists(_ path: String) -> Bool { unsafe access(path, F_OK) == 0 }
}
