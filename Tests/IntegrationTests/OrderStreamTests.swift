import Glibc
import JSONWire
import Reactor
import Supervision
import TestSupport
import Testing

extension System {
    /// A stream of orders, through a role.
    fileprivate func stream(_ role: Role, _ target: String = "/orders/stream", after id: String? = nil) async throws
        -> TestEventStream
    {
        try await TestEventStream(target, on: endpoint(role), lastEventID: id)
    }

    /// The position of the newest event.
    fileprivate func lastPosition() async throws -> Int {
        Int(try await sql("select coalesce(max(position), 0) from order_events")[0]) ?? 0
    }

    /// Whether these are all positions from behind one on, up to the last of them, each once and in order.
    func areAll(_ positions: [Int], after start: Int) async throws -> Bool {
        guard let last = positions.last else { return false }
        let stored = "select count(*) from order_events where position > \(start) and position <= \(last)"
        return try await sql(stored) == ["\(positions.count)"]
            && zip([start] + positions, positions).allSatisfy { $0 < $1 }
    }

    /// Stores many orders at once, behind the back of the services.
    fileprivate func storeOrders(_ count: Int) async throws {
        try await sql(
            """
            select from submit_orders(
                array(select gen_random_uuid() from generate_series(1, \(count))),
                array_fill(date_trunc('milliseconds', now()), array[\(count)]),
                array_fill('market'::text, array[\(count)]), array_fill('buy'::text, array[\(count)]),
                array_fill('DE000A0Q4RZ3'::text, array[\(count)]), array_fill(null::numeric, array[\(count)]),
                array_fill(1::bigint, array[\(count)]), array_fill(null::timestamptz, array[\(count)]),
                array_fill(null::text, array[\(count)]), array_fill(null::text, array[\(count)])
            )
            """
        )
    }
}

extension TestEventStream.Event {
    fileprivate var position: Int { Int(id) ?? 0 }
    fileprivate var json: JSONValue? { try? JSONValue(parsing: data, limits: JSONLimits(bytes: 1 << 20)) }
}

extension EndToEndTests {
    @Suite struct OrderStreamTests {
        private let system: System

