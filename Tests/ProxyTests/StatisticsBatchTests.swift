import Postgres
import Reactor
import TestSupport
import Testing

@testable import Proxy

/// What a batch holds, on a real PostgreSQL, row by row.
@Suite struct StatisticsBatchTests {
    init() { loop }

    /// How a batch comes into the database.
    enum Way: CaseIterable {
        /// As this worker stores it.
        case columns
        /// As a worker of before stores it.
        case json

        @ReactorActor func store(_ batch: inout StatisticsBatch, number: Int, in database: TestDatabase) async throws {
            let text = String(decoding: batch.take(id: "0000000000000000000000000000000\(number)"), as: UTF8.self)
            guard self == .columns else {
                return try await database.execute("select record_proxied_batch($batch$\(text)$batch$)")
            }
            #expect(StatisticsColumns(text) != nil)
            let (statement, parameters) = StatisticsTask.query(storing: text)
            let pool = database.pool()
            defer { pool.close() }
            for isNew in ["t", "f"] {
                let result = try await pool.query(statement, parameters, deadline: Reactor.now + .seconds(60))
                #expect(result.text(0, 0) == isNew)
            }
        }
    }

    private static let rows = """
        select extract(epoch from created_at) * 1000 || ' ' || route || ' ' || origin || ' ' || path || ' '
            || status_code || ' ' || microseconds || ' ' || bucket
        from proxied_requests order by id
        """

    private static let requests = [
        // Two days, paths with what JSON and arrays quote, and one request of nearly an hour.
        CarriedRequest(unixTime: .milliseconds(1_600_000_000_123), "/", "http://a:1", "/", 200, .microseconds(7)),
        CarriedRequest(unixTime: .milliseconds(1_600_000_000_123), "/r/", "http://b", #"/"{,}\n'"#, 404, .zero),
        CarriedRequest(unixTime: .milliseconds(1_600_100_000_999), "/", "http://a:1", "/é/NULL", 503, .seconds(3000)),
        CarriedRequest(unixTime: .milliseconds(1_600_000_000_124), "/", "http://c", "/%2F", 101, .milliseconds(1)),
    ]

    @Test(arguments: Way.allCases)
    @ReactorActor func `every request of a batch becomes its row, and the next batch begins empty`(way: Way)
        async throws
    {
        let database = try await TestDatabase()
        var batch = StatisticsBatch()
        for (number, requests) in [Self.requests, [Self.requests[2]]].enumerated() {
            for request in requests { batch.append(request) }
            #expect(batch.requestCount == requests.count)
            try await way.store(&batch, number: number, in: database)
            #expect(batch.requestCount == 0)
            #expect(batch.byteCount == 0)
        }
        let expected = (Self.requests + [Self.requests[2]]).map { request in
            let microseconds = Int(request.duration / .microseconds(1))
            return "\(Int(request.unixTime / .milliseconds(1))).000000 \(request.source.route) "
                + "\(request.source.origin) \(request.path) \(request.status) \(microseconds) "
                + "\(LatencyBuckets.bucket(ofMicroseconds: microseconds))"
        }
        #expect(try await database.rows(Self.rows) == expected)
        let sums =
            "select width, sum(requests), sum(microseconds), max(longest) from proxied_sums_now group by 1 order by 1"
        let totals = "5|6000001007|3000000000"
        #expect(
            try await database.rows(sums) == ["00:01:00|\(totals)", "01:00:00|\(totals)", "1 day|\(totals)"]
        )
    }

