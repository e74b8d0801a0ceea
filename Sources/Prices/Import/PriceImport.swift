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
        /// Other sessions hold what this one needs; said again when they are others.
        case waiting(for: [LockHolder])
        /// A line of the file cannot be imported.
        case badLine(BadLine)
        /// So much of the file is read; `total` is nil for a pipe.
        case read(bytes: Int, total: Int?)
        /// So many of the good lines are in the table.
        case stored(lines: Int, total: Int)
    }

    /// A line that is not imported.
    public struct BadLine: Sendable {
        /// The first is 1.
        public let number: Int
        /// What is the matter with it.
        public let kind: BadLineKind
        /// The same with what stands there; fit for a terminal.
        public let reason: String

        init(_ number: Int, _ fault: PriceLineFault) {
            self.number = number
            kind = fault.kind
            reason = fault.description
        }
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
    /// What the server may use to sort the lines before it goes to its disk.
    private static let sortMemoryMiB = 64

    private let session: PostgresSession
    private let observer: PostgresConfiguration?
    private let sliceLines: Int
    private let report: (Event) -> Void

    /// - Parameters:
    ///   - session: A connection whose `statement_timeout` is off. It is as before afterwards.
    ///   - observer: How to open a second connection that looks whether the first one waits for others; nil for none.
    ///   - sliceLines: Different prices of one transaction. At 100,000 it takes about a second.
    ///   - report: Called in order, often; about every 256 KiB of the file.
    public init(
        _ session: PostgresSession,
        observer: PostgresConfiguration? = nil,
        sliceLines: Int = 100_000,
        report: @escaping (Event) -> Void
    ) {
        precondition(sliceLines > 0)
        self.session = session
        self.observer = observer
        self.sliceLines = sliceLines
        self.report = report
    }

    /// Imports a file: CSV whose header names `symbol`, `recorded_at` and `price`, in any order, among others; or a day
    /// and its close (``PriceColumns``).
    ///
    /// `recorded_at` is an RFC 3339 time with a zone; `price` a decimal, which is kept exactly.
    ///
    /// - Parameter symbol: Whose prices these are, for a file that does not say so itself.
    public func run(_ path: String, symbol: Symbol? = nil) async throws(Failure) -> Summary {
        let file: FileReader
        do { file = try FileReader(path) } catch { throw .file(error) }
        var staging = PriceFile(file)
        do { try staging.readHeader(symbol: symbol) } catch { throw .file(error) }

        let watch = try await lockWatch()
        defer { watch?.stop() }
        try await lock()
        let outcome: Result<Summary, Failure>
        do throws(Failure) {
            let lines = try await stage(&staging)
            outcome = .success(try await store(lines: lines, bad: staging.badLines))
        } catch {
            outcome = .failure(error)
        }
        await cleanUp()
        return try outcome.get()
    }

    private func lockWatch() async throws(Failure) -> LockWatch? {
        guard let observer else { return nil }
        let session = try await query("select pg_backend_pid()")
        guard let process = session.int64(0, 0) else { return nil }
        return LockWatch(of: process, by: observer) { [report] in report(.waiting(for: $0)) }
    }

    private func lock() async throws(Failure) {
        let isFree = try await query("select pg_try_advisory_lock($1)", [.int64(Self.lockNumber)]).bool(0, 0)
        guard isFree != true else { return }
        report(.waitingForOtherImport)
        _ = try await query("select pg_advisory_lock($1)", [.int64(Self.lockNumber)])
    }

    /// Best effort: if it fails, the session is gone, and with it the lock and the tables.
    private func cleanUp() async {
        _ = try? await query("reset work_mem")
        _ = try? await query("drop table if exists pg_temp.import_lines, pg_temp.import_prices")
        _ = try? await query("select pg_advisory_unlock($1)", [.int64(Self.lockNumber)])
    }

    /// Copies the good lines into a temporary table and counts equal ones together, in order and cut into slices.
    ///
    /// - Returns: How many good lines there are.
    private func stage(_ file: inout PriceFile) async throws(Failure) -> Int {
        _ = try await query("drop table if exists pg_temp.import_lines, pg_temp.import_prices")
        _ = try await query(Self.createLines)
        let lines = try await copyLines(of: &file)
        report(.stored(lines: 0, total: lines))
        _ = try await query("set work_mem = '\(Self.sortMemoryMiB)MB'")
        _ = try await query("analyze pg_temp.import_lines")
        _ = try await query(Self.createPrices(sliceLines: sliceLines))
        _ = try await query("drop table pg_temp.import_lines")
        _ = try await query("create index on pg_temp.import_prices (slice)")
        _ = try await query("analyze pg_temp.import_prices")
        return lines
    }

    private func copyLines(of file: inout PriceFile) async throws(Failure) -> Int {
        let copy = try await database { () async throws(PostgresError) in
            try await session.copyIn("copy pg_temp.import_lines from stdin", deadline: deadline)
        }
        while let rows = try await nextRows(of: &file, for: copy) {
            try await database { () async throws(PostgresError) in try await copy.write(rows) }
            report(.read(bytes: file.position, total: file.size))
        }
        return try await database { () async throws(PostgresError) in try await copy.finish() }
    }

    private func nextRows(of file: inout PriceFile, for copy: PostgresCopy) async throws(Failure) -> [UInt8]? {
        do {
            return try file.nextRows { report(.badLine($0)) }
        } catch {
            await copy.cancel()
            throw .file(error)
        }
    }

    /// Adds what is missing, a slice at a time, in the order of `prices`' index.
    private func store(lines: Int, bad: Int) async throws(Failure) -> Summary {
        var summary = Summary(bad: bad)
        var stored = 0
        var slice: Int64 = 0
        while stored < lines {
            let result = try await query(Self.storeSlice, [.int64(slice)])
            summary.imported += Int(result.int64(0, 0) ?? 0)
            let sliceLines = Int(result.int64(0, 1) ?? 0)
            precondition(sliceLines > 0, "every line belongs to one slice")
            stored += sliceLines
            slice += 1
            report(.stored(lines: stored, total: lines))
        }
        summary.alreadyThere = lines - summary.imported
        return summary
    }

    private var deadline: Instant { Reactor.now + Self.patience }

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
    private static let createLines = """
        create temporary table import_lines (
            symbol text collate "C" not null,
            recorded_at timestamptz not null,
            price numeric not null
        )
        """

    /// The different prices, each with its number of lines; numbered in the order of `prices`' index, so that a slice
    /// touches few of its pages and few days.
    private static func createPrices(sliceLines: Int) -> String {
        """
        create temporary table import_prices as
        select symbol, recorded_at, price, lines,
            (row_number() over (order by symbol, recorded_at) - 1) / \(sliceLines) as slice
        from (
            select symbol, recorded_at, price, count(*) as lines
            from pg_temp.import_lines
            group by symbol, recorded_at, price
        ) as different
        """
    }

    /// Adds what is missing of slice `$1`. Gives the numbers of rows added and of lines in the slice.
    ///
    /// The rows that are there are counted in one index lookup per different price, so the time depends on the file and
    /// not on the table.
    private static let storeSlice = """
        with added as (
            insert into prices (symbol, recorded_at, price)
            select wanted.symbol, wanted.recorded_at, wanted.price
            from pg_temp.import_prices as wanted
            cross join lateral (
                select count(*) as lines
                from prices
                where prices.symbol = wanted.symbol
                    and prices.recorded_at = wanted.recorded_at
                    and prices.price = wanted.price
            ) as present
            cross join lateral generate_series(present.lines + 1, wanted.lines)
            where slice = $1
            order by wanted.symbol, wanted.recorded_at
            returning 1
        )
        select
            (select count(*) from added),
            (select coalesce(sum(lines), 0)::bigint from pg_temp.import_prices where slice = $1)
        """
}
