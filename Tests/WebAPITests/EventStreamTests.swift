import HTTPClient
import HTTPServer
import HTTPWire
import Logging
import Reactor
import TestSupport
import Testing

@testable import WebAPI

@Suite struct EventStreamTests {
    init() { Reactor.runInBackground() }

    /// What the route does, said once there is something that can do it.
    @ReactorActor
    private final class Opener {
        var open: @ReactorActor (RequestContext) throws(APIError) -> Void = { _ in }
    }

    /// A next hop with streams, and a gateway before it.
    @ReactorActor
    private final class Hops {
        let streams: EventStreams
        var opened: [EventStream] = []
        var ended = 0
        /// How long those who ask are vouched for; nil for ever.
        var vouchedFor: Duration?
        let api: HTTPServer
        let address: Endpoint
        let relay: Relay
        let gateway: HTTPServer

        init(limit: Int = 10, step: Duration = .seconds(1)) async throws {
            let streams = EventStreams(limit: limit, step: step)
            self.streams = streams
            let documentation = RouteDocumentation(
                "Events",
                in: .operations,
                answers: [.events("Events.", example: ServerSentEvent(data: "1".utf8))]
            )
            let operation = Operation<Int>(.get, "/events", documentation) { _ in 0 }
            let opener = Opener()
            let route = operation.answeredDirectly { _, context throws(APIError) in try opener.open(context) }
            api = HTTPServer(
                handler: WebService(routes: [route], requestTimeout: .seconds(20), takesDeadlineFromCaller: true)
            )
            address = try await api.listen(on: .tcp(host: "127.0.0.1", port: 0))
            relay = Relay("api", to: address, HTTPClientConfiguration(), logger: Logger(label: "test"))
            gateway = HTTPServer(
                handler: WebService(
                    routes: [operation.relayed(by: relay)],
                    requestTimeout: .seconds(20),
                    takesDeadlineFromCaller: false
                )
            )
            opener.open = { [unowned self] context throws(APIError) in
                context.caller = vouchedFor.map { Caller(subject: "a", expiresAt: Reactor.now + $0) }
                guard let stream = try streams.open(context) else { return }
                opened.append(stream)
                stream.onEnd = { self.ended += 1 }
            }
        }

        func close() {
            gateway.close()
            relay.close()
            api.close()
        }
    }

    /// Runs `body` with clients of both hops: what streams promise holds behind a gateway, too.
    @ReactorActor
    private func withHops(
        limit: Int = 10,
        step: Duration = .seconds(1),
        _ body: @ReactorActor (Hops, [Endpoint]) async throws -> Void
    ) async throws {
        let hops = try await Hops(limit: limit, step: step)
        defer { hops.close() }
        let gateway = try await hops.gateway.listen(on: .tcp(host: "127.0.0.1", port: 0))
        try await body(hops, [hops.address, gateway])
    }

    @ReactorActor
    private func open(_ endpoint: Endpoint, _ method: String = "GET") async throws -> TestSocket {
        let client = try await TestSocket(to: endpoint)
        client.send("\(method) /events HTTP/1.1\r\nHost: a\r\n\r\n")
        return client
    }

    @Test @ReactorActor func `a stream begins at once, is buffered nowhere, and brings what is sent`() async throws {
        try await withHops { hops, endpoints in
            var delays: [Substring] = []
            for (index, endpoint) in endpoints.enumerated() {
                let client = try await open(endpoint)
                defer { client.close() }
                let head = try await client.take(through: "\r\n\r\n").lowercased()
                #expect(head.hasPrefix("http/1.1 200 "))
                #expect(head.contains("content-type: text/event-stream\r\n"))
                #expect(head.contains("cache-control: no-store, no-transform\r\n"))
                #expect(head.contains("x-accel-buffering: no\r\n"))
                let beginning = try await client.take(through: "\n\n")
                #expect(beginning.contains("retry: "))
                delays.append(beginning.split(separator: "retry: ")[1])
                hops.opened[index].send(ServerSentEvent("order", id: "1", data: "one".utf8).bytes)
                #expect(try await client.take(through: "\n\n").hasSuffix("event: order\nid: 1\ndata: one\n\n"))
            }
            #expect(delays.count == 2)
        }
    }

