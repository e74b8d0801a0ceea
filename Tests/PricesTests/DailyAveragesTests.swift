import JSONWire
import Postgres
import Reactor
import Supervision
import TestSupport
import Testing

@testable import Prices

@Suite struct DailyAveragesTests {
    init() { loop }

    @ReactorActor
    private func request(_ first: String, _ last: String, _ symbol: String? = nil) throws -> AverageRequest {
        let first = try #require(CalendarDate(first))
        let last = try #require(CalendarDate(last))
        return AverageRequest(
            range: try #require(DateRange(first: first, last: last)),
            symbol: symbol.flatMap { Symbol($0) }
        )
    }

    /// The bodies, in the order of the requests.
    @ReactorActor
    private func answers(_ requests: [AverageRequest], from pool: PostgresPool) async throws -> [String] {
        let tasks = HandlerRun(requests.map(\.taskArguments))
        AverageTaskHandler(pool, logger: HandlerRun.quiet).start(tasks.contexts)
        return try await tasks.results().map { String(decoding: try $0.get(), as: UTF8.self) }
    }

    @Test @ReactorActor func `the sample prices are answered as the contract shows`() async throws {
        let database = try await TestDatabase()
        let script = try #require(Files.text("\(packageFolder)/sql/\(SamplePrices.path)"))
        #expect(try await SamplePrices.load(script, on: database.session, deadline: soon))
        let pool = database.pool()
        defer { pool.close() }
        let requests = try [
            request("2025-01-06", "2025-01-07"), request("2025-01-01", "2025-01-31", "AAPL"),
            request("2025-01-08", "2025-01-31"), request("2025-01-06", "2025-01-06", "aapl"),
        ]
        #expect(
            try await answers(requests, from: pool) == [
                #"{"data":[{"date":"2025-01-06","average_price":100.38},"#
                    + #"{"date":"2025-01-07","average_price":102.75}]}"#,
                #"{"data":[{"date":"2025-01-01","average_price":101.05},{"date":"2025-01-02","average_price":102.45},"#
                    + #"{"date":"2025-01-03","average_price":99.433333},{"date":"2025-01-04","average_price":104.7},"#
                    + #"{"date":"2025-01-05","average_price":97.4},{"date":"2025-01-06","average_price":100.38},"#
                    + #"{"date":"2025-01-07","average_price":102.75}]}"#,
                #"{"data":[]}"#, #"{"data":[]}"#,
            ]
        )

