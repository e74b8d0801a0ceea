import Postgres
import Reactor
import TestSupport
import Testing

@testable import Proxy

/// How requests are packed into segments, by the gateway and by the database, on a real PostgreSQL.
@Suite struct PackedStatisticsTests {
    init() { loop }

    /// How requests came before they were packed.
    enum Form: String, CaseIterable {
        case arrays
        case segments
        case columns
        case objects

        /// Stores what is in the table `carried`.
        var sql: String {
            switch self {
            case .arrays:
                """
                select record_proxied_batch(
                    '00000000000000000000000000000abc', (select array_agg(second order by segment) from segments),
                    (select array_agg(route order by segment) from segments),
                    (select array_agg(origin order by segment) from segments),
                    (select array_agg(count order by segment) from segments),
                    array_agg(ms::smallint order by n), array_agg(path order by n),
                    array_agg(status::smallint order by n), array_agg(duration order by n),
                    array_agg(0::smallint order by n), '{}', '{}'
                ) from carried
                """
            case .segments:
                """
                select record_proxied_batch(json_build_object(
                    'batch', '00000000000000000000000000000abc', 'segments', json_agg(segment order by number),
                    'sums', json_build_object('minutes', array_agg(second)), 'paths', '{}'::json
                )) from (
                    select segment as number, min(second) as second, json_build_object(
                        'second', min(second), 'route', min(route), 'origin', min(origin),
                        'milliseconds', array_agg(ms order by n)::text, 'paths', array_agg(path order by n),
                        'status_codes', array_agg(status order by n)::text,
                        'durations', array_agg(duration order by n), 'buckets', array_agg(0)
                    ) as segment from carried group by 1
                ) as each
                """
            case .columns:
                """
                select record_proxied_batch(json_build_object(
                    'batch', '00000000000000000000000000000abc',
                    'routes', (select array_agg(route order by segment) from segments),
                    'origins', (select array_agg(origin order by segment) from segments),
                    'source', array_agg(segment), 't', array_agg(second * 1000 + ms), 'p', array_agg(path),
                    's', array_agg(status), 'm', array_agg(duration), 'b', array_agg(0)
                )) from carried
                """
            case .objects:
                """
                select record_proxied(jsonb_build_object(
                    'batch', '00000000000000000000000000000abc', 'rows', jsonb_agg(jsonb_build_object(
                        't', second * 1000 + ms, 'r', route, 'o', origin, 'p', path, 's', status, 'm', duration, 'b', 0
                    ))
                )) from carried
                """
            }
        }
    }

    /// A segment that is full, one whose paths all differ, and one on another day that took longer than there is room
    /// for.
    private static let carried = """
        create temporary table carried as select row_number() over () as n, * from (
            select 1 as segment, 1600000000::bigint as second, i * 1000 / 4096 as ms, '/' as route,
                'http://a' as origin, '/p/' || i % 7 as path, 200 + i % 3 as status, i::bigint * i as duration
            from generate_series(0, 4095) as i
            union all
            select 2, 1600000000, i, '/r/', 'http://b', '/"''{,}é' || i, 404, 812 from generate_series(0, 999) as i
            union all
            select 3, 1600100000, 999, '/', 'http://a', '/', 503, 1::bigint << 50
        ) as made;
        create temporary view segments as
        select segment, second, route, origin, count(*)::integer from carried group by 1, 2, 3, 4;
        """

