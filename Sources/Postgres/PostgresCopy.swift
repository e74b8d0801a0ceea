public import Reactor

/// A running `COPY … FROM STDIN`.
///
/// ```swift
/// let copy = try await session.copyIn("COPY prices (symbol, recorded_at, price) FROM STDIN", deadline: deadline)
/// for chunk in chunks { try await copy.write(chunk) }
/// let rows = try await copy.finish()
/// ```
///
/// An error in a row comes out of ``finish()``: the server reports it early, but libpq looks only at the end.
@ReactorActor
public final class PostgresCopy {
    private let connection: Connection
    private let started = Promise<Void, PostgresError>()
    private let finished = Promise<Int, PostgresError>()
    private var failure: PostgresError?

    init(_ connection: Connection) { self.connection = connection }

    func begin(_ statement: String, deadline: Instant) async throws(PostgresError) {
        let script = SimpleScript(
            statement,
            deadline: deadline,
            copyStarted: { [started] in started.succeed(()) },
            then: { [weak self] in self?.ended($0) }
        )
        connection.begin(script)
        try await started.value
    }

    private func ended(_ outcome: PostgresOutcome) {
        switch outcome {
        case .success(let result):
            finished.succeed(result.affectedRows)
            // Matters only if the server asked for no rows, because the statement was something else.
            started.fail(.server(PostgresServerError(sqlState: .featureNotSupported)))
        case .failure(let error):
            failure = error
            finished.fail(error)
            started.fail(error)
        }
    }

    /// Sends rows in the format of the statement; a chunk may end within a row. Some 64 KiB at a time is good.
    ///
    /// Returns when the socket has taken them all, so no more than one chunk is in memory.
    public func write(_ bytes: [UInt8]) async throws(PostgresError) {
        let taken = Promise<Void, PostgresError>()
        connection.copy(bytes) { [self] in
            if let failure { taken.fail(failure) } else { taken.succeed(()) }
        }
        try await taken.value
    }

    /// Ends the rows.
    ///
    /// - Returns: How many rows came in.
    public func finish() async throws(PostgresError) -> Int {
        connection.endCopy(failing: nil)
        return try await finished.value
    }

    /// Gives up: the server takes none of the rows. The session can be used on.
    public func cancel() async {
        connection.endCopy(failing: "cancelled by the client")
        _ = try? await finished.value
    }
}
