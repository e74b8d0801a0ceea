import Postgres
import Reactor
import TestSupport
import Testing

/// Which days prices can be of, whoever writes them (`sql/0023_days_of_prices.sql`).
@Suite struct DaysOfPricesTests {
    init() { loop }

    private static let isValid =
        "select convalidated from pg_constraint where conname = 'prices_recorded_at_is_in_range'"

    private static let days =
        "select day from daily_prices where day < '0002-01-01' or day > '9998-12-31' order by day"

    private func insert(_ time: String) -> String {
        "insert into prices (symbol, recorded_at, price) values ('A', '\(time)', 1)"
    }

    @ReactorActor
    private func refusal(_ statement: String, _ database: TestDatabase) async throws -> String? {
        let error = try await #require(throws: PostgresError.self) { try await database.execute(statement) }
        guard case .server(let refusal) = error else { throw error }
        return refusal.constraint
    }

    @Test @ReactorActor func `a price is of a day that an answer can name, in UTC, whatever the session's zone`()
        async throws
    {
        let database = try await TestDatabase()
        try await database.execute("set time zone 'America/New_York'")
        for time in ["0001-01-01 00:00Z", "0001-01-01 01:00+01", "9999-12-31 23:59:59.999999Z", "10000-01-01 00:59+01"]
        {
            try await database.execute(insert(time))
        }
        for time in [
            "0001-12-31 23:59:59.999999+00 BC", "0001-01-01 00:59+01", "10000-01-01 00:00Z", "9999-12-31 23:00-01",
            "4713-01-01 00:00+00 BC", "294276-12-31Z",
        ] {
            #expect(try await refusal(insert(time), database) == "prices_recorded_at_is_in_range", "\(time)")
        }
        #expect(
            try await refusal("update prices set recorded_at = recorded_at + interval '1 day'", database)
                == "prices_recorded_at_is_in_range"
        )
        #expect(try await database.rows(Self.isValid) == ["t"])
        #expect(try await database.rows(Self.days) == ["0001-01-01", "9999-12-31"])
    }

    @Test @ReactorActor func `prices of other days that are there already stay until somebody looks at them`()
        async throws
    {
        let database = try await TestDatabase(through: "0022_statistics_in_segments.sql")
        for time in ["0044-03-15 00:00+00 BC", "2025-01-06Z", "12025-01-06Z"] {
            try await database.execute(insert(time))
        }
        try await database.migrate(from: "0022_statistics_in_segments.sql")
        #expect(try await database.rows("select count(*) from prices where symbol = 'A'") == ["3"])
        #expect(try await database.rows(Self.isValid) == ["f"])
        #expect(try await refusal(insert("12025-01-06Z"), database) == "prices_recorded_at_is_in_range")

        // What the warning says.
        let others = "recorded_at < '0001-01-01Z' or recorded_at >= '10000-01-01Z'"
        #expect(try await database.rows("select count(*) from prices where \(others)") == ["2"])
        try await database.execute("update prices set recorded_at = '2025-01-07Z' where recorded_at >= '10000-01-01Z'")
        try await database.execute("delete from prices where \(others)")
        try await database.execute("alter table prices validate constraint prices_recorded_at_is_in_range")
        #expect(try await database.rows("select * from prices_rollup_differences()") == [])
    }

    @Test @ReactorActor func `prices that were there and are of such days are looked at once`() async throws {
        let database = try await TestDatabase(through: "0022_statistics_in_segments.sql")
        try await database.execute(insert("2025-01-06Z"))
        // A day that has no price any more counts for nothing.
        try await database.execute(insert("12025-01-06Z"))
        try await database.execute("delete from prices where recorded_at > '9999-12-31Z'")
        try await database.migrate(from: "0022_statistics_in_segments.sql")
        #expect(try await database.rows(Self.isValid) == ["t"])
    }
}
