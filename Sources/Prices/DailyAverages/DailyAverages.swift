public import Postgres
public import Reactor
public import Tracing

/// Answers requests for daily averages from the rollups, many at a time.
///
/// How it came to this shape, in server CPU time per range of 1 to 30 days (PostgreSQL 15, `pgbench -M prepared`):
///
/// | statement | µs |
/// |---|---|
/// | one per range, a row per day (`day, average`), to be made JSON by the worker | 54 |
/// | one per range, stored JSON elements joined by the server | 55 |
/// | one for 8 ranges, joined / a row per day | 18 / 23 |
/// | one for 32 ranges, joined / joined from `day` and `average` / a row per day | 11 / 16 / 16 |
///
/// What costs is the statement, not the row: a batch shares it, and the worker copies bytes instead of building them.
/// Long ranges read most days joined by month, a row instead of thirty: one of 730 days takes 0.11 ms in a batch of 8,
/// where a row a day takes 0.29 ms; what is left is mostly the sending of 36 kB. Symbols have no months: so many would
/// cost their writers more than the few long ranges of one symbol would gain.
@ReactorActor
public enum DailyAverages {
    /// Bounds of one statement, so that a few long ranges do not keep many short ones waiting.
    nonisolated static let rangesPerStatementMax = 64
    nonisolated static let daysPerStatementMax = 8192

    /// Days in whole months from which on reading by month costs less: three months. It pays for two more scans.
    nonisolated static let daysByMonthMin = 89

    /// Answers requests; those that wait together share statements.
    ///
    /// - Parameters:
    ///   - spans: The spans of the requests whose traces are recorded, by position. A statement that serves any of them
    ///     is a span too, and names it in a comment; the others stay prepared.
    ///   - deadline: When the caller stops waiting for any of them.
    ///   - answer: Called exactly once for each request, by its position, as soon as its statement is done: with the
    ///     whole body of the response, `{"data":[…]}`, or why there is none.
    public static func answer(
        _ requests: [AverageRequest],
        spans: [Int: TraceSpan] = [:],
        from pool: PostgresPool,
        deadline: Instant,
        _ answer: @escaping @ReactorActor (Int, Result<[UInt8], PostgresError>) -> Void
    ) {
        for batch in batches(of: requests) {
            let statement = statement(for: requests[batch[0]])
            let parameters = parameters(of: statement, for: batch.map { requests[$0] })
            let span = span(serving: batch.compactMap { spans[$0] }, ranges: batch.count, statement, pool)
            pool.query(statement, parameters, comment: span?.sqlComment, deadline: deadline) { outcome in
                span?.end(with: outcome)
                switch outcome {
                case .success(let result): deliver(result, batch, answer)
                case .failure(let error): for index in batch { answer(index, .failure(error)) }
                }
            }
        }
    }

    private static func parameters(
        of statement: PostgresStatement,
        for requests: [AverageRequest]
    ) -> [PostgresParameter] {
        var parameters: [PostgresParameter] = [
            .dates(requests.map(\.range.first.daysSince2000)), .dates(requests.map(\.range.last.daysSince2000)),
        ]
        if statement === byMonth {
            let months = requests.map(\.range.daysOfWholeMonths)
            parameters += [.dates(months.map(\.lowerBound)), .dates(months.map(\.upperBound))]
        } else if statement === ofOneSymbolEach {
            parameters.append(.array(requests.compactMap(\.symbol?.text)))
        }
        return parameters
    }

    private static func deliver(
        _ result: PostgresResult,
        _ batch: [Int],
        _ answer: (Int, Result<[UInt8], PostgresError>) -> Void
    ) {
        precondition(result.count == batch.count, "one row for each range")
        for row in 0..<result.count {
            // WITH ORDINALITY counts from 1. By number, because rows come in no promised order without a sort.
            guard let number = result.int64(row, 0) else { preconditionFailure("a row without a number") }
            var body: [UInt8] = []
            result.append(row, 1, to: &body)
            answer(batch[Int(number) - 1], .success(body))
        }
    }

    /// The one that answers a request.
    nonisolated private static func statement(for request: AverageRequest) -> PostgresStatement {
        if request.symbol != nil { return ofOneSymbolEach }
        return request.range.daysOfWholeMonths.count < daysByMonthMin ? overAllSymbols : byMonth
    }

    /// Splits requests into statements: by which of them it takes, and within the bounds above.
    ///
    /// - Returns: Positions, each exactly once, in order within a batch.
    nonisolated static func batches(of requests: [AverageRequest]) -> [[Int]] {
        var batches: [[Int]] = []
        for statement in [overAllSymbols, byMonth, ofOneSymbolEach] {
            var batch: [Int] = []
            var days = 0
            for (index, request) in requests.enumerated() where self.statement(for: request) === statement {
                let isFull = batch.count == rangesPerStatementMax || days + request.range.dayCount > daysPerStatementMax
                if isFull, !batch.isEmpty {
                    batches.append(batch)
                    batch = []
                    days = 0
                }
                batch.append(index)
                days += request.range.dayCount
            }
            if !batch.isEmpty { batches.append(batch) }
        }
        return batches
    }
}

// MARK: - SQL

extension DailyAverages {
    /// `$1`, `$2`: the first and last days of the ranges. One row for each: its number from 1, and the body.
    ///
    /// Each range is one scan of the primary key. string_agg() takes the days as the subquery sorts them, and passes
    /// over the null of a day whose last price was deleted.
    nonisolated static let overAllSymbols = PostgresStatement(
        reading: """
            select number, (
                select '{"data":[' || coalesce(string_agg(average_json, ','), '') || ']}'
                from (
                    select average_json from daily_prices
                    where day between first and last
                    order by day
                ) as days
            )
            from unnest($1::date[], $2::date[]) with ordinality as ranges (first, last, number)
            """
    )

    /// The same for long ranges; `$3`, `$4`: the first days of the first whole month, and of the month after the last.
    ///
    /// The days before, the months, the days after: concat_ws() passes over those of the three that have none.
    nonisolated static let byMonth = PostgresStatement(
        reading: """
            select number, '{"data":[' || concat_ws(',', (
                select string_agg(average_json, ',')
                from (
                    select average_json from daily_prices
                    where day >= first and day < months_start
                    order by day
                ) as days
            ), (
                select string_agg(averages_json, ',')
                from (
                    select averages_json from monthly_prices
                    where month >= months_start and month < months_end
                    order by month
                ) as months
            ), (
                select string_agg(average_json, ',')
                from (
                    select average_json from daily_prices
                    where day >= months_end and day <= last
                    order by day
                ) as days
            )) || ']}'
            from unnest($1::date[], $2::date[], $3::date[], $4::date[])
                with ordinality as ranges (first, last, months_start, months_end, number)
            """
    )

    /// The same as the first for one symbol each; `$3`: the symbols.
    nonisolated static let ofOneSymbolEach = PostgresStatement(
        reading: """
            select number, (
                select '{"data":[' || coalesce(string_agg(average_json, ','), '') || ']}'
                from (
                    select average_json from daily_symbol_prices
                    where symbol = wanted and day between first and last
                    order by day
                ) as days
            )
            from unnest($1::date[], $2::date[], $3::text[]) with ordinality as ranges (first, last, wanted, number)
            """
    )
}
