import JSONWire
import Reactor
import TestSupport
import Testing

extension EndToEndTests {
    /// CONTRACT §3, what is read from the tables.
    @Suite struct PriceReadingTests {
        private let system: System

        init() throws { system = try #require(RunningSystem.current) }

        @ReactorActor private func prepare(_ symbol: String) async throws {
            _ = try await system.sql(
                """
                select store_quotes(
                    '{yfinance,yfinance,yfinance}', array_fill('\(symbol)'::text, '{3}'), '{150.250,151,149.5}',
                    '{USD,NULL,USD}', '{2024-03-20T10:30:00Z,2024-03-20T10:30:00.5Z,2024-03-20T10:31:00Z}',
                    array_fill('2024-03-20T10:32:00Z'::timestamptz, '{3}'), array_fill('{}'::bytea, '{3}')
                )
                """
            )
        }

        @Test(arguments: Role.allCases) @ReactorActor
        func `a history is paged from the newest price on`(role: Role) async throws {
            let symbol = "H&\(role):^"
            try await prepare(symbol)
            let query = "symbol=H%26\(role)%3A%5E&limit=2"
            let first = try await system.ask(role, "/v1/prices/history/?\(query)")
            #expect(first.status == 200)
            #expect(
                first.body.hasPrefix(
                    """
                    {"data":[{"symbol":"\(symbol)","price":149.5,"timestamp":"2024-03-20T10:31:00Z",\
                    "provider":"yfinance","currency":"USD","fetched_at":"2024-03-20T10:32:00Z"},\
                    {"symbol":"\(symbol)","price":151,"timestamp":"2024-03-20T10:30:00.5Z","provider":"yfinance",\
                    "currency":null,"fetched_at":"2024-03-20T10:32:00Z"}],"next":"1710930600500000-
                    """
                )
            )
            let next = try #require(first.json?["next"]?.string)
            let second = try await system.ask(role, "/prices/history?\(query)&after=\(next)")
            #expect(second.json?["data"]?.array?.compactMap { $0["price"] } == [.number("150.25")])
            #expect(second.json?["next"] == .null)
            let none = try await system.ask(role, "/prices/history?symbol=none")
            #expect(none.body == #"{"data":[],"next":null}"#)
        }

        @Test(arguments: Role.allCases) @ReactorActor
        func `prices of any time are there, and times that are none are refused`(role: Role) async throws {
            _ = try await system.sql(
                """
                insert into prices (symbol, recorded_at, price)
                values ('^OLD_\(role)', '1950-01-03T21:00:00.5Z', 16.66)
                """
            )
            let old = try await system.ask(
                role,
                "/prices/bars?symbol=%5EOLD_\(role)&interval=1h&from=1950-01-03&to=1950-01-03T21:00:00.6Z"
            )
            #expect(
                old.body == """
                    {"data":[{"time":"1950-01-03T21:00:00Z","open":16.66,"high":16.66,"low":16.66,"close":16.66,\
                    "count":1}]}
                    """
            )
            let within = "from=1950-01-03T21:00:00.5Z&to=1950-01-03T21:00:00.500001Z"
            let found = try await system.ask(role, "/prices/history?symbol=%5EOLD_\(role)&\(within)")
            #expect(found.json?["data"]?.array?.count == 1)
            // At the ends of time, and beyond them.
            for (after, status) in [
                ("-210000000000000000-1", 200), ("1152921504606846975-9223372036854775807", 200),
                ("-9223372036854775808-1", 400), ("-210000000000000001-1", 400),
            ] {
                #expect(try await system.ask(role, "/prices/history?symbol=A&after=\(after)").status == status)
            }
            for to in ["9999-12-31T23:59:59-23:59", "0000-12-31"] {
                #expect(try await system.ask(role, "/prices/history?symbol=A&to=\(to)").status == 400)
                #expect(try await system.ask(role, "/api/statistics/?until=\(to)").status == 400)
            }
        }

        @Test(arguments: Role.allCases) @ReactorActor
        func `bars are computed from every price`(role: Role) async throws {
            let symbol = "B_\(role)"
            try await prepare(symbol)
            let answer = try await system.ask(
                role,
                "/prices/bars?symbol=\(symbol)&interval=1m&from=2024-03-20T10:30:00Z&to=2024-03-20T10:32:00Z"
            )
            #expect(
                answer.body == """
                    {"data":[{"time":"2024-03-20T10:30:00Z","open":150.25,"high":151,"low":150.25,"close":151,\
                    "count":2},\
                    {"time":"2024-03-20T10:31:00Z","open":149.5,"high":149.5,"low":149.5,"close":149.5,"count":1}]}
                    """
            )
            let tooMany = try await system.ask(
                role,
                "/prices/bars?symbol=\(symbol)&interval=1m&from=2024-03-20&to=2024-03-23T11:21:00Z"
            )
            #expect(tooMany.status == 400)
            #expect(tooMany.json?["code"] == "INVALID_DATE_RANGE")
        }

        @Test(arguments: Role.allCases) @ReactorActor
        func `every fault of a question is named at once`(role: Role) async throws {
            let answer = try await system.ask(role, "/prices/history?from=x&limit=0&page=1")
            #expect(answer.status == 400)
            #expect(
                answer.json?["details"]?.array?.compactMap { $0["field"]?.string } == [
                    "symbol", "from", "limit", "page",
                ]
            )
            #expect(try await system.ask(role, "/prices/bars").json?["code"] == "MISSING_PARAMETER")
        }

        @Test(arguments: Role.allCases) @ReactorActor
        func `a symbol without an average is not found`(role: Role) async throws {
            let answer = try await system.ask(role, "/prices/moving-average?symbol=NOBODY")
            #expect(answer.status == 404)
            #expect(answer.json?["code"] == "NOT_FOUND")
        }

        @Test(arguments: Role.allCases) @ReactorActor
        func `averages take every symbol that a provider may have`(role: Role) async throws {
            let answer = try await system.ask(
                role,
                "/prices/average?start_date=2024-03-20&end_date=2024-03-20&symbol=BINANCE%3ABTC_USDT%26"
            )
            #expect(answer.status == 200)
        }
    }
}
