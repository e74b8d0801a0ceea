internal import Postgres
internal import Reactor

/// How requests for daily averages are answered from the rollups, many at a time.
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
enum DailyAverages {
    /// Bounds of one statement, so that a few long ranges do not keep many short ones waiting.
    static let rangesPerStatementMax = 64
    static let daysPerStatementMax = 8192

    /// Days in whole months from which on reading by month costs less: three months. It pays for two more scans.
    static let daysByMonthMin = 89

    /// Takes the questions of the next statement: the one that has waited longest, and those behind it that the same
    /// statement answers, within the bounds above.
    static func takeBatch<Question>(
        from waiting: inout [Question],
        _ request: (Question) -> AverageRequest
    ) -> [Question] {
        guard let first = waiting.first else { return [] }
        let statement = statement(for: request(first))
        var (batch, rest): ([Question], [Question]) = ([], [])
        var days = 0
        var isFull = false
        for question in waiting {
            let request = request(question)
            if !isFull, self.statement(for: request) === statement {
                days += request.range.dayCount
                isFull = batch.count == rangesPerStatementMax || days > daysPerStatementMax && !batch.isEmpty
                if !isFull {
                    batch.append(question)
                    continue
                }
            }
            rest.append(question)
        }
        waiting = rest
        return batch
    }

    static func statement(for request: AverageRequest) -> PostgresStatement {
        if request.symbol != nil { return ofOneSymbolEach }
        return request.range.daysOfWholeMonths.count < daysByMonthMin ? overAllSymbols : byMonth
    }

    /// The parameters with which it answers them all.
    static func parameters(
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
}

// MARK: - SQL

extension DailyAverages {
    /// `$1`, `$2`: the first and last days of the ranges. One row for each: its number from 1, and the body.
    ///
    /// Each range is one scan of the primary key. string_agg() takes the days as the subquery sorts them, and passes
    /// over the null of a day whose last price was deleted.
    static let overAllSymbols = PostgresStatement(
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
    static let byMonth = PostgresStatement(
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
    static let ofOneSymbolEach = PostgresStatement(
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
