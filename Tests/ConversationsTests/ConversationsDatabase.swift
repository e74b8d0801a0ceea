import Postgres
import Reactor
import Supervision
import TestSupport
import Testing

@testable import Conversations

/// Puts the loop on a thread of its own before the first test that needs it.
let loop: Void = Reactor.runInBackground()

/// A deadline that only a failing test meets.
@ReactorActor var soon: Instant { Reactor.now + .seconds(120) }

private let project = Files.parent(of: Files.parent(of: Files.parent(of: #filePath)))
private let etc = "\(project)/etc"

/// A new database with the project's schema in it, on a server shared by all tests.
@ReactorActor
final class ConversationsDatabase {
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
        for name in Files.entries(ofFolder: "\(project)/sql").sorted() where name.hasSuffix(".sql") {
            try await session.execute(Files.text("\(project)/sql/\(name)") ?? "", deadline: soon)
        }
    }

    /// The rows of a query, columns joined by `|`.
    func rows(_ sql: String) async throws -> [String] {
        let result = try await session.query(sql, deadline: soon)
        return (0..<result.count).map { row in
            (0..<result.columnCount).map { result.text(row, $0) ?? "null" }.joined(separator: "|")
        }
    }

    /// Imports a folder.
    @discardableResult
    func load(
        _ folder: String,
        relatesByOrder: Bool = false,
        hasTextIndex: Bool = true,
        report: @escaping (ConversationImport.Event) -> Void = { _ in }
    ) async throws(ConversationImport.Failure) -> ConversationImport.Summary {
        var options = ConversationImport.Options(reader: "\(etc)/read-parquet")
        options.relatesByOrder = relatesByOrder
        options.hasTextIndex = hasTextIndex
        return try await ConversationImport(session, options, report: report).run(folder)
    }

    var version: String { get async throws { try await rows("select version from conversation_set")[0] } }
}

extension ParquetSets {
    /// What `etc/read-parquet` says on either of its outputs, and what it ends with.
    static func read(_ words: String...) async throws -> (status: WaitStatus, lines: [String]) {
        var lines: [String] = []
        let end = Promise<WaitStatus, Never>()
        let child = try ChildProcess(Command("\(etc)/read-parquet", words)) {
            lines.append($0)
        } onEnd: {
            end.succeed($0)
        }
        let status = await end.result.get()
        withExtendedLifetime(child) {}
        return (status, lines)
    }
}
