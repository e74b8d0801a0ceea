import Postgres
import Reactor
import TestSupport
import Testing

/// What `sql/0009_proxy_statistics.sql` forgets, on a real PostgreSQL; what it counts is tested with real processes.
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
        try await database.execute("select forget_proxied(5)")
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
            try await database.rows("select count(*) from pg_inherits where inhparent = 'proxied_requests'::regclass")
                == ["2"]
        )
        // What may still be repeated by the queue is remembered.
        #expect(try await database.rows("select count(*) from proxied_batches") == ["1"])
        try await database.execute("select forget_proxied(5)")
        #expect(try await database.rows("select count(*) from proxied_requests") == ["2"])
    }
}
