public import Postgres
public import Reactor

/// The sample conversations that a first start comes with.
@ReactorActor
public enum SampleConversations {
    private static let count = 240

    /// What came of it.
    public enum Outcome: Equatable, Sendable {
        /// They are there now.
        case loaded
        /// This database has, or had, conversations.
        case notWanted
        /// They could not be made; what was missing has been said on standard error.
        case notMade
        /// They could not be imported.
        case failed(ConversationImport.Failure)
    }

    /// Makes the sample and imports it, if this database never had conversations.
    ///
    /// - Parameters:
    ///   - reader: The path of `etc/read-parquet`.
    ///   - maker: The path of `etc/make-sample-conversations`.
    ///   - folder: Where the files are made; it must not be there.
    public static func load(
        reader: String,
        maker: String,
        in folder: String,
        on session: PostgresSession,
        deadline: Instant
    ) async -> Outcome {
        do {
            let version = try await session.query("select version from conversation_set", deadline: deadline)
            guard version.int64(0, 0) == 0 else { return .notWanted }
        } catch {
            return .failed(.database(error))
        }
        guard ParquetReader(maker, [folder, "\(count)"]).finish() == .whole else { return .notMade }
        var options = ConversationImport.Options(reader: reader)
        options.relatesByOrder = true
        do {
            _ = try await ConversationImport(session, options).run(folder)
            return .loaded
        } catch {
            return .failed(error)
        }
    }
}
