import JSONWire
import Reactor
import Supervision
import TestSupport
import Testing

/// CONTRACT §3: the latest price, from the gateway to a provider and back.
@Suite(.serialized) struct LatestPriceTests {
    init() { loop }

    /// A system of its own and its simulator.
    @ReactorActor
    private struct Market {
        let system: System
        let simulator: Endpoint
        let redis: String

        init(_ settings: [String: String] = [:]) async throws {
            let settings = settings.merging(["TICKLOOP_LOGGING_LEVEL": "debug"]) { one, _ in one }
            system = try await System(ownsServers: false, settings: settings)
            let environment = UpEnvironment(system.environmentFile)
            simulator = try #require(environment.endpoint("TICKLOOP_SIMULATOR_URL"))
            redis = try #require(environment["TICKLOOP_REDIS_URL"])
        }

        func latest(_ query: String, on role: Role = .gateway) async throws -> TestResponse {
            try await system.ask(role, "/prices/latest?\(query)")
        }

        func behave(_ body: String, _ provider: String = "yfinance") async throws {
            let response = try await request(
                "PUT",
                "/providers/\(provider)/behaviour",
                on: simulator,
                fields: ["Content-Type: application/json"],
                body: body
            )
            #expect(response.status == 200, "\(response.body)")
        }

        func calls(_ symbol: String, _ provider: String = "yfinance") async throws -> Int {
            let response = try await request("GET", "/providers/calls", on: simulator)
            let json = try JSONValue(parsing: response.body, limits: JSONLimits(bytes: 1 << 20))
            return json[provider]?[symbol]?.integer ?? 0
        }
    }

