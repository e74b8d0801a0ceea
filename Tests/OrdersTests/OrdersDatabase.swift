import Logging
import Postgres
import Reactor
import Supervision
import TestSupport

@testable import Orders

/// Puts the loop on a thread of its own before the first test that needs it.
let loop: Void = Reactor.runInBackground()

let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

/// A deadline that only a failing test meets.
@ReactorActor var soon: Instant { Reactor.now + .seconds(120) }

/// A new database with the project's schema in it, on a server shared by all tests.
@ReactorActor
final class OrdersDatabase {
    let configuration: PostgresConfiguration
    /// A connection for what the test does itself.
    let session: PostgresSession

    init() async throws {
        let address = try await TestServers.createDatabase()
        var configuration = try PostgresConfiguration(connectionString: address.localURL)
        configuration.statementTimeout = .seconds(120)
        configuration.connectTimeout = .seconds(60)
        self.configuration = configuration
        session = try await PostgresSession.open(configuration)
        let folder = Files.parent(of: Files.parent(of: Files.parent(of: #filePath))) + "/sql"
        for name in Files.entries(ofFolder: folder).sorted() where name.hasSuffix(".sql") {
            try await execute(Files.text("\(folder)/\(name)") ?? "")
        }
    }

    func connect() async throws -> PostgresSession { try await PostgresSession.open(configuration) }

    func pool() -> PostgresPool { PostgresPool(configuration, logger: quiet) }

    /// Executes one or several statements.
    func execute(_ script: String, on other: PostgresSession? = nil) async throws {
        try await (other ?? session).execute(script, deadline: soon)
    }

    /// The rows of a query, columns joined by `|`.
    func rows(_ sql: String) async throws -> [String] {
        let result = try await session.query(sql, deadline: soon)
        return (0..<result.count).map { row in
            (0..<result.columnCount).map { result.text(row, $0) ?? "null" }.joined(separator: "|")
        }
    }

    /// Stores an order, and makes its number's id.
    func submit(_ number: Int, quantity: Int = 10, expiresAt: String = "null", on other: PostgresSession? = nil)
        async throws
    {
        try await execute(
            """
            select submit_orders(
                array['\(Self.id(number))']::uuid[], array[date_trunc('milliseconds', now())], '{limit}', '{buy}',
                '{DE000A0Q4RZ3}', '{150.00}', '{\(quantity)}', array[\(expiresAt)]::timestamptz[], '{null}', '{null}'
            )
            """,
            on: other
        )
    }

    /// Adds an event to an order.
    func append(_ type: String, _ data: String = "{}", to number: Int) async throws {
        try await execute(
            "select orders_append_events('{\(Self.id(number))}', '{\(type)}', array['\(data)']::jsonb[])"
        )
    }

    static func id(_ number: Int) -> String { "01900000-0000-7000-8000-" + String(100_000_000_000 + number) }

    /// Waits until a connection to this database waits for a lock.
    func waitForLockWait() async throws {
        let observer = try await connect()
        defer { observer.close() }
        try await eventually("a connection that waits for a lock", within: .seconds(60)) {
            let waiting = try? await observer.query(
                "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
                deadline: soon
            )
            return waiting?.count == 1
        }
    }
}