        init() throws { system = try #require(RunningSystem.current) }

        @Test(arguments: Role.allCases) @ReactorActor
        func `a stream brings what is stored after a position, then what happens, each event once`(role: Role)
            async throws
        {
            try await system.storeOrders(700)
            let start = try await system.lastPosition() - 700
            let stream = try await system.stream(role, after: "\(start)")
            defer { stream.close() }
            #expect(stream.head["content-type"] == "text/event-stream")
            #expect(stream.head["x-accel-buffering"] == "no")
            var positions: [Int] = []
            while positions.count < 700 { positions.append(try await stream.next().position) }
            // From now on by those who tell at once, and by those who leave no word.
            let id = try #require((try await system.order(role)).json?["id"]?.string)
            try await system.storeOrders(3)
            var ids: [String] = []
            // What the relay says of other orders comes in between.
            while positions.count < 704 || !ids.contains(id) {
                let event = try await stream.next()
                positions.append(event.position)
                #expect(event.type == "order")
                #expect(event.json?["position"] == .number(event.id))
                ids.append(event.json?["order_id"]?.string ?? "")
            }
            #expect(try await system.areAll(positions, after: start))
            #expect((1000...5000).contains(stream.retry ?? 0))
        }

        @Test(arguments: Role.allCases) @ReactorActor
        func `a client that returns gets what it missed, without a gap and without a double`(role: Role) async throws {
            var last = "\(try await system.lastPosition())"
            let start = try #require(Int(last))
            var positions: [Int] = []
            for round in 1...4 {
                let target = round.isMultiple(of: 2) ? "/v1/orders/stream/?last_event_id=\(last)" : "/orders/stream"
                let stream = try await system.stream(role, target, after: round.isMultiple(of: 2) ? nil : last)
                for _ in 1...3 {
                    #expect(try await system.order(role).status == 201)
                    positions.append(try await stream.next().position)
                }
                last = positions.last.map { "\($0)" } ?? last
                stream.close()
                #expect(try await system.order(role).status == 201)
            }
            let stream = try await system.stream(role, after: last)
            defer { stream.close() }
            while positions.count < 16 { positions.append(try await stream.next().position) }
            #expect(positions.count == 16)
            #expect(try await system.areAll(positions, after: start))
        }

        @Test(arguments: Role.allCases) @ReactorActor
        func `the stream of one order has its events and no others`(role: Role) async throws {
            let id = try #require(try await system.order(role).json?["id"]?.string)
            let stream = try await system.stream(role, "/orders/\(id)/stream")
            defer { stream.close() }
            #expect(try await stream.next().json?["type"] == "OrderSubmitted")
            _ = try await system.order(role)
            #expect(try await system.ask(role, "/orders/\(id)", "DELETE").status == 200)
            let event = try await stream.next()
            #expect(event.json?["type"] == "OrderCancelled")
            #expect(event.json?["order_id"]?.string == id)
            let history = try await system.ask(role, "/orders/\(id)/events").json?["data"]?.array
            #expect(history?.last == event.json)

            let resumed = try await system.stream(role, "/orders/\(id)/stream", after: event.id)
            defer { resumed.close() }
            try await eventually("its beginning") {
                _ = resumed.takeAll()
                return resumed.retry != nil
            }
            #expect(resumed.takeAll() == [])
            let nobody = try await system.ask(role, "/orders/01a1fd76-c4ba-78d7-ac0f-73e05585ea05/stream")
            expectError(nobody, 404, "NOT_FOUND")
            expectError(try await system.ask(role, "/orders/nothing/stream"), 404, "NOT_FOUND")
            let faulty = try await system.ask(role, "/orders/stream?last_event_id=x&after=1")
            expectError(faulty, 400, "INVALID_PARAMETER", fields: ["last_event_id", "after"])
        }

        @Test(arguments: Role.allCases) @ReactorActor
        func `a client with a position that there has never been is reset, and gets everything`(role: Role) async throws
        {
            let id = try #require(try await system.order(role).json?["id"]?.string)
            for (target, first) in [("/orders/stream", nil), ("/orders/\(id)/stream", id)] {
                let stream = try await system.stream(role, target, after: "9007199254740000")
                defer { stream.close() }
                let reset = try await stream.next()
                #expect((reset.type, reset.id, reset.data) == ("reset", "0", "{}"))
                let event = try await stream.next()
                #expect(event.type == "order")
                if let first { #expect(event.json?["order_id"]?.string == first) } else { #expect(event.position == 1) }
            }
        }

        @Test(arguments: Role.allCases) @ReactorActor
        func `a client that reads slowly gets everything at its pace`(role: Role) async throws {
            try await system.storeOrders(20_000)
            let start = try await system.lastPosition() - 20_000
            let stream = try await system.stream(role, after: "\(start)")
            defer { stream.close() }
            var positions = [try await stream.next().position]
            stream.setReading(false)
            for _ in 1...3 { #expect(try await system.order(role).status == 201) }
            stream.setReading(true)
            try await eventually("all events", within: .seconds(60)) {
                positions += stream.takeAll().map(\.position)
                return positions.count > 20_003
            }
            #expect(try await system.areAll(positions, after: start))
        }

        @Test @ReactorActor func `clients that leave are forgotten on both hops`() async throws {
            // Without streams of prices: a gateway keeps its own for a while, for clients that come back. Both counts
            // are of one page, because such a stream may end between two.
            func open() async throws -> [Double] {
                var counts: [Double] = []
                for role in Role.allCases {
                    let metrics = try await system.metrics(of: system.endpoint(role))
                    let all = try #require(metrics.value("tickloop_http_streams"))
                    counts.append(all - (metrics.value("tickloop_price_streams") ?? 0))
                }
                return counts
            }
            // Those of the tests before.
            try await eventually("the end of other streams") { try await open() == [0, 0] }
            var streams: [TestEventStream] = []
            for _ in 1...5 { streams.append(try await system.stream(.gateway, after: "0")) }
            try await eventually("the streams on both hops") { try await open() == [5, 5] }
            for stream in streams { stream.close() }
            try await eventually("the end of the streams") { try await open() == [0, 0] }
        }
    }
}

extension FaultTests {
    @Test @ReactorActor func `streams go on without a gap and without a double when the internal API is killed`()
        async throws
    {
        try await system.waitUntilReady()
        let start = try await system.lastPosition()
        let reader = ReturningReader(system, after: start)
        reader.start()
        for signal in [SIGKILL, SIGTERM] {
            for _ in 1...5 { #expect(try await system.order(.gateway).status == 201) }
            let pid = try system.signal("api-1", signal)
            try await system.waitForSuccessor(of: pid, as: "api-1")
            for _ in 1...5 { #expect(try await system.order(.gateway).status == 201) }
        }
        let end = try await system.lastPosition()
        try await eventually("all events") { reader.positions.last == end }
        reader.isOver = true
        #expect(try await system.areAll(reader.positions, after: start))
        #expect(reader.connections >= 3)
        try await eventually("the reader's end") { reader.hasEnded }
    }
}

/// Reads the stream of all orders, and comes back as a browser does.
@ReactorActor
private final class ReturningReader {
    private(set) var positions: [Int] = []
    private(set) var connections = 0
    private(set) var hasEnded = false
    var isOver = false
    private let system: System
    private var last: String

    init(_ system: System, after position: Int) {
        self.system = system
        last = "\(position)"
    }

    func start() {
        Reactor.spawn { [self] in
            while !isOver {
                if let stream = try? await system.stream(.gateway, after: last) {
                    if stream.head.status == 200 { connections += 1 }
                    while !isOver, stream.head.status == 200, !stream.isEnded {
                        positions += stream.takeAll().map(\.position)
                        last = positions.last.map { "\($0)" } ?? last
                        try? await Reactor.sleep(for: .milliseconds(5))
                    }
                    stream.close()
                }
                try? await Reactor.sleep(for: .milliseconds(50))
            }
            hasEnded = true
        }
    }
}
