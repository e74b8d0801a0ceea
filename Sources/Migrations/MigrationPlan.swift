extension Migration {
    /// What the database remembers of an applied migration.
    public struct Record: Equatable, Sendable, CustomStringConvertible {
        /// Its number.
        let version: Int
        /// The name of its file at the time.
        let name: String
        /// SHA-256 of its file at the time, in hexadecimal digits.
        let checksum: String
        /// When, as RFC 3339 in UTC.
        let appliedAt: String

        /// Makes a record.
        init(version: Int, name: String, checksum: String, appliedAt: String) {
            self.version = version
            self.name = name
            self.checksum = checksum
            self.appliedAt = appliedAt
        }

        /// As the file was named, without its ending.
        public var description: String { Migration(version: version, name: name, sql: []).description }
    }
}

/// How the files of a folder compare with the records of a database. Pure.
public struct MigrationPlan: Equatable, Sendable {
    /// Where a migration stands.
    public enum State: Equatable, Sendable {
        case pending
        case applied(at: String)
        /// Applied, and changed since.
        case changed(appliedAt: String)
        /// Applied, and its file is not there.
        case missing(appliedAt: String)
    }

    /// One line of the listing.
    public struct Entry: Equatable, Sendable {
        /// As the file is named, without its ending.
        public let migration: String
        /// Where it stands.
        public let state: State
    }

    /// Every migration that the folder or the database knows, by number.
    public let entries: [Entry]
    /// What is to be applied, in order; or why nothing may be.
    let pending: Result<[Migration], MigrationError>

    /// Compares.
    ///
    /// - Parameters:
    ///   - migrations: The folder's, in order.
    ///   - checksums: Of `migrations`, in the same order.
    ///   - records: The database's, in any order.
    init(_ migrations: [Migration], checksums: [String], records: [Migration.Record]) {
        precondition(migrations.count == checksums.count)
        let records = records.sorted { $0.version < $1.version }
        var recordsLeft = Dictionary(uniqueKeysWithValues: records.map { ($0.version, $0) })
        var entries: [(version: Int, entry: Entry)] = []
        var pending: [Migration] = []
        var firstError: MigrationError?
        for (migration, checksum) in zip(migrations, checksums) {
            let state: State
            if let record = recordsLeft.removeValue(forKey: migration.version) {
                let isSame = record.checksum == checksum && record.name == migration.name
                state = isSame ? .applied(at: record.appliedAt) : .changed(appliedAt: record.appliedAt)
                if !isSame { firstError = firstError ?? .changed(record) }
                if let skipped = pending.first { firstError = firstError ?? .skipped(skipped.description) }
            } else {
                state = .pending
                pending.append(migration)
            }
            entries.append((migration.version, Entry(migration: migration.description, state: state)))
        }
        for record in records where recordsLeft[record.version] != nil {
            let isNewer = record.version > migrations.last?.version ?? 0
            firstError = firstError ?? (isNewer ? .databaseIsNewer(record) : .missing(record))
            entries.append(
                (record.version, Entry(migration: record.description, state: .missing(appliedAt: record.appliedAt)))
            )
        }
        self.entries = entries.sorted { $0.version < $1.version }.map(\.entry)
        self.pending = firstError.map { .failure($0) } ?? .success(pending)
    }
}
