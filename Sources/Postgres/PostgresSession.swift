public import Reactor

/// A connection that one caller has to himself.
///
/// A call that runs into its deadline closes the session, because its late answer would be in the way of the next.
@ReactorActor
public final class PostgresSession {
    /// Nil when the session has ended.
    private var connection: Connection?

    private init(_ connection: Connection) { self.connection = connection }

    /// Opens a connection, for tools such as migrations and imports.
    ///
    /// It is not made anew when it is lost. ``PostgresConfiguration/statementTimeout`` holds here too; zero for none.
    public static func open(
        _ configuration: PostgresConfiguration
    ) async throws(PostgresConnectError) -> PostgresSession {
        let promise = Promise<Libpq, PostgresConnectError>()
        let attempt = ConnectAttempt(configuration) { promise.settle($0) }
        let libpq = try await promise.value
        withExtendedLifetime(attempt) {}
        let connection = Connection(libpq, silenceMax: configuration.silenceMax)
        connection.onLoss = { _, unanswered in
            for query in unanswered { query.finish(.failure(.connectionLost)) }
        }
        return PostgresSession(connection)
    }

    /// Whether it can be used.
    var isOpen: Bool { connection?.isOpen ?? false }

    /// Whether a transaction block is open, as the server said last. To be asked between calls.
    public var isInTransaction: Bool { isOpen && connection?.isOutsideTransaction == false }

    /// Closes the connection. The server rolls an open transaction back.
    public func close() {
        connection?.close()
        connection = nil
    }

    /// Executes a prepared statement.
    public func query(
        _ statement: PostgresStatement,
        _ parameters: [PostgresParameter] = [],
        deadline: Instant
    ) async throws(PostgresError) -> PostgresResult {
        try await query(.prepared(statement), parameters, deadline: deadline)
    }

    /// Executes a statement from its text, for one that is not worth preparing.
    public func query(
        _ sql: String,
        _ parameters: [PostgresParameter] = [],
        deadline: Instant
    ) async throws(PostgresError) -> PostgresResult {
        try await query(.plain(sql), parameters, deadline: deadline)
    }

    private func query(
        _ text: PendingQuery.Text,
        _ parameters: [PostgresParameter],
        deadline: Instant
    ) async throws(PostgresError) -> PostgresResult {
        if case .plain(let sql) = text, sql.utf8.contains(0) { throw .unencodable }
        guard PostgresParameter.areEncodable(parameters) else { throw .unencodable }
        guard let connection, connection.isOpen else { throw .unavailable }
        let promise = Promise<PostgresResult, PostgresError>()
        connection.submit(PendingQuery(text, parameters, deadline: deadline, latency: nil) { promise.settle($0) })
        do {
            return try await promise.value
        } catch {
            if error == .timedOut(wasSent: true) { close() }
            throw error
        }
    }

    /// Executes one or several statements, separated by `;`, in the simple protocol: no parameters, and all of them in
    /// one implicit transaction unless the text says otherwise.
    ///
    /// - Returns: The result of the last one.
    @discardableResult
    public func execute(
        _ script: String,
        deadline: Instant
    ) async throws(PostgresError) -> PostgresResult {
        guard !script.utf8.contains(0) else { throw .unencodable }
        guard let connection, connection.isOpen else { throw .unavailable }
        let promise = Promise<PostgresResult, PostgresError>()
        connection.begin(SimpleScript(script, deadline: deadline) { promise.settle($0) })
        return try await promise.value
    }

    /// Begins a `COPY … FROM STDIN`, which ends with ``PostgresCopy/finish()`` or ``PostgresCopy/cancel()``; the
    /// session takes no other calls until then.
    ///
    /// - Parameter deadline: For the whole of it.
    public func copyIn(
        _ statement: String,
        deadline: Instant
    ) async throws(PostgresError) -> PostgresCopy {
        guard !statement.utf8.contains(0) else { throw .unencodable }
        guard let connection, connection.isOpen else { throw .unavailable }
        let copy = PostgresCopy(connection)
        try await copy.begin(statement, deadline: deadline)
        return copy
    }

    /// Executes `body` in a transaction; nothing stays of it when `body` throws.
    ///
    /// - Parameter deadline: For `BEGIN` and `COMMIT`. `body` bounds its own calls.
    @discardableResult
    public func transaction<Value, Failure>(
        deadline: Instant,
        _ body: @ReactorActor (PostgresSession) async throws(Failure) -> Value
    ) async throws(PostgresTransactionError<Failure>) -> Value {
        do { _ = try await query("BEGIN", deadline: deadline) } catch { throw .database(error) }
        let value: Value
        do {
            value = try await body(self)
        } catch {
            await rollBack(deadline: deadline)
            throw .body(error)
        }
        let commit: PostgresResult
        do {
            commit = try await query("COMMIT", deadline: deadline)
        } catch {
            if error.mayHaveHappened { throw .outcomeUnknown(error) } else { throw .database(error) }
        }
        // A statement failed and `body` went on all the same: the server rolls back, and says so here only.
        guard commit.commandTag == "COMMIT" else { throw .database(.server(.abortedTransaction)) }
        return value
    }

    private func rollBack(deadline: Instant) async {
        guard isOpen else { return }
        do { _ = try await query("ROLLBACK", deadline: deadline) } catch { close() }
    }
}

/// Why a transaction did not return a value.
public enum PostgresTransactionError<Failure: Error>: Error {
    /// The body threw this; the transaction is rolled back, so nothing happened.
    case body(Failure)
    /// There was no connection, or the commit was refused; nothing happened.
    case database(PostgresError)
    /// The commit was sent and never answered; it may have happened.
    case outcomeUnknown(PostgresError)
}

extension PostgresTransactionError: Equatable where Failure: Equatable {}

extension PostgresServerError {
    /// What the server says to every statement after a failed one in a transaction block.
    fileprivate static let abortedTransaction = PostgresServerError(sqlState: "25P02")
}