    @Test @ReactorActor func `a silent stream is kept alive, and one timer serves all`() async throws {
        try await withHops(step: .milliseconds(5)) { hops, endpoints in
            var clients: [TestSocket] = []
            for endpoint in endpoints + endpoints { clients.append(try await open(endpoint)) }
            defer { for client in clients { client.close() } }
            for client in clients {
                _ = try await client.take(through: "retry")
                for _ in 1...3 { _ = try await client.take(through: ":\n\n") }
            }
        }
    }

    @Test @ReactorActor func `a stream whose client is vouched for no longer is forgotten, though nothing is sent`()
        async throws
    {
        try await withHops { hops, endpoints in
            hops.vouchedFor = .milliseconds(100)
            for (index, endpoint) in endpoints.enumerated() {
                let client = try await open(endpoint)
                defer { client.close() }
                _ = try await client.take(through: "\r\n0\r\n\r\n")
                try await eventually("the end of the stream") { hops.streams.count == 0 }
                #expect(hops.ended == index + 1)
                #expect(!hops.opened[index].isOpen)
            }
        }
    }

    @Test @ReactorActor func `a client that leaves frees everything on both hops`() async throws {
        try await withHops { hops, endpoints in
            for endpoint in endpoints {
                let client = try await open(endpoint)
                _ = try await client.take(through: "\n\n")
                #expect(hops.streams.count == 1)
                client.close()
                try await eventually("the end of the stream") { hops.streams.count == 0 }
            }
            #expect(hops.ended == 2)
            try await eventually("the end of all connections") {
                hops.api.counters.openConnections == 0 && hops.gateway.counters.openConnections == 0
            }
            #expect(hops.api.counters.openStreams == 0 && hops.gateway.counters.openStreams == 0)
        }
    }

    @Test @ReactorActor func `a client that does not read is cut off, and what is kept for it is bounded`()
        async throws
    {
        try await withHops { hops, endpoints in
            for (index, endpoint) in endpoints.enumerated() {
                let client = try await open(endpoint)
                defer { client.close() }
                _ = try await client.take(through: "\n\n")
                client.setReading(false)
                let event = ServerSentEvent(data: [UInt8](repeating: 0x78, count: 32 * 1024)).bytes
                var sent = 0
                // Whatever the kernel takes on the way, and then no more.
                while hops.opened[index].isOpen, sent < 64 << 20 {
                    hops.opened[index].send(event)
                    sent += event.count
                    await Reactor.yield()
                }
                #expect(!hops.opened[index].isOpen)
                #expect(hops.streams.count == 0)
                client.setReading(true)
                // Cut off, not ended: the last chunk, of length 0, is missing.
                #expect(try await !client.takeAll().hasSuffix("0\r\n\r\n"))
            }
        }
    }

    @Test(arguments: [0, 1]) @ReactorActor
    func `a stream comes to its end when either process drains`(draining: Int) async throws {
        try await withHops { hops, endpoints in
            let client = try await open(endpoints[1])
            defer { client.close() }
            _ = try await client.take(through: "\n\n")
            hops.opened[0].send(ServerSentEvent(data: "last".utf8).bytes)
            _ = try await client.take(through: "data: last\n\n")
            let server = draining == 0 ? hops.api : hops.gateway
            let drained = Promise<Void, Never>()
            Reactor.spawn {
                await server.drain(within: .seconds(20))
                drained.succeed(())
            }
            // In order: the chunk of length 0 is there.
            _ = try await client.take(through: "0\r\n\r\n")
            try await eventually("the end of the stream") { hops.streams.count == 0 }
            // An idle connection is kept by who does not drain.
            client.close()
            _ = await drained.result
        }
    }

    @Test @ReactorActor func `one stream too many is refused as overload, and HEAD opens none`() async throws {
        try await withHops(limit: 1) { hops, endpoints in
            for endpoint in endpoints {
                let head = try await open(endpoint, "HEAD")
                defer { head.close() }
                let response = try await head.takeResponse(to: "HEAD")
                #expect(response.status == 200)
                #expect(response["content-type"] == "text/event-stream")
                try await eventually("no stream") { hops.streams.count == 0 }
            }
            let first = try await open(endpoints[0])
            defer { first.close() }
            _ = try await first.take(through: "\n\n")
            for endpoint in endpoints {
                let refused = try await request("GET", "/events", on: endpoint)
                #expect(refused.status == 503)
                #expect(refused["retry-after"] != nil)
            }
        }
    }
}
