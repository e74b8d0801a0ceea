internal import Basics
internal import Synchronization

/// A statement that each connection prepares once, when it first meets it, and executes by name from then on.
///
/// Statements are constants of the program (`static let`), never made per request: each has a place in every
/// connection's table of prepared statements for the life of the process.
///
/// ```swift
/// static let averages = PostgresStatement(reading: "select day, average from daily_prices where day >= $1")
/// ```
public final class PostgresStatement: Sendable {
    /// The SQL text, one statement, parameters written `$1`, `$2`, ….
    public let sql: String
    let isReading: Bool
    /// A small number of its own, which indexes the connections' tables.
    let number: Int
    /// What sessions call it: made from its text, and so the same in every process.
    let name: String

    /// Makes a statement that may change something.
    ///
    /// Each execution is a transaction of its own and is sent exactly once.
    public init(_ sql: String) {
        self.sql = sql
        isReading = false
        number = Self.nextNumber()
        name = Self.name(of: sql)
    }

    /// Makes a statement that changes nothing, not even by a function that it calls or a lock that it takes.
    ///
    /// That promise buys speed: reads of one turn of the loop share a network packet and a transaction. And it buys
    /// resilience: a read that was cut off by a breaking connection is sent once more on another one.
    public init(reading sql: String) {
        self.sql = sql
        isReading = true
        number = Self.nextNumber()
        name = Self.name(of: sql)
    }

    /// `tickloop_` and FNV-1a of the text: that two of a program's few statements meet is as good as impossible.
    private static func name(of sql: String) -> String {
        "tickloop_\(String(FNV1a.hash(sql.utf8.span), radix: 16))"
    }

    private static let numbers = Atomic<Int>(0)

    private static func nextNumber() -> Int { numbers.wrappingAdd(1, ordering: .relaxed).oldValue }
}
