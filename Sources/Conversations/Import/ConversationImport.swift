internal import Basics
public import Postgres
public import Reactor

/// Replaces the set of conversations by that of a folder of Parquet datasets.
///
/// All of it is one transaction: readers see the old set until the new one is committed, and keep it when anything
/// fails. A set that is the same is not replaced. Rows go from the reader's pipe to the server in pieces; no more than
/// one is in memory. Two imports at once take turns. How tables change places is written in
/// `sql/0014_conversation_search.sql`.
@ReactorActor
public struct ConversationImport {
    /// What is wanted besides the folder.
    public struct Options: Sendable {
        /// The path of `etc/read-parquet`.
        public var reader: String
        /// Whether the order of the rows says what belongs to what.
        public var relatesByOrder = false
        /// Whether the texts can be searched.
        public var hasTextIndex = true

        /// Options with the defaults of the command line.
        public init(reader: String) {
            self.reader = reader
        }
    }

    /// What happens on the way.
    public enum Event: Equatable, Sendable {
        /// Another import is under way; this one waits for it.
        case waitingForOtherImport
        /// So many rows are at the server.
        case read(rows: Int, total: Int)
        /// So many rows of a table were left out, because their ids are there already.
        case repeated(table: String, rows: Int)
        /// So many steps of the indexing are done.
        case indexed(steps: Int, total: Int)
    }

    /// What came of it.
    public struct Summary: Equatable, Sendable {
        /// Rows of the new set.
        public var rows = 0
        /// Rows of the tables that were added, changed or removed.
        public var changed = 0
        /// Whether rows were left out because something was wrong with them; what was wrong has been said.
        public var leftRowsOut = false
    }

    /// Why the set is the old one.
    public enum Failure: Error, Equatable {
        /// The program that reads Parquet could not be started.
        case noReader
        /// It could not use the folder, and has said why on standard error.
        case unreadable
        /// Somebody read the old set all the time, so that the new one could not take its place.
        case busy
        case database(PostgresError)
        /// The commit was sent and not answered: the set is the old one or the new one, whole.
        case outcomeUnknown
    }

    private enum Stop: Error {
        case failed(Failure)
        /// The set is that which is there.
        case unchanged(Summary)
    }

    /// For statements whose time depends on the size of the set; to be bounded, if at all, by who runs the command.
    private static let patience = Duration.seconds(24 * 60 * 60)
    /// Any number that no other program uses for an advisory lock: "convers" in ASCII.
    static let lockNumber: Int64 = 0x63_6F6E_7665_7273
    /// Repeated ids of one table whose places are told.
    private static let repeatedShownMax = 20
    /// Times that the tables are tried to be exchanged; with the pauses between them that is about a minute.
    private static let exchangesMax = 30
    /// How long readers may have to wait for those that read, first and last.
    private static let exchangePatience = (first: Duration.milliseconds(50), last: Duration.seconds(1))
    /// What the server may use to sort and to index.
    private static let settings = ["set local maintenance_work_mem = '256MB'", "set local work_mem = '64MB'"]
    private static let indexSteps = 5

    private let session: PostgresSession
    private let options: Options
    private let report: (Event) -> Void

    /// - Parameters:
    ///   - session: A connection whose `statement_timeout` is off.
    ///   - report: Called in order, often.
    public init(_ session: PostgresSession, _ options: Options, report: @escaping (Event) -> Void = { _ in }) {
        self.session = session
        self.options = options
        self.report = report
    }

    /// Replaces all conversations by those of a folder, in one transaction; readers see the old set until it commits.
    ///
    /// - Parameter folder: One folder for each table, with Parquet files.
    public func run(_ folder: String) async throws(Failure) -> Summary {
        // It looks at every file before anything is locked.
        let reader = ParquetReader(options.reader, (options.relatesByOrder ? ["--relate-by-order"] : []) + [folder])
        guard let total = reader.text().flatMap({ Int($0.prefix { $0 != "\n" }) }) else {
            throw reader.finish() == .notStarted ? .noReader : .unreadable
        }
        do throws(PostgresTransactionError<Stop>) {
            let summary = try await session.transaction(deadline: deadline) { _ async throws(Stop) in
                let summary = try await stopping { () async throws(Failure) in
                    try await stage(folder, reader, total: total)
                }
                // Rolled back, so that nothing is left of it.
                guard summary.changed > 0 else { throw .unchanged(summary) }
                try await stopping { () async throws(Failure) in try await replace() }
                return summary
            }
            // Searches need not look at rows for whether they are there. That it cannot be done is no fault of the set.
            _ = try? await session.query("vacuum conversation_search, conversation_count", deadline: deadline)
            // Nobody gets an answer of the old set when this has ended.
            try? await Reactor.sleep(for: ConversationRoutes.repetition)
            return summary
        } catch {
            switch error {
            case .body(.unchanged(let summary)): return summary
            case .body(.failed(let failure)): throw failure
            case .database(let error): throw .database(error)
            case .outcomeUnknown: throw .outcomeUnknown
            }
        }
    }

