import JSONWire
import Logging
import Postgres
import Prices
import Reactor
import Supervision
import TestSupport

@testable import MarketData

/// Puts the loop on a thread of its own before the first test that needs it.
let loop: Void = Reactor.runInBackground()

let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

/// A deadline that only a failing test meets.
@ReactorActor var soon: Instant { Reactor.now + .seconds(120) }

/// A new database with the project's schema in it, on a server shared by all tests.
@ReactorActor
final class MarketDatabase {
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

    func pool(connections: Int = 2) async throws -> PostgresPool {
        var configuration = configuration
        configuration.connections = connections
        let pool = PostgresPool(configuration, logger: quiet)
        try await eventually("a connection", within: .seconds(60)) { pool.isReady }
        return pool
    }

    /// Executes one or several statements.
    func execute(_ script: String, on other: PostgresSession? = nil) async throws {
        try await (other ?? session).execute(script, deadline: soon)
    }

    /// The rows of a query, columns joined by `|`.
    func rows(_ sql: String, on other: PostgresSession? = nil) async throws -> [String] {
        let result = try await (other ?? session).query(sql, deadline: soon)
        return (0..<result.count).map { row in
            (0..<result.columnCount).map { result.text(row, $0) ?? "null" }.joined(separator: "|")
        }
    }

    /// Stores quotes of `yfinance`, each a second later than the one before.
    func store(_ symbol: String, _ prices: [String], from second: Int = 0) async throws {
        for (offset, price) in prices.enumerated() {
            let time = "2024-03-20T10:30:\(second + offset < 10 ? "0" : "")\(second + offset)Z"
            try await execute(
                """
                select store_quotes(
                    '{yfinance}', '{"\(symbol)"}', '{\(price)}', '{USD}', '{\(time)}', '{2024-03-20T10:31:00Z}',
                    array['{}'::bytea]
                )
                """
            )
        }
    }

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

extension FetchedQuote {
    /// A quote of `yfinance`.
    init(_ symbol: String, _ price: String, at time: String = "2024-03-20T10:30:00Z", currency: String? = "USD") {
        guard let symbol = Symbol(symbol), let price = QuotePrice(price), let time = Timestamp(time),
            let fetchedAt = Timestamp("2024-03-20T10:31:00.250Z")
        else { preconditionFailure("not a quote") }
        self.init(
            Quote(symbol: symbol, price: price, currency: currency, time: time, provider: "yfinance"),
            raw: "{\"symbol\":\"\(symbol)\",\"é\":\"\\\\\"}",
            fetchedAt: fetchedAt
        )
    }
}
