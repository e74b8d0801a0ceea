public import Postgres
public import Reactor

/// Brings a database's schema to what a folder of migrations says.
///
/// Each migration is a transaction of its own together with its record in `schema_migrations`, so being killed at any
/// moment leaves whole migrations only. Several may run this at once: all but one wait, and then find nothing to do.
@ReactorActor
public struct Migrator {
    /// The key of the advisory lock that lets one at a time change the schema: "tickloop", read as a number.
    private static let lockKey: Int64 = 0x7469_636B_6C6F_6F70

    private let folder: MigrationFolder
    private var configuration: PostgresConfiguration
    private let limit: Duration

    /// - Parameters:
    ///   - configuration: Where the database is. The statement timeout is not used: building an index may take long.
    ///   - limit: The longest that waiting for another migrator, or one migration, may take.
    public init(_ folder: MigrationFolder, _ configuration: PostgresConfiguration, limit: Duration = .seconds(3600)) {
        self.folder = folder
        self.configuration = configuration
        self.configuration.statementTimeout = .zero
        self.limit = limit
    }

    /// Applies what is pending.
    ///
    /// - Parameter onApplied: Called after each migration is committed.
    /// - Returns: How many were applied.
    @discardableResult
    public func apply(
        onApplied: @ReactorActor (Migration) -> Void = { _ in }
    ) async throws(MigrationError) -> Int {
        let session = try await open()
        defer { session.close() }
        try await prepare(session)
        let pending = try await plan(session).pending.get()
        for migration in pending {
            try await apply(migration, session)
            onApplied(migration)
        }
        return pending.count
    }

    /// Compares files and database, and changes nothing.
    public func status() async throws(MigrationError) -> MigrationPlan {
        let session = try await open()
        defer { session.close() }
        return try await plan(session)
    }

    private var deadline: Instant { Reactor.now + limit }

    private func open() async throws(MigrationError) -> PostgresSession {
        do { return try await PostgresSession.open(configuration) } catch { throw .connection(error) }
    }

    /// Takes the lock, which closing the session gives back, and makes the table of records if there is none.
    private func prepare(_ session: PostgresSession) async throws(MigrationError) {
        do {
            _ = try await session.query("select pg_advisory_lock($1)", [.int64(Self.lockKey)], deadline: deadline)
            try await session.execute(
                """
                create table if not exists schema_migrations (
                    version int primary key check (version > 0),
                    name text not null,
                    checksum text not null check (length(checksum) = 64),
                    applied_at timestamptz not null default now()
                )
                """,
                deadline: deadline
            )
        } catch {
            throw .database(error)
        }
    }

    private func plan(_ session: PostgresSession) async throws(MigrationError) -> MigrationPlan {
        var checksums: [String] = []
        for migration in folder.migrations { checksums.append(try await checksum(of: migration, session)) }
        return MigrationPlan(folder.migrations, checksums: checksums, records: try await records(session))
    }

    /// PostgreSQL computes it, which saves us a hash function of our own.
    private func checksum(of migration: Migration, _ session: PostgresSession) async throws(MigrationError) -> String {
        do {
            let result = try await session.query(
                "select encode(sha256($1::bytea), 'hex')",
                [.bytea(migration.sql)],
                deadline: deadline
            )
            return result.text(0, 0) ?? ""
        } catch {
            throw .database(error)
        }
    }

    private func records(_ session: PostgresSession) async throws(MigrationError) -> [Migration.Record] {
        do {
            let table = try await session.query("select to_regclass('schema_migrations')", deadline: deadline)
            guard !table.isNull(0, 0) else { return [] }
            let rows = try await session.query(
                """
                select version, name, checksum, to_char(applied_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
                from schema_migrations order by version
                """,
                deadline: deadline
            )
            return (0..<rows.count).map { row in
                Migration.Record(
                    version: Int(rows.int64(row, 0) ?? 0),
                    name: rows.text(row, 1) ?? "",
                    checksum: rows.text(row, 2) ?? "",
                    appliedAt: rows.text(row, 3) ?? ""
                )
            }
        } catch {
            throw .database(error)
        }
    }

    private func apply(_ migration: Migration, _ session: PostgresSession) async throws(MigrationError) {
        let name = migration.description
        do {
            try await session.transaction(deadline: deadline) { session throws(MigrationError) in
                try await run(migration, session)
                guard session.isInTransaction else { throw .endsItsTransaction(migration: name) }
                try await record(migration, session)
            }
        } catch {
            switch error {
            case .body(let error): throw error
            // A deferred constraint that the script violates fails here.
            case .database(.server(let error)): throw .failed(migration: name, error)
            case .database(let error), .outcomeUnknown(let error): throw .database(error)
            }
        }
    }

    private func run(_ migration: Migration, _ session: PostgresSession) async throws(MigrationError) {
        do {
            try await session.execute(String(decoding: migration.sql, as: UTF8.self), deadline: deadline)
        } catch {
            guard case .server(let refusal) = error else { throw .database(error) }
            throw .failed(migration: migration.description, refusal)
        }
    }

    private func record(_ migration: Migration, _ session: PostgresSession) async throws(MigrationError) {
        do {
            _ = try await session.query(
                """
                insert into schema_migrations (version, name, checksum)
                values ($1::int, $2, encode(sha256($3::bytea), 'hex'))
                """,
                [.int64(Int64(migration.version)), .text(migration.name), .bytea(migration.sql)],
                deadline: deadline
            )
        } catch {
            throw .database(error)
        }
    }
}
