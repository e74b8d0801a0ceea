public import Postgres

/// Why the schema is not what the files say. The text is for an operator: it names files, and may quote SQL.
public enum MigrationError: Error, Equatable, Sendable {
    /// The folder or a file in it cannot be read; the system's reason.
    case unreadable(path: String, reason: String)
    /// A file ends in `.sql` and is not named `NNNN_name.sql`.
    case misnamed(file: String)
    /// Two files have the same number.
    case duplicate(version: Int)
    /// The numbers do not run from 1 without a gap; this one is missing.
    case gap(version: Int)

    /// The file was changed after it had been applied. Nothing is applied.
    case changed(Migration.Record)
    /// The database has a migration that the folder lacks, and the folder has later ones. Nothing is applied.
    case missing(Migration.Record)
    /// The database has a migration after the last one of the folder: it belongs to a newer program. Nothing is
    /// applied.
    case databaseIsNewer(Migration.Record)
    /// A migration was not applied, and a later one was. Nothing is applied.
    case skipped(String)

    /// The script failed; it left nothing, those before it stay.
    case failed(migration: String, PostgresServerError)
    /// The script contains COMMIT or ROLLBACK, so what it did before that stays, unrecorded.
    case endsItsTransaction(migration: String)
    /// The server could not be reached.
    case connection(PostgresConnectError)
    /// The database failed outside of a script, or was lost.
    case database(PostgresError)
}

extension MigrationError: CustomStringConvertible {
    /// One or two sentences.
    public var description: String {
        switch self {
        case .unreadable(let path, let reason): "cannot read \(path): \(reason)"
        case .misnamed(let file): "\(file) must be named NNNN_name.sql, with the name in a-z, 0-9 and _"
        case .duplicate(let version): "there are two migrations with the number \(version)"
        case .gap(let version): "there is no migration with the number \(version)"
        case .changed(let record):
            "\(record) was changed after it had been applied; put it back and write a new migration instead"
        case .missing(let record): "\(record) was applied, but its file is missing"
        case .databaseIsNewer(let record): "the database has \(record) from a newer version of this program"
        case .skipped(let migration): "\(migration) was never applied, but a later one was"
        case .failed(let migration, let error): "\(migration) failed and left nothing: \(error.debugDescription)"
        case .endsItsTransaction(let migration):
            "\(migration) ends its transaction itself; what it did before that may have stayed"
        case .connection(let error): "cannot connect to the database: \(error.debugDescription)"
        case .database(.server(let error)): "the database refused: \(error.debugDescription)"
        case .database(let error): error.description
        }
    }
}
