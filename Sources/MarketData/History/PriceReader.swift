internal import JSONWire
internal import Postgres
internal import Prices
internal import Reactor
internal import WebAPI

/// Reads prices and what is computed of them, as JSON.
@ReactorActor
struct PriceReader {
    let database: PostgresPool

    // MARK: Single prices

    /// One more than the page has, if there is one more.
    func history(_ question: HistoryQuestion, deadline: Instant) async throws(PostgresError) -> PostgresResult {
        try await database.query(
            Self.page,
            [
                .text(question.symbol.text),
                question.after.map { .int64($0.microseconds) } ?? .null, question.after.map { .int64($0.id) } ?? .null,
                .text(question.from?.microsecondText ?? "-infinity"), .text(question.to?.microsecondText ?? "infinity"),
                .int64(Int64(question.limit + 1)),
            ],
            deadline: deadline
        )
    }

    // One condition for both ends, so that both are borders of one index scan. The position of the page before is never
    // later than `to`, unless somebody made it up.
    private static let page = PostgresStatement(
        reading: """
            select
                utc_text(recorded_at), trim_scale(price)::text, provider, currency, utc_text(fetched_at), id,
                (extract(epoch from recorded_at) * 1000000)::bigint
            from prices
            where symbol = $1
                and recorded_at >= $4::timestamptz
                and (recorded_at, id) < (
                    least('epoch'::timestamptz + $2::bigint * interval '1 microsecond', $5::timestamptz),
                    case
                        when 'epoch'::timestamptz + $2::bigint * interval '1 microsecond' < $5::timestamptz then $3
                        else 0::bigint
                    end
                )
            order by recorded_at desc, id desc
            limit $6
            """
    )

    // MARK: Bars

    /// The bars in which there is a price.
    func bars(_ question: BarQuestion, deadline: Instant) async throws(PostgresError) -> PostgresResult {
        try await database.query(
            Self.barStatement,
            [
                .text(question.symbol.text), .int64(question.interval.seconds), .int64(question.bars.lowerBound),
                .int64(question.bars.upperBound),
            ],
            deadline: deadline
        )
    }

    /// For each bar a stretch of the index, and its first and last price by (time, id) from both ends of it.
    ///
    /// So nothing is sorted or held, however many prices there are: a grouping of them is a sort of them all, on disk
    /// when they are a million. Bars without a price cost 5 µs each, and are at most 5000.
    static let barStatement = PostgresStatement(
        reading: """
            select
                utc_text(start), trim_scale(first.price)::text, trim_scale(high)::text, trim_scale(low)::text,
                trim_scale(last.price)::text, count
            from generate_series($3::bigint, $4::bigint - 1, $2::bigint) as second
            cross join lateral (
                select
                    'epoch'::timestamptz + second * interval '1 second' as start,
                    'epoch'::timestamptz + (second + $2) * interval '1 second' as stop
                offset 0
            ) as bar
            cross join lateral (
                select max(price) as high, min(price) as low, count(*) as count
                from prices
                where symbol = $1 and recorded_at >= start and recorded_at < stop
                having count(*) > 0
            ) as prices
            cross join lateral (
                select price from prices
                where symbol = $1 and recorded_at >= start and recorded_at < stop
                order by recorded_at, id
                limit 1
            ) as first
            cross join lateral (
                select price from prices
                where symbol = $1 and recorded_at >= start and recorded_at < stop
                order by recorded_at desc, id desc
                limit 1
            ) as last
            order by second
            """
    )

    // MARK: Moving average

    /// The average of a symbol; nil if there is none.
    func movingAverage(_ symbol: Symbol, deadline: Instant) async throws(PostgresError) -> PostgresResult? {
        let result = try await database.query(Self.average, [.text(symbol.text)], deadline: deadline)
        return result.isEmpty ? nil : result
    }

    private static let average = PostgresStatement(
        reading: """
            select moving_average::text, points, utc_text(updated_at)
            from symbol_averages
            where symbol = $1 and points > 0
            """
    )
}

extension Timestamp {
    /// As SQL reads it, with all that a `timestamptz` holds.
    fileprivate var microsecondText: String {
        let below = String(wholeSeconds.nanoseconds / 1000 % 1000)
        return description.dropLast() + String(repeating: "0", count: 3 - below.utf8.count) + below + "Z"
    }
}

extension JSONWriter {
    /// A member whose value stands in a row as text, or is null there.
    mutating func member(_ name: String, text result: PostgresResult, _ row: Int, _ column: Int) {
        key(name)
        if let text = result.text(row, column) { string(text) } else { null() }
    }

    /// A member whose value stands in a row as a number.
    mutating func member(_ name: String, number result: PostgresResult, _ row: Int, _ column: Int) {
        key(name)
        number(text: result.text(row, column) ?? "0")
    }
}
