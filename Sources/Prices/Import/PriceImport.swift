public import Postgres
public import Reactor

/// Imports a price file so that running it twice doubles nothing.
///
/// The table may hold equal rows, so "is it there already?" is a question of counts: of each different price in the
/// file as many rows are added as the table has fewer of it than the file. Equal lines in one file all count.
///
/// The file goes through `COPY` into a temporary table, in pieces, so that memory does not grow with it; from there
/// into `prices` in slices, each a transaction of its own, so that other writers do not wait for the whole. Killed half
/// way, it has imported some slices whole; running it again brings the rest. Two imports at once take turns.
@ReactorActor
public struct PriceImport {
    /// What happens on the way.
    public enum Event: Sendable {
        /// Another import is under way; this one waits for it.
        case waitingForOtherImport
        /// A line of the file cannot be imported; `reason` is fit for a terminal.
        case badLine(number: Int, reason: String)
        /// So much of the file is read; `total` is nil for a pipe.
        case read(bytes: Int, total: Int?)
        /// So many of the good lines are in the table.
        case stored(lines: Int, total: Int)
    }

    /// What came of the lines, header and blank ones aside.
    public struct Summary: Equatable, Sendable {
        /// Lines that became rows.
        public var imported = 0
        /// Lines whose rows were there before.
        public var alreadyThere = 0
        /// Lines that are none.
        public var bad = 0
    }

    /// Why an import did not run to its end.
    public enum Failure: Error, Equatable {
        /// The file cannot be used; nothing was imported.
        case file(PriceFileError)
        /// The database failed. What was stored by then stays; running the import again is safe.
        case database(PostgresError)
    }

    /// For statements whose time depends on the size of the file; to be bounded, if at all, by who runs the command.
    private static let patience = Duration.seconds(24 * 60 * 60)
    /// Any number that no other program uses for an advisory lock: "prices" in ASCII.
    private static let lockNumber: Int64 = 0x7072_6963_6573

    private let session: PostgresSession
    private let sliceLines: Int
    private let report: (Event) -> Void

    /// - Parameters:
    ///   - session: A connection whose `statement_timeout` is off. It is as before afterwards.
    ///   - sliceLines: Good lines of one transaction. At 100,000 it takes about a second.
    ///   - report: Called in order, often; about every 256 KiB of the file.
    public init(_ session: PostgresSession, sliceLines: Int = 100_000, report: @escaping (Event) -> Void) {
        precondition(sliceLines > 0)
        self.session = session
        self.sliceLines = sliceLines
        self.report = report
    }

    /// Imports a file: CSV whose header names `symbol`, `recorded_at` and `price`, in any order, among others.
    ///
    /// `recorded_at` is an RFC 3339 time with a zone; `price` a decimal, which is kept exactly.
    public func run(_ path: String) async throws(Failure) -> Summary {
        let file: FileReader
        do { file = try FileReader(path) } catch { throw .file(error) }
        var staging = PriceFile(file)
        do { try staging.readHeader() } catch { throw .file(error) }

        try await lock()
        let outcome: Result<Summary, Failure>
        do throws(Failure) {
            try await stage(&staging)
            outcome = .success(try await store(bad: staging.badLines))
        } catch {
            outcome = .failure(error)
        }
        await cleanUp()
        return try outcome.get()
    }

    private func lock() async throws(Failure) {
        let isFree = try await query("select pg_try_advisory_lock($1)", [.int64(Self.lockNumber)]).bool(0, 0)
        guard isFree != true else { return }
        report(.waitingForOtherImport)
        _ = try await query("select pg_advisory_lock($1)", [.int64(Self.lockNumber)])
    }

    /// Best effort: if it fails, the session is gone, and with it the lock and the table.
    private func cleanUp() async {
        _ = try? await query("drop table if exists pg_temp.import_prices")
        _ = try? await query("select pg_advisory_unlock($1)", [.int64(Self.lockNumber)])
    }

    /// Copies the good lines into a temporary table.
    private func stage(_ file: inout PriceFile) async throws(Failure) {
        _ = try await query("drop table if exists pg_temp.import_prices")
        _ = try await query(
            """
            create temporary table import_prices (
                symbol text collate "C" not null,
                recorded_at timestamptz not null,
                price numeric not null
            )
            """
        )
        try await copyRows(of: &file)
        _ = try await query("create index on pg_temp.import_prices (symbol, recorded_at)")
        _ = try await query("analyze pg_temp.import_prices")
    }