    private func stopping<Value>(
        _ step: @ReactorActor () async throws(Failure) -> Value
    ) async throws(Stop) -> Value {
        do { return try await step() } catch { throw .failed(error) }
    }

    // MARK: Steps

    /// Builds the new set beside the one that is read, and counts what is different.
    private func stage(_ folder: String, _ reader: ParquetReader, total: Int) async throws(Failure) -> Summary {
        if try await query("select pg_try_advisory_xact_lock(\(Self.lockNumber))").bool(0, 0) == false {
            report(.waitingForOtherImport)
            _ = try await query("select pg_advisory_xact_lock(\(Self.lockNumber))")
        }
        for statement in Self.settings { _ = try await query(statement) }
        _ = try await query("call stage_conversation_set()")
        var summary = Summary()
        for table in ConversationTable.all {
            try await copy(table, from: reader, total: total, into: &summary)
            guard !reader.isCutOff else { throw .unreadable }
            try await addKey(table, of: folder, into: &summary)
            summary.changed += Int(try await query(table.countChanges).int64(0, 0) ?? 0)
        }
        switch reader.finish() {
        case .whole: break
        case .leftRowsOut: summary.leftRowsOut = true
        case .failed, .notStarted: throw .unreadable
        }
        let hasTextIndex = try await query("select has_text_index from conversation_set").bool(0, 0)
        if hasTextIndex != options.hasTextIndex { summary.changed += 1 }
        return summary
    }

    private func copy(
        _ table: ConversationTable,
        from reader: ParquetReader,
        total: Int,
        into summary: inout Summary
    ) async throws(Failure) {
        let before = summary.rows
        var sent = 0
        do throws(PostgresError) {
            let copy = try await session.copyIn(table.copy, deadline: deadline)
            while case .bytes(let piece) = reader.next() {
                try await copy.write(piece)
                // Ends of lines within texts are written in another way.
                for byte in piece where byte == UInt8(ascii: "\n") { sent += 1 }
                report(.read(rows: before + sent, total: total))
            }
            summary.rows += try await copy.finish()
        } catch {
            throw .database(error)
        }
    }

    /// Adds the key; of rows with the same one the first stays.
    private func addKey(
        _ table: ConversationTable,
        of folder: String,
        into summary: inout Summary
    ) async throws(Failure) {
        if try await attempt(table.addKey, failing: [.uniqueViolation]) { return }
        let ids = try await query(table.repeatedIDs(limit: Self.repeatedShownMax))
        let words = (0..<ids.count).compactMap { ids.text($0, 0) }
        let reader = ParquetReader(options.reader, [folder, table.name, "--repeated"] + words)
        _ = reader.finish()
        let removed = try await query(table.removeRepeated).affectedRows
        report(.repeated(table: table.name, rows: removed))
        summary.rows -= removed
        summary.leftRowsOut = true
        _ = try await query(table.addKey)
    }

    /// Indexes the new set and puts it in the place of the old one.
    private func replace() async throws(Failure) {
        var step = 1
        while try await query("select index_conversation_set(\(step), \(options.hasTextIndex))").bool(0, 0) == true {
            report(.indexed(steps: step, total: Self.indexSteps))
            step += 1
        }
        report(.indexed(steps: step, total: Self.indexSteps))
        try await exchange()
        _ = try await query("update conversation_set set mark = default")
    }

    /// Puts the new tables in the place of the old ones.
    private func exchange() async throws(Failure) {
        var patience = Self.exchangePatience.first
        for _ in 0..<Self.exchangesMax {
            let exchange = "call take_conversation_set(\(options.hasTextIndex), \(patience.wholeMilliseconds))"
            if try await attempt(exchange, failing: [.lockNotAvailable, .deadlockDetected]) { return }
            // Whoever has waited goes on meanwhile.
            try? await Reactor.sleep(for: patience)
            patience = min(patience * 2, Self.exchangePatience.last)
        }
        throw .busy
    }

    // MARK: Statements

    /// Carries out a statement, or undoes it when it fails with one of these.
    private func attempt(_ sql: String, failing expected: [SQLState]) async throws(Failure) -> Bool {
        _ = try await query("savepoint attempt")
        do {
            _ = try await session.query(sql, deadline: deadline)
        } catch {
            guard case .server(let refusal) = error, expected.contains(refusal.sqlState) else {
                throw .database(error)
            }
            _ = try await query("rollback to savepoint attempt")
            return false
        }
        _ = try await query("release savepoint attempt")
        return true
    }

    private func query(_ sql: String) async throws(Failure) -> PostgresResult {
        do { return try await session.query(sql, deadline: deadline) } catch { throw .database(error) }
    }

    private var deadline: Instant { Reactor.now + Self.patience }
}

extension SQLState {
    /// `lock_timeout` has passed.
    fileprivate static let lockNotAvailable: SQLState = "55P03"
}