    @Test @ReactorActor func `a price is asked for once, stored with its answer and its event, and kept`() async throws
    {
        let market = try await Market()
        try await market.behave(#"{"prices":{"AAPL":"150.25"}}"#)
        let first = try await market.latest("symbol=AAPL")
        #expect(first.status == 200, "\(first.body)")
        #expect(first["x-cache"] == "MISS")
        #expect(first["age"] == "0")
        let json = try JSONValue(parsing: first.body, limits: JSONLimits(bytes: 4096))
        #expect(json.object?.members.map(\.name) == ["symbol", "price", "timestamp", "provider"])
        #expect(json["price"] == .number("150.25"))
        #expect(json["provider"] == "yfinance")
        #expect(json["timestamp"]?.string.map { $0.utf8.count == 20 && $0.hasSuffix("Z") } == true)
        for role in Role.allCases {
            let again = try await market.latest("symbol=AAPL&provider=yfinance", on: role)
            #expect(again.body == first.body)
            #expect(again["x-cache"] == "HIT")
            #expect(again["age"].flatMap { Int($0) }.map { $0 < 60 } == true)
        }
        #expect(try await market.calls("AAPL") == 1)
        let stored = try await market.system.sql(
            """
            select p.price, p.provider, p.currency, r.symbol, convert_from(r.body, 'UTF8') like '%150.25%'
            from prices p join raw_responses r on r.id = p.raw_response_id
            where p.symbol = 'AAPL' and p.provider is not null
            """
        )
        #expect(stored == ["150.25|yfinance|USD|AAPL|t"])
        try await market.system.stop()
    }

    @Test @ReactorActor func `symbols of any spelling go from the query to the provider`() async throws {
        let market = try await Market()
        let symbols = ["M&M.NS", "^GSPC", "EURUSD=X", "BINANCE:BTCUSDT", "BRK-B", "a_b"]
        for provider in ["yfinance", "alpha_vantage", "finnhub"] {
            for symbol in symbols {
                let escaped = symbol.utf8.map { "%\(String($0, radix: 16))" }.joined()
                let response = try await market.latest("symbol=\(escaped)&provider=\(provider)")
                #expect(response.status == 200, "\(provider) \(symbol): \(response.body)")
                #expect(try await market.calls(symbol, provider) == 1)
            }
        }
        try await market.system.stop()
    }

    @Test @ReactorActor func `concurrent misses make one call`() async throws {
        let market = try await Market()
        try await market.behave(#"{"latency_ms":300}"#)
        var answers: [Promise<TestResponse?, Never>] = []
        for number in 0..<20 {
            let answer = Promise<TestResponse?, Never>()
            answers.append(answer)
            let role: Role = number.isMultiple(of: 2) ? .gateway : .api
            Reactor.spawn { answer.succeed(try? await market.latest("symbol=MSFT", on: role)) }
        }
        var bodies: Set<String> = []
        for answer in answers {
            let response = await answer.result.get()
            #expect(response?.status == 200)
            bodies.insert(response?.body ?? "")
        }
        #expect(bodies.count == 1)
        #expect(try await market.calls("MSFT") == 1)
        try await market.system.stop()
    }

    @Test @ReactorActor func `several processes that miss one price at a time make one call`() async throws {
        let market = try await Market()
        let environment = UpEnvironment(market.system.environmentFile)
        let other = Endpoint.tcp(host: "127.0.0.1", port: try FreePort.choose())
        var settings = ["TICKLOOP_SERVER_LISTEN": other.description]
        for name in ["TICKLOOP_DATABASE_URL", "TICKLOOP_REDIS_URL", "TICKLOOP_SIMULATOR_URL"] {
            settings[name] = environment[name]
        }
        let process = try TickloopProcess(["api"], environment: settings, folder: packageFolder)
        try await eventually("another API", within: .seconds(60)) {
            (try? await request("GET", "/ready", on: other).status) == 200
        }
        try await market.behave(#"{"latency_ms":300}"#)
        let endpoints = [market.system.endpoint(.api), other]
        for round in 1...3 {
            let answers = (0..<20).map { number in
                let answer = Promise<TestResponse?, Never>()
                Reactor.spawn {
                    let target = "/prices/latest?symbol=ROUND\(round)"
                    answer.succeed(try? await request("GET", target, on: endpoints[number % 2]))
                }
                return answer
            }
            for answer in answers { #expect(await answer.result.get()?.status == 200) }
            #expect(try await market.calls("ROUND\(round)") == 1)
        }
        process.send(15)
        _ = try await process.waitForEnd(within: .seconds(60))
        try await market.system.stop()
    }

    @Test @ReactorActor func `several symbols are answered one by one`() async throws {
        let market = try await Market()
        try await market.behave(#"{"symbols":{"BAD":"unknown","ODD":"page"}}"#)
        let response = try await market.latest("symbol=AAPL,BAD,MSFT,ODD,AAPL")
        #expect(response.status == 200)
        #expect(response["x-cache"] == "MISS")
        let json = try JSONValue(parsing: response.body, limits: JSONLimits(bytes: 1 << 16))
        #expect(json["data"]?.array?.map { $0["symbol"]?.string } == ["AAPL", "MSFT"])
        #expect(json["missing"]?.array?.map { $0["symbol"]?.string } == ["BAD", "ODD"])
        #expect(json["missing"]?.array?.map { $0["code"]?.string } == ["NOT_FOUND", "UPSTREAM_ERROR"])
        try await market.system.stop()
    }

    @Test @ReactorActor func `refusals of requests and failures of providers are what the contract says`() async throws
    {
        let market = try await Market(["TICKLOOP_PROVIDERS_YFINANCE_TIMEOUT_MS": "500"])
        let answers = [
            "unknown": "404 NOT_FOUND", "zero": "404 NOT_FOUND", "page": "502 UPSTREAM_ERROR",
            "text": "502 UPSTREAM_ERROR",
            "server_error": "502 UPSTREAM_ERROR", "cut": "502 UPSTREAM_ERROR", "huge": "502 UPSTREAM_ERROR",
            "hang": "504 UPSTREAM_TIMEOUT",
        ]
        let symbols = answers.keys.map { "\"\($0)\":\"\($0)\"" }.joined(separator: ",")
        try await market.behave("{\"symbols\":{\(symbols)}}")
        for (symbol, expected) in answers.sorted(by: { $0.key < $1.key }) {
            let response = try await market.latest("symbol=\(symbol)")
            let code = try JSONValue(parsing: response.body, limits: JSONLimits(bytes: 4096))["code"]?.string ?? ""
            #expect("\(response.status) \(code)" == expected, "\(symbol)")
        }
        // An unknown symbol is remembered.
        _ = try await market.latest("symbol=unknown")
        #expect(try await market.calls("unknown") == 1)
        let other = try await market.latest("symbol=AAPL&provider=xx")
        #expect(other.status == 400)
        #expect(other.body.contains(#""code":"INVALID_PARAMETER","message":"Provider 'xx' not supported.""#))
        for query in ["", "symbol=", "symbol=A%20B", "symbol=AAPL,,MSFT", "symbol=AAPL&symbol=MSFT", "symbol=A&x=1"] {
            #expect(try await market.latest(query).status == 400, "\(query)")
        }
        #expect(try await market.latest("symbol=\((0...50).map { "S\($0)" }.joined(separator: ","))").status == 400)
        // Refused: for this symbol, and then for every other.
        try await market.behave(#"{"symbols":{"NEW":"refused_for_30_s"}}"#)
        for symbol in ["NEW", "AAPL"] {
            let response = try await market.latest("symbol=\(symbol)")
            #expect(response.status == 503)
            #expect(response["retry-after"].flatMap { Int($0) }.map { $0 > 20 && $0 <= 30 } == true)
        }
        #expect(try await market.calls("AAPL") == 0)
        try await market.system.stop()
    }

    @Test @ReactorActor func `a provider that fails is a line of the log, and not one for each request`() async throws {
        let market = try await Market()
        try await market.behave(#"{"answer":"page"}"#)
        for number in 1...20 { #expect(try await market.latest("symbol=S\(number)").status == 502) }
        try await market.system.stop()
        let said = market.system.lines.filter { $0.contains("no price from a provider") }
        #expect((1...3).contains(said.count), "\(said)")
    }

    @Test @ReactorActor func `a price that was stored is given in place of a failure`() async throws {
        let market = try await Market(["TICKLOOP_CACHE_LATEST_TTL_S": "0"])
        let first = try await market.latest("symbol=AAPL")
        #expect(first["x-cache"] == "MISS")
        for answer in ["server_error", "unknown", "before_first_trade", "refused"] {
            try await market.behave("{\"answer\":\"\(answer)\"}")
            let stale = try await market.latest("symbol=AAPL")
            #expect(stale.status == 200, "\(answer): \(stale.body)")
            #expect(stale["x-cache"] == "STALE")
            #expect(stale["age"].flatMap { Int($0) } != nil)
            #expect(stale.body == first.body)
        }
        // Too old.
        try await market.system.sql(
            "update prices set fetched_at = now() - interval '2 hours' where provider = 'yfinance'"
        )
        #expect(try await market.latest("symbol=AAPL").status == 503)
        try await market.system.stop()
    }

    @Test @ReactorActor func `the next provider is asked where the first has no price`() async throws {
        let market = try await Market(["TICKLOOP_PRICES_PROVIDERS": "yfinance,finnhub"])
        try await market.behave(#"{"answer":"server_error"}"#)
        let response = try await market.latest("symbol=AAPL")
        #expect(response.body.contains(#""provider":"finnhub""#), "\(response.body)")
        #expect(try await market.latest("symbol=AAPL&provider=yfinance").status == 502)
        try await market.behave(#"{"answer":"unknown"}"#, "finnhub")
        #expect(try await market.latest("symbol=NEW").status == 502)
        try await market.behave(#"{"answer":"unknown"}"#)
        #expect(try await market.latest("symbol=NEW2").status == 404)
        try await market.system.stop()
    }

    @Test @ReactorActor func `a budget is shared, and used up it is 503`() async throws {
        let market = try await Market(["TICKLOOP_PROVIDERS_YFINANCE_BUDGET_PER_DAY": "3"])
        for symbol in ["A", "B", "C"] { #expect(try await market.latest("symbol=\(symbol)").status == 200) }
        let response = try await market.latest("symbol=D")
        #expect(response.status == 503)
        #expect(response["retry-after"].flatMap { Int($0) }.map { $0 >= 1 } == true)
        #expect(try await market.calls("D") == 0)
        let metrics = try await market.system.metrics(of: market.system.endpoint(.api))
        #expect(metrics.faults == [])
        #expect(metrics.value("tickloop_provider_budget_left", ["provider": "yfinance", "window": "day"]) == 0)
        #expect(
            metrics.value("tickloop_provider_answers_total", ["provider": "yfinance", "verdict": "price"]) == 3
        )
        try await market.system.stop()
    }

    @Test @ReactorActor func `a key is in nothing that is kept or shown`() async throws {
        let key = "k3y-that-nobody-may-see"
        let market = try await Market([
            "TICKLOOP_PROVIDERS_ALPHA_VANTAGE_API_KEY": key, "TICKLOOP_PROVIDERS_FINNHUB_API_KEY": key,
            "TICKLOOP_PROVIDERS_YFINANCE_API_KEY": key, "TICKLOOP_PROVIDERS_ALPHA_VANTAGE_TIMEOUT_MS": "300",
            "TICKLOOP_LOGGING_ACCESS_SAMPLE": "1.0",
        ])
        var seen: [String] = []
        for provider in ["yfinance", "alpha_vantage", "finnhub"] {
            for answer in ["price", "page", "hang", "cut", "unknown", "refused"] {
                try await market.behave("{\"answer\":\"\(answer)\"}", provider)
                seen.append(try await market.latest("symbol=\(answer)&provider=\(provider)").body)
            }
        }
        for role in Role.allCases {
            seen.append(try await request("GET", "/metrics", on: market.system.endpoint(role)).body)
        }
        seen += try await market.system.sql("select convert_from(body, 'UTF8') from raw_responses")
        seen += try await market.system.tool("config", "show", "api").lines
        try await market.system.stop()
        // The simulator gets the key, and is not ours.
        seen += market.system.lines.filter { !$0.hasPrefix("simulator") }
        #expect(seen.contains { $0.contains("no price from a provider") })
        #expect(seen.filter { $0.contains(key) } == [])
    }
}
