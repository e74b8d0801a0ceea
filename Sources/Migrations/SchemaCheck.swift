public import Logging
public import Postgres
public import Reactor

/// Whether a database has the schema at all, for a service that answers `/ready`.
@ReactorActor
public final class SchemaCheck {
    private static let question = PostgresStatement(reading: "select from schema_migrations limit 1")

    private let pool: PostgresPool
    private let logger: Logger
    private var isMissing = false

    /// Looks with the connections of `pool`, and tells `logger` when the schema is missing, and what to do.
    public init(_ pool: PostgresPool, logger: Logger) {
        self.pool = pool
        self.logger = logger
    }

    /// Whether the database can be used.
    ///
    /// - Parameter deadline: Until when an answer is of use. A database that is only slow has a schema.
    public func isReady(by deadline: Instant) async -> Bool {
        guard pool.isReady else { return false }
        do {
            _ = try await pool.query(Self.question, deadline: deadline)
            isMissing = false
        } catch {
            if case .server(let error) = error, error.sqlState.tellsOfMissingSchema {
                if !isMissing {
                    logger.error("the schema is missing", metadata: ["advice": "\(SQLState.schemaAdvice)"])
                }
                isMissing = true
                return false
            }
        }
        return pool.isReady
    }
}
