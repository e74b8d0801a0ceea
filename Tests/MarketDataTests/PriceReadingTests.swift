import JSONWire
import Postgres
import Prices
import Reactor
import TestSupport
import Testing
import WebAPI

@testable import MarketData

@Suite(.serialized) struct PriceReadingTests {
    init() { loop }

    private func request(_ target: String) throws -> RequestContent { try #require(RequestContent(target: target)) }

    private func fields(_ target: String, _ read: (RequestContent) throws(APIError) -> Void) throws -> [String] {
        let error = try #require(try request(target).refusal(read))
        return ["\(error.code.rawValue)"] + error.details.map(\.field)
    }

    @Test func `every fault of a question is named`() throws {
        #expect(
            try fields("/prices/history?from=1&to=2025-02-30&limit=0&after=x&page=1") { request throws(APIError) in
                _ = try HistoryQuestion(request)
            } == ["MISSING_PARAMETER", "symbol", "from", "to", "limit", "after", "page"]
        )
        #expect(
            try fields("/prices/bars?symbol=%20&interval=2m&from=2025-01-02&to=2025-01-01") {
                request throws(APIError) in _ = try BarQuestion(request)
            } == ["INVALID_DATE_RANGE", "symbol", "interval", "from"]
        )
    }

    private static let stretches: [(from: String, to: String, bars: Int64?)] = [
        ("2024-03-20T10:30:00Z", "2024-03-20T10:31:00Z", 1),
        ("2024-03-20T10:30:59Z", "2024-03-20T10:31:00.001Z", 2),
        ("2024-03-20T00:00:00Z", "2024-03-23T11:20:00Z", 5000),
        ("2024-03-20T00:00:00Z", "2024-03-23T11:20:00.001Z", nil),
        ("2024-03-20", "2024-03-20", 0),
        ("1969-12-31T23:58:59.5Z", "1969-12-31T23:59:00.5Z", 2),
    ]

    @Test(arguments: stretches) func `more than 5000 bars are refused`(
        _ stretch: (from: String, to: String, bars: Int64?)
    )
        throws
    {
        let request = try request("/prices/bars?symbol=A&interval=1m&from=\(stretch.from)&to=\(stretch.to)")
        guard let bars = stretch.bars else {
            #expect(throws: APIError.self) { try BarQuestion(request) }
            return
        }
        #expect(Int64(try BarQuestion(request).bars.count) == bars * 60)
    }

    @Test(arguments: ["1710930600000000-1", "-5-17", "0-0"])
    func `a position is read as it is written`(text: String) {
        #expect(PricePosition(text)?.description == text)
    }

    @Test(
        arguments: [
            "", "-", "1", "1-", "-1", "01-1", "1-+1", "+1-1", "9223372036854775807-1", "1--1-",
            "-9223372036854775808-1", "-210000000000000001-1",
        ]
    )
    func `what is no position is none`(text: String) {
        #expect(PricePosition(text) == nil)
    }

    @Test @ReactorActor func `pages of a history have each price once, however many have the same time`() async throws {
        let database = try await TestDatabase()
        try await database.execute(
            """
            insert into prices (symbol, recorded_at, price)
            select 'A', '2024-03-20T10:30:00.000001Z'::timestamptz + n / 10 * interval '1 s', n
            from generate_series(1, 35) as n;
            insert into prices (symbol, recorded_at, price) values ('B', '2024-03-20T10:30:00Z', 1)
            """
        )
        let pool = try await database.readyPool(connections: 2)
        defer { pool.close() }
        let reader = PriceReader(database: pool)
        var prices: [String] = []
        var after = ""
        repeat {
            let question = try HistoryQuestion(
                request("/prices/history?symbol=A&limit=4&from=2024-03-20&to=2024-03-20T10:30:03Z\(after)")
            )
            let rows = try await reader.history(question, deadline: soon)
            for row in 0..<min(4, rows.count) { prices.append(rows.text(row, 1) ?? "") }
            after = ""
            if rows.count > 4, let id = rows.int64(3, 5), let time = rows.int64(3, 6) {
                after = "&after=\(PricePosition(microseconds: time, id: id))"
            }
        } while !after.isEmpty
        #expect(prices == (1...29).reversed().map(String.init))
    }

    @Test @ReactorActor func `a bar is exact, and its first and last are by time and id`() async throws {
        let database = try await TestDatabase()
        try await database.execute(
            """
            insert into prices (symbol, recorded_at, price) values
                ('A', '2024-03-20T10:30:59.999999Z', 2.50),
                ('A', '2024-03-20T10:30Z', 3), ('A', '2024-03-20T10:30Z', 9),
                ('A', '2024-03-20T10:30:59.999999Z', 4.123456789), ('A', '2024-03-20T10:31:00Z', 100),
                ('A', '2024-03-20T10:29:59.999999Z', 100), ('A', '2024-03-20T11:00:00Z', 7)
            """
        )
        let pool = try await database.readyPool(connections: 2)
        defer { pool.close() }
        func bars(_ interval: String, _ from: String, _ to: String) async throws -> [String] {
            let question = try BarQuestion(
                request("/prices/bars?symbol=A&interval=\(interval)&from=\(from)&to=\(to)")
            )
            let rows = try await PriceReader(database: pool).bars(question, deadline: soon)
            return (0..<rows.count).map { row in (0..<6).map { rows.text(row, $0) ?? "null" }.joined(separator: " ") }
        }
        #expect(
            try await bars("1m", "2024-03-20T10:30:30Z", "2024-03-20T10:31:00Z")
                == ["2024-03-20T10:30:00Z 3 9 2.5 4.123456789 4"]
        )
        #expect(
            try await bars("1h", "2024-03-20", "2024-03-21")
                == ["2024-03-20T10:00:00Z 100 100 2.5 100 6", "2024-03-20T11:00:00Z 7 7 7 7 1"]
        )
        #expect(try await bars("1d", "2024-03-20", "2024-03-21") == ["2024-03-20T00:00:00Z 100 100 2.5 7 7"])
    }

    @Test @ReactorActor func `both are stretches of the index, and no price is sorted`() async throws {
        let database = try await TestDatabase()
        try await database.execute(
            """
            insert into prices (symbol, recorded_at, price)
            select 'S' || n % 100, '2024-03-20T10:30:00Z'::timestamptz + n * interval '1 s', 1 + n % 7
            from generate_series(1, 50000) as n;
            analyze prices
            """
        )
        let page = try await database.rows(
            """
            explain (costs off)
            select price from prices
            where symbol = 'S1' and recorded_at >= '2024-03-20T10:30Z'
                and (recorded_at, id) < ('2024-03-20T11:30Z'::timestamptz, 5::bigint)
            order by recorded_at desc, id desc limit 101
            """
        )
        .joined(separator: "\n")
        #expect(page.contains("Index Scan Backward using prices_symbol_recorded_at_id"), "\(page)")
        #expect(
            page.contains("ROW(recorded_at, id) <") && !page.contains("Filter") && !page.contains("Sort"),
            "\(page)"
        )
        try await database.execute(
            """
            set plan_cache_mode = force_generic_plan;
            prepare bars (text, bigint, bigint, bigint) as \(PriceReader.barStatement.sql)
            """
        )
        let bars = try await database.rows(
            "explain (costs off) execute bars ('S1', 60, 1710930600, 1710934200)"
        )
        .joined(separator: "\n")
        #expect(bars.split(separator: "Index Scan").count == 4, "\(bars)")
        #expect(bars.split(separator: "using prices_symbol_recorded_at_id on").count == 4, "\(bars)")
        #expect(bars.split(separator: "recorded_at >=").count == 4, "\(bars)")
        // Of the bars only.
        #expect(bars.split(separator: "Sort Key").map { $0.prefix { $0 != "\n" } }.dropFirst() == [": second.second"])
    }
}
