import Postgres
import Reactor
import TestSupport

extension TestDatabase {
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

    /// The numbers of the messages that `owner` takes over from those whose lease has ended.
    func takeOver(_ owner: Int, on other: PostgresSession? = nil) async throws -> [Int] {
        try await numbers("select key from outbox_take_over('exchange', '\(Self.key(owner))', 100)", on: other)
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

    static func key(_ number: Int) -> String {
        let digits = String(number)
        return "00000000-0000-0000-0000-" + String(repeating: "0", count: 12 - digits.count) + digits
    }
}