    @Test @ReactorActor func `requests as objects, which an older gateway sends, are taken too, and once`() async throws
    {
        let database = try await TestDatabase()
        let object = #"{"t":1600000000123,"r":"/r/","o":"http://o","p":"/p","s":200,"m":7,"b":7}"#
        for way in ["record_proxied", "record_proxied_batch"] {
            let batch = """
                {"batch":"00000000000000000000000000000abc","rows":[\(object),\(object.replacing("/p", with: "/q"))]}
                """
            let isNew = try await database.rows("select \(way)('\(batch)')")
            #expect(isNew == [way == "record_proxied" ? "t" : "f"])
        }
        #expect(
            try await database.rows(Self.rows) == [
                "1600000000123.000000 /r/ http://o /p 200 7 7", "1600000000123.000000 /r/ http://o /q 200 7 7",
            ]
        )
    }

    @Test(arguments: Way.allCases)
    @ReactorActor func `a batch adds to the sums what its requests are, also of a route with several upstreams`(
        way: Way
    ) async throws {
        let database = try await TestDatabase()
        var random = SplitMix64(seed: 7)
        var batch = StatisticsBatch()
        for number in 0..<3 {
            for _ in 0..<1000 {
                batch.append(
                    CarriedRequest(
                        // Around midnight, so that all pieces end meanwhile.
                        unixTime: .milliseconds(1_600_041_600_000 + Int.random(in: -90_000...90_000, using: &random)),
                        ["/", "/r/"].randomElement(using: &random) ?? "",
                        "http://\(Int.random(in: 0...1, using: &random))",
                        "/\(Int.random(in: 0...9, using: &random))",
                        [101, 200, 204, 301, 404, 499, 502].randomElement(using: &random) ?? 0,
                        .microseconds(1 << Int.random(in: 0...40, using: &random))
                    )
                )
            }
            try await way.store(&batch, number: number, in: database)
        }
        let sums = try await database.rows(
            """
            select counted.*
            from (values (interval '1 minute'), (interval '1 hour'), (interval '1 day')) as widths (width),
            lateral (
                select width, date_bin(width, created_at, 'epoch'), route, status_code / 100, bucket, count(*),
                    sum(microseconds), max(microseconds)
                from proxied_requests group by 2, 3, 4, 5
            ) as counted order by 1, 2, 3, 4, 5
            """
        )
        let paths = try await database.rows(
            """
            select date_bin('1 hour', created_at, 'epoch'), route, path, count(*),
                count(*) filter (where status_code >= 400), sum(microseconds), max(microseconds)
            from proxied_requests group by 1, 2, 3 order by 1, 2, 3
            """
        )
        #expect(paths.count == 40)
        let read = """
            width, start, route, status_class, bucket, sum(requests), sum(microseconds), max(longest)
            from proxied_sums_now group by 1, 2, 3, 4, 5 order by 1, 2, 3, 4, 5
            """
        let readPaths = """
            start, route, path, sum(requests), sum(failures), sum(microseconds), max(longest)
            from proxied_paths_now group by 1, 2, 3 order by 1, 2, 3
            """
        #expect(try await database.rows("select \(read)") == sums)
        #expect(try await database.rows("select \(readPaths)") == paths)
        // Who comes twice adds nothing again.
        for _ in 0..<2 { try await database.execute("select roll_up_proxied()") }
        #expect(try await database.rows("select * from proxied_sums order by 1, 2, 3, 4, 5") == sums)
        #expect(try await database.rows("select * from proxied_paths order by 1, 2, 3") == paths)
        #expect(try await database.rows("select count(*) from proxied_pending") == ["0"])
        #expect(try await database.rows("select \(read)") == sums)
        #expect(
            try await database.rows("select route, origin, first_path, last_path from proxied_spans order by 1, 2")
                == ["/|http://0|/0|/9", "/|http://1|/0|/9", "/r/|http://0|/0|/9", "/r/|http://1|/0|/9"]
        )
    }

    @Test @ReactorActor func `of very many paths a batch names the busiest and the ends, and adds up the others`()
        async throws
    {
        let database = try await TestDatabase()
        var batch = StatisticsBatch()
        for number in 0..<3000 {
            for path in number < 20 ? ["/hot/\(number)", "/cold/\(number)"] : ["/cold/\(number)"] {
                let time = Duration.milliseconds(1_600_000_000_000 + number)
                batch.append(CarriedRequest(unixTime: time, "/", "http://a", path, 404, .microseconds(3)))
                if path.hasPrefix("/hot") {
                    batch.append(CarriedRequest(unixTime: time, "/", "http://a", path, 200, .microseconds(4)))
                }
            }
        }
        try await Way.columns.store(&batch, number: 1, in: database)
        let totals = "sum(requests), sum(failures), sum(microseconds), max(longest) from proxied_paths_now"
        #expect(try await database.rows("select \(totals)") == ["3040|3020|9140|4"])
        #expect(try await database.rows("select \(totals) where path like '/hot/%'") == ["40|20|140|4"])
        let named = try await database.rows("select count(*) from proxied_paths_now where path <> ''")
        #expect((1000...1002).contains(try #require(Int(named[0]))))
        #expect(
            try await database.rows("select first_path, last_path from proxied_spans_now") == ["/cold/0|/hot/9"]
        )
        #expect(
            try await database.rows("select sum(requests) from proxied_totals_of('/cold/', null, null)") == ["3000"]
        )
        #expect(try await database.rows("select sum(requests) from proxied_totals_of('/', null, null)") == ["3040"])
    }

    @Test(
        arguments: [
            (#""batch":"#, #""other":"#), (",3513143297}", "}"), (",3513143297}", ",,3513143297}"),
            (",3513143297}", ",3513143297,}"), ("{851648512,", "{,"), (",3513143297}", ",-1}"),
            (",3513143297}", ",9223372036854775808}"), (",3513143297}", ",99999999999999999999}"),
            (#""{851648512,3513143297}""#, "[851648512,3513143297]"), (#""{851648512,"#, #""851648512,"#),
            (#""{851648512,3513143297}""#, #""{}""#), ("{1,2}", "{1}"), ("{1,2}", "{1,2,2}"), ("{1,2}", "{0,1}"),
            ("{1,2}", "{1,3}"), ("{1,2}", "{1,65537}"), (#"["/a","/b"]"#, #"["/a"]"#), (#"["/a","/b"]"#, "null"),
            (#"["/a","/b"]"#, #"["/a",7]"#), (#""second":1736121600,"#, ""), (#""route":"/","#, ""), ("}]", "},{}]"),
            (#""sums":{}"#, #""sum":{}"#), (#","paths":{}}"#, "}"), ("}}", "}}x"), (#""segments":[{"#, #""rows":[{"#),
        ]
    )
    func `what is no batch in columns is left to the database to judge`(part: String, other: String) {
        let batch = """
            {"batch":"0123456789abcdef0123456789abcdef",\
            "segments":[{"second":1736121600,"route":"/","origin":"http://a",\
            "requests":"{851648512,3513143297}","path_numbers":"{1,2}","paths":["/a","/b"]}],"sums":{},"paths":{}}
            """
        #expect(StatisticsColumns(batch) != nil)
        #expect(StatisticsColumns(batch.replacing("3513143297", with: "\(Int.max)")) != nil)
        #expect(batch.contains(part))
        #expect(StatisticsColumns(batch.replacing(part, with: other)) == nil)
    }

    @Test @ReactorActor func `the bytes of a batch are told as it grows, and are not fewer than it has`() {
        var batch = StatisticsBatch()
        let empty = batch.take(id: "").count
        for request in Self.requests {
            let before = batch.byteCount
            batch.append(request)
            #expect(batch.byteCount > before)
        }
        let told = batch.byteCount
        let bytes = batch.take(id: "").count
        #expect((bytes...3 * bytes).contains(told + empty))
    }

    @Test(arguments: [1, 40, 300]) @ReactorActor
    func `many requests are told of for little more than they are`(differentPaths: Int) {
        var batch = StatisticsBatch()
        let empty = batch.take(id: "").count
        for number in 0..<2048 {
            let time = Duration.milliseconds(1_600_000_000_000 + number)
            let path = "/things/\(number % differentPaths)"
            let duration = Duration.microseconds(700 + 7 * number)
            batch.append(CarriedRequest(unixTime: time, "/", "http://127.0.0.1:8080", path, 200, duration))
        }
        let told = batch.byteCount
        let bytes = batch.take(id: "").count
        #expect((bytes...2 * bytes).contains(told + empty))
    }
}

extension CarriedRequest {
    fileprivate init(
        unixTime: Duration,
        _ route: String,
        _ origin: String,
        _ path: String,
        _ status: Int,
        _ duration: Duration
    ) {
        self.init(
            unixTime: unixTime,
            source: CarriedSource(route: route, origin: origin),
            path: path,
            status: status,
            duration: duration
        )
    }
}
