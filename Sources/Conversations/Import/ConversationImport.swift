public import Postgres
public import Reactor

/// Replaces the set of conversations by that of a folder of Parquet datasets.
///
/// All of it is one transaction: readers see the old set until the new one is committed, and keep it when anything
/// fails. Only what differs is written, so an import that was done already changes nothing. Rows go from the reader's
/// pipe to the server in pieces; no more than one is in memory. Two imports at once take turns.
@ReactorActor
public struct ConversationImport {
    /// What came of it.
    public struct Summary: Equatable, Sendable {
        /// Rows that were read, by table.
        public var rows = 0
        /// Rows of the tables that were added, changed or removed.
        public var changed = 0
        /// Whether rows were left out because something was wrong with them; the reader has said what.
        public var leftRowsOut = false
    }

    /// Why the set is the old one.
    public enum Failure: Error, Equatable {
        /// The program that reads Parquet could not be started.
        case noReader
        /// It could not use the folder, and has said why on standard error.
        case unreadable
        /// The database failed.
        case database(PostgresError)
        /// The commit was sent and not answered: the set is the old one or the new one, whole.
        case outcomeUnknown
    }

    /// For statements whose time depends on the size of the set; to be bounded, if at all, by who runs the command.
    private static let patience = Duration.seconds(24 * 60 * 60)
    /// What `etc/read-parquet` ends with when it left rows out.
    private static let statusOfBadRows = 3

    private let session: PostgresSession
    private let reader: String

    /// - Parameters:
    ///   - session: A connection whose `statement_timeout` is off.
    ///   - reader: The path of `etc/read-parquet`.
    public init(_ session: PostgresSession, reader: String) {
        self.session = session
        self.reader = reader
    }

    /// Imports a folder.
    public func run(_ folder: String) async throws(Failure) -> Summary {
        do {
            return try await session.transaction(deadline: deadline) { _ async throws(Failure) in
                // Readers only read this row, which the lock lets them.
                _ = try await query("lock table conversation_set in exclusive mode")
                _ = try await query(Self.createRows)
                var summary = try await stage(folder)
                _ = try await query("analyze pg_temp.import_rows")
                for table in ConversationTable.all {
                    summary.changed += try await query(table.deletion).affectedRows
                    summary.changed += try await query(table.merge).affectedRows
                }
                if summary.changed > 0 { _ = try await query("update conversation_set set version = version + 1") }
                return summary
            }
        } catch {
            switch error {
            case .body(let failure): throw failure
            case .database(let error): throw .database(error)
            case .outcomeUnknown: throw .outcomeUnknown
            }
        }
    }

    private func stage(_ folder: String) async throws(Failure) -> Summary {
        guard var rows = ParquetReader(program: reader, folder: folder) else { throw .noReader }
        let columns = (1...ConversationTable.columnsMax).map { "c\($0)" }.joined(separator: ", ")
        let copy: PostgresCopy
        do {
            copy = try await session.copyIn(
                "copy pg_temp.import_rows (kind, \(columns)) from stdin",
                deadline: deadline
            )
        } catch {
            throw .database(error)
        }
        while true {
            let piece = rows.next()
            guard !piece.isEmpty else { break }
            do { try await copy.write(piece) } catch { throw .database(error) }
        }
        let status = rows.finish()
        guard status == 0 || status == Self.statusOfBadRows else {
            await copy.cancel()
            throw .unreadable
        }
        do {
            return Summary(rows: try await copy.finish(), leftRowsOut: status != 0)
        } catch {
            throw .database(error)
        }
    }

    private func query(_ sql: String) async throws(Failure) -> PostgresResult {
        do { return try await session.query(sql, deadline: deadline) } catch { throw .database(error) }
    }

    private var deadline: Instant { Reactor.now + Self.patience }

    private static var createRows: String {
        let columns = (1...ConversationTable.columnsMax).map { "c\($0) text collate \"C\"" }.joined(separator: ", ")
        return """
            create temporary table import_rows (
                position bigint generated always as identity, kind text collate "C", \(columns)
            ) on commit drop
            """
    }
}
