import Glibc
import JSONWire
import Reactor
import Supervision
import TestSupport
import Testing

extension System {
    /// A stream of prices, through a role.
    fileprivate func prices(_ role: Role, _ symbols: String, after id: String? = nil) async throws -> TestEventStream {
        try await TestEventStream("/prices/stream?symbols=\(symbols)", on: endpoint(role), lastEventID: id)
    }

    /// Stores a price as if a provider had brought it.
    fileprivate func storePrice(_ symbol: String, _ price: String, second: Int) async throws {
        try await sql(
            """
            select from store_quotes(
                '{yfinance}', '{"\(symbol)"}', '{\(price)}', '{USD}',
                array['2024-03-20T10:30:00Z'::timestamptz + \(second) * interval '1 s'], '{2024-03-20T10:31:00Z}',
                array['{}'::bytea]
            )
            """
        )
    }
}

extension EndToEndTests {
    /// CONTRACT §3: prices as they come.
    @Suite struct PriceStreamTests {
        private let system: System

        init() throws { system = try #require(RunningSystem.current) }

        @Test(arguments: Role.allCases) @ReactorActor
        func `a stream brings what is newest, then prices and averages as they change`(role: Role) async throws {
            let (one, other) = ("S1&\(role)", "S2_\(role)")
            try await system.storePrice(one, "100.50", second: 0)
            try await eventually("its average", within: .seconds(60)) {
                try await system.sql("select count(*) from symbol_averages where symbol = '\(one)'") == ["1"]
            }
            let stream = try await system.prices(role, "S1%26\(role),\(other),\(other)")
            defer { stream.close() }
            #expect(stream.head.status == 200)
            #expect(stream.head["content-type"] == "text/event-stream")
            let first = try await stream.next()
            #expect(first.type == "price")
            #expect(
                first.data == """
                    {"symbol":"\(one)","price":100.5,"timestamp":"2024-03-20T10:30:00Z","provider":"yfinance",\
                    "moving_average":100.5}
                    """
            )
            try await system.storePrice(other, "7", second: 0)
            #expect(try await stream.next().data.contains(#""symbol":"\#(other)","price":7,"#))
            try await system.storePrice(one, "101.5", second: 1)
            let changed = try await stream.next()
            #expect(changed.data.contains(#""price":101.5,"#))
            #expect(changed.data.hasSuffix(#""moving_average":101}"#))
            #expect((1000...5000).contains(stream.retry ?? 0))

            // Through the other role the ids are the same.
            let returned = try await system.prices(role == .gateway ? .api : .gateway, "S1%26\(role)", after: first.id)
            defer { returned.close() }
            var event = try await returned.next()
            while event != changed { event = try await returned.next() }
        }

        @Test(arguments: Role.allCases) @ReactorActor
        func `a stream of nothing, of too much, or from nowhere is refused`(role: Role) async throws {
            expectError(
                try await system.ask(role, "/prices/stream"),
                400,
                "MISSING_PARAMETER",
                fields: ["symbols"]
            )
            let many = (1...51).map { "S\($0)" }.joined(separator: ",")
            expectError(
                try await system.ask(role, "/prices/stream?symbols=\(many)&last_event_id=x&symbol=A"),
                400,
                "INVALID_PARAMETER",
                fields: ["symbols", "last_event_id", "symbol"]
            )
            let ahead = try await TestEventStream(
                "/v1/prices/stream/?symbols=NONE_\(role)&last_event_id=999999999999",
                on: system.endpoint(role)
            )
            defer { ahead.close() }
            #expect(try await ahead.next().type == "reset")
        }

        @Test @ReactorActor func `all streams of a gateway are told from one stream of the internal API`() async throws
        {
            func open(_ service: String) async throws -> Double {
                try await system.sum("tickloop_price_streams", of: service)
            }
            let before = try await open("gateway")
            var streams: [TestEventStream] = []
            for number in 1...20 { streams.append(try await system.prices(.gateway, "FAN,FAN\(number)")) }
            defer { for stream in streams { stream.close() } }
            #expect(try await open("gateway") >= before + 20)
            #expect(try await open("api") < 20)
            try await system.storePrice("FAN", "3.25", second: 0)
            var events: Set<TestEventStream.Event> = []
            for stream in streams { events.insert(try await stream.next()) }
            #expect(events.count == 1)
        }

        @Test @ReactorActor func `the page that shows them is there, and loads nothing from elsewhere`() async throws {
            let page = try await system.ask(.gateway, "/live")
            #expect(page.status == 200)
            #expect(page["content-type"]?.hasPrefix("text/html") == true)
            #expect(page["content-security-policy"]?.contains("default-src 'none'") == true)
            #expect(!page.body.contains("://"))
            for name in ["live.css", "live.js"] {
                let file = try await system.ask(.gateway, "/live/\(name)")
                #expect(file.status == 200)
                #expect(!file.body.contains("://"))
            }
        }
    }
}

extension FaultTests {
    @Test @ReactorActor func `streams of prices go on when the internal API or a worker is killed`() async throws {
        try await system.waitUntilReady()
        let stream = try await system.prices(.gateway, "KILLED")
        defer { stream.close() }
        var second = 0
        for victim in ["api-1", "worker-1"] {
            let pid = try system.signal(victim, SIGKILL)
            second += 1
            try await system.storePrice("KILLED", "\(second)", second: second)
            try await eventually("the price", within: .seconds(120)) {
                stream.takeAll().contains { $0.data.contains(#""price":\#(second),"#) }
            }
            #expect(!stream.isEnded)
            try await system.waitForSuccessor(of: pid, as: victim)
        }
        try await system.waitUntilReady()
    }
}