    private func copyRows(of file: inout PriceFile) async throws(Failure) {
        let copy = try await database { () async throws(PostgresError) in
            try await session.copyIn("copy pg_temp.import_prices from stdin", deadline: deadline)
        }
        while let rows = try await nextRows(of: &file, for: copy) {
            try await database { () async throws(PostgresError) in try await copy.write(rows) }
            report(.read(bytes: file.position, total: file.size))
        }
        try await database { () async throws(PostgresError) in _ = try await copy.finish() }
    }

    private func nextRows(of file: inout PriceFile, for copy: PostgresCopy) async throws(Failure) -> [UInt8]? {
        do {
            return try file.nextRows { report(.badLine(number: $0, reason: $1)) }
        } catch {
            await copy.cancel()
            throw .file(error)
        }
    }

    /// Adds what is missing, a slice at a time, in the order of `prices`' index.
    private func store(bad: Int) async throws(Failure) -> Summary {
        var summary = Summary(bad: bad)
        let total = try await query("select count(*) from pg_temp.import_prices").int64(0, 0) ?? 0
        let starts = try await query(Self.sliceStarts, [.int64(Int64(sliceLines))])
        var stored = 0
        for row in 0..<starts.count {
            let isLast = row == starts.count - 1
            let end = isLast ? (nil, nil) : (starts.text(row + 1, 0), starts.text(row + 1, 1))
            let bounds = [starts.text(row, 0), starts.text(row, 1), end.0, end.1]
            let result = try await query(Self.storeSlice, bounds.map { $0.map(PostgresParameter.text) ?? .null })
            summary.imported += Int(result.int64(0, 0) ?? 0)
            stored += Int(result.int64(0, 1) ?? 0)
            report(.stored(lines: stored, total: Int(total)))
        }
        precondition(stored == total, "every line belongs to one slice")
        summary.alreadyThere = stored - summary.imported
        return summary
    }

    private var deadline: ContinuousClock.Instant { Reactor.now + Self.patience }

    private func query(
        _ sql: String,
        _ parameters: [PostgresParameter] = []
    ) async throws(Failure) -> PostgresResult {
        try await database { () async throws(PostgresError) in
            try await session.query(sql, parameters, deadline: deadline)
        }
    }

    private func database<Value>(_ body: () async throws(PostgresError) -> Value) async throws(Failure) -> Value {
        do { return try await body() } catch { throw .database(error) }
    }
}

// MARK: - SQL

extension PriceImport {
    /// Where the slices begin; `$1`: lines per slice. A slice is never cut between equal keys, so every key that occurs
    /// more often than a slice is long makes that slice longer.
    private static let sliceStarts = """
        select distinct symbol, recorded_at
        from (
            select symbol, recorded_at, row_number() over (order by symbol, recorded_at) as number
            from pg_temp.import_prices
        ) as numbered
        where (number - 1) % $1::bigint = 0
        order by symbol, recorded_at
        """

    /// Adds what is missing of one slice: keys from (`$1`, `$2`) up to but without (`$3`, `$4`), which are null for the
    /// last one. Gives the numbers of rows added and of lines in the slice.
    ///
    /// The prices that are there are counted one index lookup per different line, so the time depends on the file and
    /// not on the table.
    private static let storeSlice = """
        with lines as (
            select symbol, recorded_at, price, count(*) as copies
            from pg_temp.import_prices
            where (symbol, recorded_at) >= ($1::text, $2::timestamptz)
                and ($3::text is null or (symbol, recorded_at) < ($3::text, $4::timestamptz))
            group by symbol, recorded_at, price
        ), added as (
            insert into prices (symbol, recorded_at, price)
            select lines.symbol, lines.recorded_at, lines.price
            from lines
            cross join lateral (
                select count(*) as copies
                from prices
                where prices.symbol = lines.symbol
                    and prices.recorded_at = lines.recorded_at
                    and prices.price = lines.price
            ) as present
            cross join lateral generate_series(present.copies + 1, lines.copies)
            order by lines.symbol, lines.recorded_at
            returning 1
        )
        select (select count(*) from added), (select coalesce(sum(copies), 0)::bigint from lines)
        """
}
