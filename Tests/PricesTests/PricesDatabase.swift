import Logging
import Postgres
import Reactor
import Supervision
import TestSupport

@testable import Prices

/// Puts the loop on a thread of its own before the first test that needs it.
let loop: Void = Reactor.runInBackground()

/// A deadline that only a failing test meets.
@ReactorActor var soon: Instant { Reactor.now + .seconds(120) }

/// The folder of `Package.swift`.
let packageFolder = Files.parent(of: Files.parent(of: Files.parent(of: #filePath)))

/// A new database with the project's schema in it, on a server shared by all tests.
@ReactorActor
final class PricesDatabase {
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
        for name in Files.entries(ofFolder: "\(packageFolder)/sql").sorted() where name.hasSuffix(".sql") {
            try await execute(Files.text("\(packageFolder)/sql/\(name)") ?? "")
        }
    }

    func connect() async throws -> PostgresSession { try await PostgresSession.open(configuration) }

    func pool() -> PostgresPool {
        PostgresPool(configuration, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    /// Executes one or several statements.
    func execute(_ script: String) async throws {
        try await session.execute(script, deadline: soon)
    }

    /// The rows of a query, columns joined by `|`.
    func rows(_ sql: String) async throws -> [String] {
        let result = try await session.query(sql, deadline: soon)
        return (0..<result.count).map { row in
            (0..<result.columnCount).map { result.text(row, $0) ?? "null" }.joined(separator: "|")
        }
    }

    /// What the rollups should hold and do not.
    func differences() async throws -> [String] { try await rows("select * from prices_rollup_differences()") }

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

    /// The days and means over all symbols, as `DAY MEAN` or, for a symbol, of that one.
    func means(of symbol: Symbol? = nil) async throws -> [String] {
        let table = symbol.map { "daily_symbol_prices where symbol = '\($0)' and" } ?? "daily_prices where"
        return try await rows(
            """
            select concat_ws(' ', average_json::json ->> 'date', average_json::json ->> 'average_price')
            from \(table) count > 0 order by day
            """
        )
    }

    /// What each month holds, as `DAY MEAN,DAY MEAN,…`; those without prices are left out.
    func months() async throws -> [String] {
        try await rows(
            """
            select (
                select string_agg(concat_ws(' ', day ->> 'date', day ->> 'average_price'), ',' order by number)
                from json_array_elements(('[' || averages_json || ']')::json) with ordinality as days (day, number)
            )
            from monthly_prices where averages_json <> '' order by month
            """
        )
    }
}