    @Test(arguments: Form.allCases, [nil, "0025_statistics_in_arrays.sql"])
    @ReactorActor func `what was not packed when it came is, whenever that was`(form: Form, schema: String?)
        async throws
    {
        let database = try await TestDatabase(through: schema)
        try await database.execute(Self.carried)
        #expect(try await database.rows(form.sql) == ["t"])
        #expect(try await database.rows(form.sql) == ["f"])
        let ids = "select id, created_at, path from proxied_requests order by 1"
        let before = try await database.rows(ids)
        #expect(before.count == 5097)
        if let schema {
            try await database.migrate(from: schema)
            #expect(try await database.rows(form.sql) == ["f"])
            #expect(try await database.rows(ids) == before)
        }
        let columns = "route, origin, path, status_code, microseconds, bucket"
        let carried = try await database.rows(
            """
            select to_timestamp(second) + ms * interval '1 ms', route, origin, path, status, kept, proxied_bucket(kept)
            from carried cross join lateral least(duration, (1::bigint << 43) - 1) as kept order by n
            """
        )
        let stored = try await database.rows("select created_at, \(columns) from proxied_requests order by id")
        #expect(stored.sorted() == carried.sorted())
        // These keep the order in which requests came.
        if form == .arrays || form == .segments { #expect(stored == carried) }
        let segments = "select cardinality(requests), cardinality(paths), status_codes from proxied_segments order by 1"
        #expect(try await database.rows(segments) == ["1|1|{503}", "1000|1000|{404}", "4096|7|{200,201,202}"])
        let external = """
            select count(*) from pg_attribute
            where attrelid = 'proxied_segments_20200914'::regclass and attstorage = 'e' and not attisdropped
            """
        #expect(try await database.rows(external) == ["3"])
    }

    @Test @ReactorActor func `SQL has the gateway's buckets, also at their ends`() async throws {
        let database = try await TestDatabase()
        let ends = (0...52).flatMap { octave in (16..<32).map { ($0 << octave) >> 4 } }
        let durations = Set((0...4096) + ends.flatMap { [$0 - 1, $0, $0 + 1] } + [CarriedSegment.microsecondsMax])
        let array = "'{\(durations.map(String.init).joined(separator: ","))}'::bigint[]"
        let found = try await database.rows("select d, proxied_bucket(d) from unnest(\(array)) as d")
        #expect(Set(found) == Set(durations.map { "\($0)|\(LatencyBuckets.bucket(ofMicroseconds: $0))" }))
    }

    @Test(arguments: StatisticsBatchTests.Way.allCases)
    @ReactorActor func `segments of a batch have paths of their own, and all that a request is has its limits`(
        way: StatisticsBatchTests.Way
    ) async throws {
        let database = try await TestDatabase()
        var batch = StatisticsBatch()
        var expected: [String] = []
        for number in 0..<2000 {
            // In turns, so that each segment has its part of what the next ones have in other places.
            let (kind, time) = (number % 3, 1_600_000_000_000 + number % 2 * 999)
            let path = "/\(kind == 0 ? number : number % 5)"
            let (status, days) = (number % 7 == 0 ? 599 : 100, number % 11 == 0 ? 300 : 100)
            batch.append(
                CarriedRequest(
                    unixTime: .milliseconds(time),
                    source: CarriedSource(route: "/\(kind)", origin: "http://o"),
                    path: path,
                    status: status,
                    duration: .seconds(days * 86_400)
                )
            )
            let microseconds = min(days * 86_400_000_000, (1 << 43) - 1)
            expected.append("/\(kind)|\(time).000000|\(path)|\(status)|\(microseconds)")
        }
        try await way.store(&batch, number: 1, in: database)
        let rows = try await database.rows(
            "select route, extract(epoch from created_at) * 1000, path, status_code, microseconds from proxied_requests"
        )
        #expect(rows.sorted() == expected.sorted())
        let segments = "select route, cardinality(paths), cardinality(status_codes) from proxied_segments order by 1"
        #expect(try await database.rows(segments) == ["/0|667|2", "/1|5|2", "/2|5|2"])
        let sums = "sum(microseconds), max(longest) from proxied_sums_now where width = '1 day'"
        let truth = "sum(microseconds), max(microseconds) from proxied_requests"
        #expect(try await database.rows("select \(sums)") == database.rows("select \(truth)"))
    }
}
