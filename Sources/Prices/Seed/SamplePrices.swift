public import Postgres
public import Reactor

/// The sample data of `sql/sample`, which a first start comes with.
///
/// It is apart from the migrations, so that a production database gets the schema and nothing else.
@ReactorActor
public enum SamplePrices {
    /// The script's path in the folder of the migrations.
    nonisolated public static let path = "sample/prices.sql"

    /// Loads the sample prices if this database never had them: one transaction, and safe when several start at once.
    ///
    /// - Parameter script: The content of ``path``.
    /// - Returns: Whether they were loaded now.
    public static func load(
        _ script: String,
        on session: PostgresSession,
        deadline: Instant
    ) async throws(PostgresError) -> Bool {
        let before = try await session.query(loadedSamples, deadline: deadline).int64(0, 0)
        try await session.execute(script, deadline: deadline)
        let after = try await session.query(loadedSamples, deadline: deadline).int64(0, 0)
        return before != after
    }

    private static let loadedSamples = "select count(*) from loaded_samples where name = 'prices'"
}
