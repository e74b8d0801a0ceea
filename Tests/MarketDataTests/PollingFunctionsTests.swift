import Postgres
import Reactor
import TestSupport
import Testing

@testable import MarketData

/// The decisions of polling, at times that the tests say.
@Suite(.serialized) struct PollingFunctionsTests {
    init() { loop }

    private static let first = "00000000-0000-4000-8000-000000000001"
    private static let second = "00000000-0000-4000-8000-000000000002"

    /// A job that is due every ten seconds, first at 00:00:06.
    private func prepare(_ database: TestDatabase) async throws {
        try await database.execute("select create_polling_job('{A,B}', 10, 'y', 1000, '2024-01-01Z')")
        try await database.execute("update polling_jobs set next_run_at = '2024-01-01 00:00:06Z'")
    }

    /// The due moments, in seconds, of what is begun at a second.
    private func claim(
        _ second: Int,
        _ owner: String = first,
        lease: String = "60 s",
        on database: TestDatabase
    ) async throws -> [String] {
        try await database.rows(
            """
            select extract(epoch from due_at - '2024-01-01Z')::int
            from claim_polling_jobs('\(owner)', '\(lease)', 10, '2024-01-01Z'::timestamptz + \(second) * interval '1 s')
            """
        )
    }

    private func finish(_ due: Int, _ owner: String = first, _ failures: Int = 0, on database: TestDatabase)
        async throws
        -> [String]
    {
        try await database.rows(
            """
            select finish_polling_run(
                1, '\(owner)', '2024-01-01Z'::timestamptz + \(due) * interval '1 s', \(failures),
                \(failures > 0 ? "'it failed'" : "null")
            )
            """
        )
    }

    private func counts(_ database: TestDatabase) async throws -> [String] {
        try await database.rows(
            """
            select
                extract(epoch from next_run_at - '2024-01-01Z')::int, runs, failures, missed, skipped, last_error
            from polling_jobs
            """
        )
    }

    @Test @ReactorActor func `a due moment is begun by one worker, and the next is counted from it`() async throws {
        let database = try await TestDatabase()
        try await prepare(database)
        #expect(try await claim(5, on: database) == [])
        #expect(try await claim(9, on: database) == ["6"])
        #expect(try await claim(9, Self.second, on: database) == [])
        #expect(try await finish(6, on: database) == ["t"])
        #expect(try await finish(6, on: database) == ["f"])
        #expect(try await claim(15, on: database) == [])
        #expect(try await claim(16, Self.second, on: database) == ["16"])
        #expect(try await finish(16, Self.second, 2, on: database) == ["t"])
        #expect(try await counts(database) == ["26|2|2|0|0|it failed"])
    }

    @Test @ReactorActor func `after a downtime a job runs once, and what it missed is counted`() async throws {
        let database = try await TestDatabase()
        try await prepare(database)
        #expect(try await claim(58, on: database) == ["56"])
        #expect(try await finish(56, on: database) == ["t"])
        #expect(try await counts(database) == ["66|1|0|5|0|null"])
    }

    @Test @ReactorActor func `what is due while the last run is under way is skipped`() async throws {
        let database = try await TestDatabase()
        try await prepare(database)
        #expect(try await claim(6, on: database) == ["6"])
        #expect(try await claim(27, Self.second, on: database) == [])
        #expect(try await finish(6, on: database) == ["t"])
        #expect(try await claim(36, on: database) == ["36"])
        #expect(try await finish(36, on: database) == ["t"])
        #expect(try await counts(database) == ["46|2|0|0|2|null"])
    }

    @Test @ReactorActor func `a run whose worker was lost has failed, and is not repeated`() async throws {
        let database = try await TestDatabase()
        try await prepare(database)
        #expect(try await claim(6, lease: "5 s", on: database) == ["6"])
        #expect(try await claim(16, Self.second, on: database) == ["16"])
        #expect(try await finish(6, on: database) == ["f"])
        #expect(try await finish(16, Self.second, on: database) == ["t"])
        #expect(try await counts(database) == ["26|2|1|0|0|the worker of a run was lost"])
    }

    @Test @ReactorActor func `a lease that is renewed lasts, one that has ended does not come back`() async throws {
        let database = try await TestDatabase()
        try await prepare(database)
        #expect(try await claim(6, lease: "5 s", on: database) == ["6"])
        func renew(_ second: Int) async throws -> [String] {
            try await database.rows(
                """
                select renew_polling_runs(
                    '\(Self.first)', '10 s', '2024-01-01Z'::timestamptz + \(second) * interval '1 s'
                )
                """
            )
        }
        #expect(try await renew(10) == ["1"])
        #expect(try await claim(16, Self.second, on: database) == [])
        #expect(try await renew(21) == [])
    }

    @Test @ReactorActor func `while a job is paused nothing is due, and nothing is missed`() async throws {
        let database = try await TestDatabase()
        try await prepare(database)
        func change(_ paused: String, _ interval: String, _ second: Int) async throws {
            try await database.execute(
                """
                select change_polling_job(
                    1, \(paused), \(interval), '2024-01-01Z'::timestamptz + \(second) * interval '1 s'
                )
                """
            )
        }
        try await change("true", "null", 1)
        #expect(try await claim(30, on: database) == [])
        try await change("false", "null", 30)
        #expect(try await claim(35, on: database) == [])
        #expect(try await claim(36, on: database) == ["36"])
        #expect(try await finish(36, on: database) == ["t"])
        #expect(try await counts(database) == ["46|1|0|0|0|null"])
        // So long after the last run, and not before now.
        try await change("null", "30", 40)
        #expect(try await counts(database) == ["66|1|0|0|0|null"])
        try await change("null", "1", 41)
        #expect(try await counts(database) == ["41|1|0|0|0|null"])
        #expect(try await database.rows("select change_polling_job(7, true, null, now())") == ["f"])
    }

    @Test @ReactorActor func `jobs of one interval that are made together are spread over it`() async throws {
        let database = try await TestDatabase()
        for _ in 0..<20 {
            try await database.execute("select create_polling_job('{A}', 60, null, 20, '2024-01-01Z')")
        }
        let largestGap = try await database.rows(
            """
            select max(gap) < 8 from (
                select extract(
                    epoch from next_run_at - lag(next_run_at, 1, '2024-01-01Z') over (order by next_run_at)
                ) as gap
                from polling_jobs
            ) as gaps
            """
        )
        #expect(largestGap == ["t"])
        #expect(try await database.rows("select create_polling_job('{A}', 60, null, 20, now()) is null") == ["t"])
    }
}
