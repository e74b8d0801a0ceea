internal import Postgres
internal import Reactor
internal import TaskQueue
internal import Tracing

/// What is said of a statement, as OpenTelemetry's "Semantic Conventions for Database Spans" 1.33 have it.
extension DailyAverages {
    /// Starts the span of one statement.
    ///
    /// - Parameters:
    ///   - spans: Of the requests that it serves, those whose traces are recorded.
    ///   - ranges: How many requests it serves.
    @ReactorActor
    static func span(
        serving spans: [TraceSpan],
        ranges: Int,
        _ statement: PostgresStatement,
        _ pool: PostgresPool
    ) -> TraceSpan? {
        let table =
            if statement === overAllSymbols {
                "daily_prices"
            } else if statement === byMonth {
                "monthly_prices"
            } else {
                "daily_symbol_prices"
            }
        guard let span = TraceSpan.child(ofAll: spans, "SELECT \(table)", .client) else { return nil }
        span.set("db.system.name", "postgresql")
        span.set("db.namespace", .text(pool.database))
        span.set("db.collection.name", .text(table))
        span.set("db.operation.name", "SELECT")
        span.set("db.query.text", .text(statement.sql))
        span.set("tickloop.ranges", .integer(ranges))
        return span
    }
}

extension TraceSpan {
    /// Ends the span of a statement.
    func end(with outcome: Result<PostgresResult, PostgresError>) {
        if case .failure(let error) = outcome {
            if case .server(let refusal) = error {
                set("db.response.status_code", .text(refusal.sqlState.code))
                fail(refusal.sqlState.code, "\(error)")
            } else {
                fail(AverageFailure.failure(for: error).code, "\(error)")
            }
        }
        end()
    }
}
