internal import JSONWire
internal import Postgres
internal import Prices
internal import Reactor

/// The jobs as the database has them.
@ReactorActor
struct PollingJobs {
    let database: PostgresPool
    /// Most jobs at once.
    let maximum: Int

    private static let create = PostgresStatement(
        "select create_polling_job($1::text[], $2, $3, $4, clock_timestamp())"
    )
    private static let change = PostgresStatement("select change_polling_job($1, $2, $3, clock_timestamp())")
    private static let delete = PostgresStatement("delete from polling_jobs where id = $1")

    /// nil if there are too many.
    func create(_ job: NewPollingJob, deadline: Instant) async throws(PostgresError) -> PollingJobID? {
        let result = try await database.query(
            Self.create,
            [
                .array(job.symbols.lazy.map(\.text)), .int64(Int64(job.interval)),
                job.provider.map { .text($0) } ?? .null, .int64(Int64(maximum)),
            ],
            deadline: deadline
        )
        return result.int64(0, 0).map { PollingJobID(number: $0) }
    }

    /// Whether there is such a job.
    func change(_ change: PollingJobChange, deadline: Instant) async throws(PostgresError) -> Bool {
        let result = try await database.query(
            Self.change,
            [
                .int64(change.id.number), change.isPaused.map { .text($0 ? "true" : "false") } ?? .null,
                change.interval.map { .int64(Int64($0)) } ?? .null,
            ],
            deadline: deadline
        )
        return result.bool(0, 0) == true
    }

    /// Whether there was such a job.
    func delete(_ id: PollingJobID, deadline: Instant) async throws(PostgresError) -> Bool {
        try await database.query(Self.delete, [.int64(id.number)], deadline: deadline).affectedRows == 1
    }

    // MARK: Reading

    private static let columns = """
        id, array_to_json(symbols), interval_s, provider, paused, utc_text(next_run_at), utc_text(last_run_at), runs,
        failures, missed, skipped, last_error
        """
    private static let one = PostgresStatement(reading: "select \(columns) from polling_jobs where id = $1")
    private static let page = PostgresStatement(
        reading: "select \(columns) from polling_jobs where id > $1 order by id limit $2"
    )

    /// Those that fail come first.
    static let forOperators = PostgresStatement(
        reading: """
            select \(columns) from polling_jobs
            order by (last_error is not null and not paused) desc, id limit $1
            """
    )

    /// No row if there is none.
    func job(_ id: PollingJobID, deadline: Instant) async throws(PostgresError) -> PostgresResult {
        try await database.query(Self.one, [.int64(id.number)], deadline: deadline)
    }

    /// One more than the page has, if there is one more.
    func jobs(_ page: PollingJobPage, deadline: Instant) async throws(PostgresError) -> PostgresResult {
        try await database.query(
            Self.page,
            [.int64(page.after?.number ?? 0), .int64(Int64(page.limit + 1))],
            deadline: deadline
        )
    }

    /// A row, as clients see it.
    static func write(_ rows: PostgresResult, _ row: Int, to writer: inout JSONWriter) {
        let isPaused = rows.bool(row, 4) == true
        writer.object { writer in
            writer.member("job_id", PollingJobID(number: rows.int64(row, 0) ?? 0).description)
            writer.member("status", isPaused ? "paused" : "active")
            writer.key("config")
            writer.object { writer in
                writer.key("symbols")
                rows.withUTF8(row, 1) { writer.raw($0) }
                writer.member("interval", number: rows, row, 2)
            }
            writer.member("provider", text: rows, row, 3)
            writer.key("next_run_at")
            if !isPaused, let time = rows.text(row, 5) { writer.string(time) } else { writer.null() }
            writer.member("last_run_at", text: rows, row, 6)
            writer.member("runs", number: rows, row, 7)
            writer.member("failures", number: rows, row, 8)
            writer.member("missed", number: rows, row, 9)
            writer.member("skipped", number: rows, row, 10)
            writer.member("last_error", text: rows, row, 11)
        }
    }
}
