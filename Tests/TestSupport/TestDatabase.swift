import Logging
public import Postgres
public import Reactor
import Supervision

/// A new database with the project's schema in it, on a server shared by all tests.
@ReactorActor
public final class TestDatabase {
    /// How to reach it.
    public let configuration: PostgresConfiguration
    /// A connection for what the test does itself.
    public let session: PostgresSession

    /// Makes it.
    ///
    /// - Parameter last: The name of the last migration that it has already; all of them if nil.
    public convenience init(through last: String? = nil) async throws {
        if let last {
            try await self.init(TestServers.createDatabase())
            for name in Self.migrations where name <= last { try await apply(name) }
        } else {
            // Most tests want the same, which is made once.
            try await self.init(TestServers.createDatabase(copying: Self.complete.value()))
        }
    }

    private init(_ address: PostgresAddress) async throws {
        var configuration = try PostgresConfiguration(connectionString: address.localURL)
        configuration.statementTimeout = .seconds(120)
        configuration.connectTimeout = .seconds(60)
        self.configuration = configuration
        session = try await PostgresSession.open(configuration)
    }

    /// The name of a database with all migrations, to which nobody is connected.
    private static let complete = Shared {
        let address = try await TestServers.createDatabase()
        let database = try await TestDatabase(address)
        for name in migrations { try await database.apply(name) }
        database.session.close()
        return address.database
    }

    /// Applies the migrations after `first`.
    public func migrate(from first: String) async throws {
        for name in Self.migrations where name > first { try await apply(name) }
    }

    private static var migrations: [String] {
        Files.entries(ofFolder: "\(packageFolder)/sql").filter { $0.hasSuffix(".sql") }.sorted()
    }

    private func apply(_ migration: String) async throws {
        try await execute(Files.text("\(packageFolder)/sql/\(migration)") ?? "")
    }

    /// Another connection.
    public func connect() async throws -> PostgresSession { try await PostgresSession.open(configuration) }

    /// Connections that are being made.
    public func pool(connections: Int? = nil) -> PostgresPool {
        var configuration = configuration
        if let connections { configuration.connections = connections }
        return PostgresPool(configuration, logger: quiet)
    }

    /// Connections, one of which at least is there.
    public func readyPool(connections: Int? = nil) async throws -> PostgresPool {
        let pool = pool(connections: connections)
        try await eventually("a connection", within: .seconds(60)) { pool.isReady }
        return pool
    }

    /// Executes one or several statements.
    public func execute(_ script: String, on other: PostgresSession? = nil) async throws {
        try await (other ?? session).execute(script, deadline: soon)
    }

    /// The rows of a query, columns joined by `|`.
    public func rows(_ sql: String, on other: PostgresSession? = nil) async throws -> [String] {
        let result = try await (other ?? session).query(sql, deadline: soon)
        return (0..<result.count).map { row in
            (0..<result.columnCount).map { result.text(row, $0) ?? "null" }.joined(separator: "|")
        }
    }

    /// Waits until a connection to this database waits for a lock.
    public func waitForLockWait() async throws {
        let observer = try await connect()
        defer { observer.close() }
        try await eventually("a connection that waits for a lock", within: .seconds(60)) {
            let waiting = try? await observer.query(
                "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
                deadline: soon
            )
            return (waiting?.count ?? 0) > 0
        }
    }
}
