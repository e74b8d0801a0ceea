public import Postgres
public import Reactor

/// Makes prices in volume, for measurements: the same ones for the same numbers, on every machine.
///
/// The server makes them itself, a chunk at a time, so nothing but the statement travels. Rows are even over the time
/// and go round the symbols (`SEED0001`, …). Running it twice adds them twice; to take them away again,
/// `delete from prices where symbol like 'SEED%'`.
@ReactorActor
public struct PriceSeed {
    /// Rows of one statement, which is a transaction: about a second, and each day's rollup is touched few times.
    static let chunkRows = 200_000
    /// The most symbols, so that their names have four digits.
    nonisolated public static let symbolsMax = 9_999
    /// Where they lie if nobody asks for more: clear of the sample data, and of what people import.
    nonisolated public static let defaultRange = "2022-01-01"..."2023-12-31"
    private static let chunkTime = Duration.seconds(600)

    private let rows: Int
    private let range: DateRange
    private let symbolCount: Int

    /// - Parameters:
    ///   - rows: How many prices to make, 1 or more.
    ///   - range: The UTC days to spread them over.
    ///   - symbolCount: How many symbols to give them to, 1 to ``symbolsMax``.
    nonisolated public init(rows: Int, range: DateRange, symbolCount: Int) {
        precondition(rows > 0)
        precondition((1...Self.symbolsMax).contains(symbolCount))
        self.rows = rows
        self.range = range
        self.symbolCount = symbolCount
    }

    /// Makes them.
    ///
    /// - Parameters:
    ///   - session: A connection whose `statement_timeout` is off.
    ///   - report: Called with the number of rows so far, after each chunk.
    /// - Throws: What the database said; the chunks that were reported stay.
    public func run(on session: PostgresSession, report: (Int) -> Void) async throws(PostgresError) {
        let stepMicroseconds = range.dayCount * 86_400_000_000 / rows
        var made = 0
        while made < rows {
            let chunk = min(Self.chunkRows, rows - made)
            _ = try await session.query(
                Self.insertChunk,
                [
                    .int64(Int64(made)), .int64(Int64(made + chunk - 1)), .text("\(range.first)"),
                    .int64(Int64(stepMicroseconds)), .int64(Int64(symbolCount)),
                ],
                deadline: Reactor.now + Self.chunkTime
            )
            made += chunk
            report(made)
        }
    }

    /// `$1`, `$2`: the first and last row's number from 0. `$3`: the first day. `$4`: microseconds from row to row.
    /// `$5`: how many symbols.
    ///
    /// A price is the symbol's own level between 50 and 450, a slow wave up to 20 high, and a twitch up to 5.11 that a
    /// multiplicative hash (Knuth's constant, 2^32 divided by the golden ratio) draws. All in whole cents.
    private static let insertChunk = PostgresStatement(
        """
        insert into prices (symbol, recorded_at, price)
        select
            'SEED' || lpad((number % $5::bigint + 1)::text, 4, '0'),
            ($3::date)::timestamp at time zone 'UTC' + number * $4::bigint * interval '1 microsecond',
            0.01 * (
                5000 + number % $5::bigint * 7919 % 40000
                + abs(number / 1000 % 4000 - 2000)
                + (number * 2654435761 % 4294967296 >> 23)
            )
        from generate_series($1::bigint, $2::bigint) as number
        """
    )
}
