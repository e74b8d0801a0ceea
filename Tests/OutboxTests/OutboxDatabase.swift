import Postgres
import Reactor
import Supervision
import TestSupport

/// Puts the loop on a thread of its own before the first test that needs it.
let loop: Void = Reactor.runInBackground()

/// A deadline that only a failing test meets.
@ReactorActor var soon: Instant { Reactor.now + .seconds(120) }

/// A new database with the project's schema in it, on a server shared by all tests.
@ReactorActor
final class OutboxDatabase {
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

    /// Executes one or several statements.
    func execute(_ script: String) async throws { try await session.execute(script, deadline: soon) }

    /// The rows of a query, columns joined by `|`.
    func rows(_ sql: String, on other: PostgresSession? = nil) async throws -> [String] {
        let result = try await (other ?? session).query(sql, deadline: soon)
        return (0..<result.count).map { row in
            (0..<result.columnCount).map { result.text(row, $0) ?? "null" }.joined(separator: "|")
        }
    }

    /// Adds messages for the destination `exchange`, with the keys ``key(_:)`` of `numbers`.
    func add(_ numbers: some Sequence<Int>, sequence: String? = nil) async throws {
        let keys = numbers.map { Self.key($0) }
        let list = keys.map { "'\($0)'" }.joined(separator: ",")
        let payloads = keys.map { _ in "'{}'" }.joined(separator: ",")
        let sequences = sequence.map { "array_fill('\($0)'::text, array[\(keys.count)])" } ?? "null"
        try await execute(
            "select outbox_add('exchange', array[\(list)]::uuid[], array[\(payloads)]::jsonb[], \(sequences))"
        )
    }

    /// The numbers of the messages that `owner` gets.
    func claim(
        _ owner: Int,
        above: Int = 0,
        maximum: Int = 100,
        on other: PostgresSession? = nil
    ) async throws -> [Int] {
        try await numbers(
            "select key from outbox_claim('exchange', '\(Self.key(owner))', \(above), \(maximum))",
            on: other
        )
    }

    /// The numbers that stand in the keys of a query's rows.
    func numbers(_ sql: String, on other: PostgresSession? = nil) async throws -> [Int] {
        try await rows(sql, on: other).map { Int($0.suffix(12)) ?? -1 }
    }

    func enter(_ owner: Int, lease: String = "1 hour") async throws {
        try await execute("select outbox_enter('\(Self.key(owner))', '\(lease)')")
    }

    /// Ends a lease, as time would.
    func endLease(of owner: Int) async throws {
        try await execute("update outbox_owners set lease_until = now() where owner = '\(Self.key(owner))'")
    }

    /// Whether message `number` could be taken back.
    func withdraw(_ number: Int, on other: PostgresSession? = nil) async throws -> Bool {
        try await rows("select outbox_withdraw('exchange', '\(Self.key(number))')", on: other) == ["t"]
    }

    /// Hands message `number` back.
    func handBack(_ number: Int, by owner: Int, attempts: Int = 1, delay: Int = 0, uncertain: Int? = nil) async throws
        -> Bool
    {
        try await !rows(
            """
            select outbox_hand_back(
                '\(Self.key(owner))', array(select id from outbox where key = '\(Self.key(number))'),
                array[\(attempts)], array[\(delay)], array[\(uncertain.map(String.init) ?? "null")]::bigint[])
            """
        ).isEmpty
    }

    /// Waits until a connection to this database waits for a lock.
    func waitForLockWait() async throws {
        let observer = try await connect()
        defer { observer.close() }
        try await eventually("a connection that waits for a lock", within: .seconds(60)) {
            try await !self.rows(
                "select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
                on: observer
            ).isEmpty
        }
    }

    static func key(_ number: Int) -> String {
        let digits = String(number)
        return "00000000-0000-0000-0000-" + String(repeating: "0", count: 12 - digits.count) + digits
    }
}