        #expect(
            try await database.rows("select count(distinct day) > 400, count(distinct symbol) from daily_symbol_prices")
                == ["t|5"]
        )
        #expect(try await database.rows("select count(*) from prices where recorded_at < '2016-03-01Z'") == ["0"])
        #expect(try await database.differences() == [])

        let count = try await database.rows("select count(*) from prices")
        #expect(try await !SamplePrices.load(script, on: database.session, deadline: soon))
        #expect(try await database.rows("select count(*) from prices") == count)
    }

    @Test @ReactorActor func `a day whose last price is deleted is left out, and a late price is in the next answer`()
        async throws
    {
        let database = try await TestDatabase()
        let pool = database.pool()
        defer { pool.close() }
        let days = try [request("2025-01-01", "2025-01-09"), request("2025-01-01", "2025-01-09", "A")]
        try await database.execute(
            "insert into prices (symbol, recorded_at, price) values ('A', '2025-01-02Z', 1), ('B', '2025-01-03Z', 2)"
        )
        #expect(
            try await answers(days, from: pool) == [
                #"{"data":[{"date":"2025-01-02","average_price":1},{"date":"2025-01-03","average_price":2}]}"#,
                #"{"data":[{"date":"2025-01-02","average_price":1}]}"#,
            ]
        )
        try await database.execute("delete from prices where symbol = 'A'")
        #expect(
            try await answers(days, from: pool) == [
                #"{"data":[{"date":"2025-01-03","average_price":2}]}"#, #"{"data":[]}"#,
            ]
        )
        try await database.execute("insert into prices (symbol, recorded_at, price) values ('A', '2025-01-01Z', 9)")
        #expect(
            try await answers(days, from: pool) == [
                #"{"data":[{"date":"2025-01-01","average_price":9},{"date":"2025-01-03","average_price":2}]}"#,
                #"{"data":[{"date":"2025-01-01","average_price":9}]}"#,
            ]
        )
    }

    @Test @ReactorActor func `each of many requests gets its own answer`() async throws {
        let database = try await TestDatabase()
        let pool = database.pool()
        defer { pool.close() }
        // Nearly three years; some days without prices, one whole month among them.
        try await database.execute(
            """
            insert into prices (symbol, recorded_at, price)
            select 'S' || number % 3, timestamptz '2023-01-15Z' + number * interval '1 day', number
            from generate_series(0, 1000) as number;
            delete from prices where price % 19 = 0 or price_month(price_day(recorded_at)) = '2024-02-01'
            """
        )
        var random = SplitMix64(seed: 7)
        let dates = try await database.rows("select date '2023-01-15' + number from generate_series(0, 1000) as number")
        let priced = Set(try await database.rows("select price from prices"))
        var requests: [AverageRequest] = []
        var expected: [String] = []
        for number in 0..<600 {
            // Ranges of all lengths, most of them long enough to hold whole months.
            let first = Int.random(in: 0...1000, using: &random)
            let last = min(1000, first + Int.random(in: 0...(number.isMultiple(of: 2) ? 150 : 1000), using: &random))
            let symbol = number.isMultiple(of: 3) ? Int.random(in: 0..<3, using: &random) : 3
            requests.append(try request(dates[first], dates[last], symbol == 3 ? nil : "S\(symbol)"))
            let days = (first...last).filter { (symbol == 3 || $0 % 3 == symbol) && priced.contains("\($0)") }
            expected.append(
                "{\"data\":["
                    + days.map { "{\"date\":\"\(dates[$0])\",\"average_price\":\($0)}" }.joined(separator: ",") + "]}"
            )
        }
        #expect(try await answers(requests, from: pool) == expected)
    }

    @Test(arguments: [DailyAverages.overAllSymbols, DailyAverages.ofOneSymbolEach])
    @ReactorActor func `a range is one scan of the key, and reads no other day`(statement: PostgresStatement)
        async throws
    {
        let database = try await TestDatabase()
        try await database.execute(
            """
            insert into prices (symbol, recorded_at, price)
            select 'S' || symbol, timestamptz '2020-01-01Z' + day * interval '1 day', 1
            from generate_series(0, 999) as day, generate_series(0, 9) as symbol;
            analyze
            """
        )
        let result = try await database.session.query(
            "explain (analyze, costs off, timing off, summary off) \(statement.sql)",
            ["{2020-02-01}", "{2020-02-20}"] + (statement === DailyAverages.ofOneSymbolEach ? ["{S3}"] : []),
            deadline: soon
        )
        let plan = (0..<result.count).compactMap { result.text($0, 0) }
        let scans = plan.filter { $0.contains("Scan") && $0.contains("daily_") }
        #expect(scans.count == 1)
        #expect(
            scans.allSatisfy {
                $0.contains("Index Scan using daily_") && $0.contains("_pkey") && $0.contains("rows=20 ")
            }
        )
        #expect(!plan.contains { $0.contains("Rows Removed by Filter") })
    }

    @Test @ReactorActor func `a long range reads whole months, and only the days around them`() async throws {
        let database = try await TestDatabase()
        try await database.execute(
            """
            insert into prices (symbol, recorded_at, price)
            select 'A', timestamptz '2018-01-01Z' + day * interval '1 day', 1.125 from generate_series(0, 2999) as day;
            analyze
            """
        )
        let result = try await database.session.query(
            "explain (analyze, costs off, timing off, summary off) \(DailyAverages.byMonth.sql)",
            ["{2020-01-15}", "{2022-01-14}", "{2020-02-01}", "{2022-01-01}"],
            deadline: soon
        )
        let plan = (0..<result.count).compactMap { result.text($0, 0) }
        let scans = plan.filter { $0.contains("Index Scan using") && $0.contains("_pkey") }
        #expect(plan.filter { $0.contains("Scan") && $0.contains("ly_") }.count == 3)
        #expect(scans.count == 3)
        for (scan, read) in zip(
            scans,
            ["daily_prices (actual rows=17 ", "monthly_prices (actual rows=23 ", "rows=14 "]
        ) {
            #expect(scan.contains(read))
        }
        #expect(!plan.contains { $0.contains("Rows Removed by Filter") })
    }

    @Test func `requests are split by symbol, by length, by number and by days`() throws {
        let day = try #require(CalendarDate("2025-01-01"))
        let later = try #require(CalendarDate("2034-12-31"))
        let one = AverageRequest(range: try #require(DateRange(first: day, last: day)))
        let long = AverageRequest(range: try #require(DateRange(first: day, last: later)))
        let named = AverageRequest(range: one.range, symbol: Symbol("A"))

        func batches(_ requests: [AverageRequest]) -> [[Int]] {
            var waiting = Array(requests.enumerated())
            var batches: [[Int]] = []
            while !waiting.isEmpty {
                batches.append(DailyAverages.takeBatch(from: &waiting, \.element).map(\.offset))
            }
            return batches
        }
        var none: [AverageRequest] = []
        #expect(DailyAverages.takeBatch(from: &none, \.self).isEmpty)
        #expect(batches([one, named, one]) == [[0, 2], [1]])
        #expect(batches(Array(repeating: one, count: 150)).map(\.count) == [64, 64, 22])
        #expect(batches([one, long, long, one, named, long]) == [[0, 3], [1, 2], [4], [5]])
        let whole = AverageRequest(
            range: try #require(CalendarDate("9999-12-31").flatMap { DateRange(first: day, last: $0) })
        )
        #expect(batches([whole, one, whole]) == [[0], [1], [2]])
    }

    @Test func `a task's arguments are read as they were written`() throws {
        let day = try #require(CalendarDate("2025-01-06"))
        let range = try #require(DateRange(first: day, last: day))
        for request in [AverageRequest(range: range), AverageRequest(range: range, symbol: Symbol("^GSPC"))] {
            #expect(AverageRequest(taskArguments: request.taskArguments) == request)
            // Members may come in any order, and with white space.
            #expect(AverageRequest(taskArguments: " " + request.taskArguments) == request)
        }
        #expect(
            AverageRequest(range: range, symbol: Symbol("A")).taskArguments
                == #"{"start_date":"2025-01-06","end_date":"2025-01-06","symbol":"A"}"#
        )
    }

    @Test(arguments: [
        "", "x", "[]", "{}", #"{"start_date":"2025-01-06"}"#, #"{"start_date":"2025-01-32","end_date":"2025-02-06"}"#,
        #"{"start_date":"2025-01-06","end_date":"2025-01-07",}"#,
        #"{"start_date":"2025-01-06","end_date":"2025-01-07"}}"#,
        #"{"start_date":"2025-01-07","end_date":"2025-01-06"}"#,
        #"{"start_date":"2025-01-06","end_date":20250106}"#,
        #"{"start_date":"2025-01-06","end_date":"2025-01-06","symbol":""}"#,
        #"{"start_date":"2025-01-06","end_date":"2025-01-06","symbol":null}"#,
        #"{"start_date":"2025-01-06","end_date":"2025-01-06","page":1}"#,
        #"{"start_date":"2025-01-06","end_date":"2025-01-06","symbol":"A","page":1}"#,
    ])
    func `other arguments are none`(arguments: String) {
        #expect(AverageRequest(taskArguments: arguments) == nil)
    }
}
