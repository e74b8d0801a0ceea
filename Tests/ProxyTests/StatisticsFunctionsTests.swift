import Postgres
import Reactor
import TestSupport
import Testing

/// What the functions of statistics in `sql/` count and forget, on a real PostgreSQL.
@Suite struct StatisticsFunctionsTests {
    init() { loop }

    @Test @ReactorActor func `old days are dropped whole, with their sums, and the others stay`() async throws {
        let database = try await TestDatabase()
        try await database.execute(
            """
            select record_proxied(jsonb_build_object('batch', gen_random_uuid(), 'rows', jsonb_agg(jsonb_build_object(
                't', (extract(epoch from now() - days * interval '1 day') * 1000)::bigint,
                'r', '/r/', 'o', 'http://o', 'p', '/p', 's', 200, 'm', 1, 'b', 1
            ))))
            from unnest(array[0, 3, 6, 10]) as days;
            insert into proxied_batches (id, created_at) values (gen_random_uuid(), now() - interval '3 days');
            """
        )
        #expect(try await database.rows("select count(*) from proxied_requests") == ["4"])
        #expect(try await database.rows("select count(*) from proxied_batches") == ["2"])
        try await database.execute("select roll_up_proxied(); select forget_proxied(5)")
        #expect(
            try await database.rows(
                "select round(extract(epoch from now() - created_at) / 86400) from proxied_requests order by 1"
            ) == ["0", "3"]
        )
        #expect(
            try await database.rows("select width, sum(requests) from proxied_sums group by width order by width")
                == ["00:01:00|2", "01:00:00|2", "1 day|2"]
        )
        #expect(
            try await database.rows("select count(*) from pg_inherits where inhparent = 'proxied_segments'::regclass")
                == ["2"]
        )
        // What may still be repeated by the queue is remembered.
        #expect(try await database.rows("select count(*) from proxied_batches") == ["1"])
        try await database.execute("select forget_proxied(5)")
        #expect(try await database.rows("select count(*) from proxied_requests") == ["2"])
    }

    @Test @ReactorActor func `requests that were stored one by one are all there in segments`() async throws {
        let database = try await TestDatabase(through: "0021_statistics_in_columns.sql")
        // More of one second than a segment may have, and some of another day, route and upstream.
        try await record(
            """
            select 1600000000000 + i % 1000, '/r/', 'http://o', '/p/' || i % 7, 200 + i % 3
            from generate_series(1, 5000) as i
            union all
            select 1600100000000 + i * 777, '/', 'http://' || i % 2, '/"{}é', 404 from generate_series(1, 9) as i
            """,
            database
        )
        let requests = """
            select created_at, route, origin, path, status_code, microseconds, bucket
            from proxied_requests order by 1, 2, 3, 4, 5
            """
        let sums = "select * from proxied_totals('-infinity', '2020-09-13T12:26:40.5Z') order by 1, 2, 3"
        let stored = try await database.rows(requests)
        let counted = try await database.rows(sums)
        #expect(stored.count == 5009)
        try await database.migrate(from: "0021_statistics_in_columns.sql")
        #expect(try await database.rows(requests) == stored)
        #expect(try await database.rows(sums) == counted)
        #expect(try await database.rows("select count(distinct id) from proxied_requests") == ["5009"])
        #expect(try await database.rows("select count(*) from proxied_segments where route = '/r/'") == ["2"])
    }

    /// Records requests: `rows` says how many of each path, in a batch of its own.
    @ReactorActor
    private func record(_ rows: String, _ database: TestDatabase) async throws {
        try await database.execute(
            """
            select record_proxied(jsonb_build_object('batch', gen_random_uuid(), 'rows', jsonb_agg(jsonb_build_object(
                't', time, 'r', route, 'o', origin, 'p', path, 's', status, 'm', 5, 'b', 5
            )))) from (\(rows)) as rows (time, route, origin, path, status)
            """
        )
    }

    @Test @ReactorActor func `a summary by prefix is that of single requests, whatever the prefix divides`()
        async throws
    {
        let database = try await TestDatabase()
        for _ in 1...5 {
            // The last one is pending.
            try await database.execute("select roll_up_proxied()")
            try await record(
                """
                select 1600000000000 + (random() * 90000000)::bigint, '/' || kind || '/',
                    'http://' || case when kind = 'c' then 'o1' else 'o' end || ((random() * 2)::int),
                    '/' || kind || '/' || (random() * 30)::int || repeat('é', (random() * 2)::int), 200
                from unnest(array['a', 'b', 'ba', 'c']) as kind, generate_series(1, 60)
                """,
                database
            )
        }
        let prefixes = [
            "/", "/a", "/a/", "/a/1", "/b", "/b/", "/b/2", "/ba/30", "/c/3é", "/d", "/~", "http", "http://o",
            "http://o1", "http://o1/", "http://o1/a/", "http://o1/b", "http://o12/c/", "http://p", "x",
        ]
        for prefix in prefixes {
            for (since, until) in [("null", "null"), ("'2020-09-13T13:00:00Z'", "'2020-09-13T22:01:02Z'")] {
                for route in ["null", "'/b/'"] {
                    let found = try await database.rows(
                        "select coalesce(sum(requests), 0) from "
                            + "proxied_totals_of('\(prefix)', \(since), \(until), \(route))"
                    )
                    let truth = try await database.rows(
                        """
                        select count(*) from proxied_requests
                        where starts_with(
                                case when '\(prefix)' like '/%' then path else origin || path end, '\(prefix)'
                            )
                            and created_at >= coalesce(\(since)::timestamptz, '-infinity')
                            and created_at < coalesce(\(until)::timestamptz, 'infinity')
                            and route = coalesce(\(route), route)
                        """
                    )
                    #expect(found == truth, "\(prefix) \(since) \(route)")
                }
            }
        }
    }

    @Test @ReactorActor func `however many paths there are, an hour knows the busiest by name, and none is lost`()
        async throws
    {
        let database = try await TestDatabase()
        // Longer than an index could hold, and one that is asked for most.
        try await record(
            """
            select 1600000000000, '/r/', 'http://o', case when i % 3 = 0 then '/r/hot' else '/r/' || i end, 200
            from generate_series(1, 900) i
            union all select 1600000000000, '/r/', 'http://o', '/r/' || repeat('x', 9000), 500
            """,
            database
        )
        let named = "select count(*) from proxied_paths where path <> ''"
        let all = "select sum(requests), sum(failures), sum(microseconds), max(longest) from proxied_paths"
        try await database.execute("select roll_up_proxied()")
        #expect(try await database.rows(named) == ["601"])
        for round in 1...3 {
            try await record(
                "select 1600000000001, '/r/', 'http://o', '/r/\(round)/' || i, 200 from generate_series(1, 500) i",
                database
            )
            try await database.execute("select roll_up_proxied()")
        }
        #expect(try await database.rows(named) == ["1000"])
        #expect(try await database.rows(all) == ["2401|1|12005|5"])
        // A path that has its place is counted there also when there is no room.
        try await record(
            "select 1600000000002, '/r/', 'http://o', '/r/hot', 404 from generate_series(1, 9)",
            database
        )
        try await database.execute("select roll_up_proxied()")
        #expect(
            try await database.rows("select requests, failures from proxied_paths where path = '/r/hot'") == ["309|9"]
        )
        for _ in 1...2 {
            try await database.execute("select fold_proxied_paths()")
            #expect(try await database.rows(named) == ["100"])
            #expect(try await database.rows(all) == ["2410|10|12050|5"])
            #expect(
                try await database.rows("select path from proxied_paths order by path = '', requests desc limit 1")
                    == ["/r/hot"]
            )
        }
        #expect(try await database.rows("select count(*) from proxied_requests where path like '/r/xx%'") == ["1"])
    }
}
