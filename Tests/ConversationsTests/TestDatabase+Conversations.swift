import Postgres
import Reactor
import Supervision
import TestSupport
import Testing

@testable import Conversations

let etc = "\(packageFolder)/etc"

extension TestDatabase {
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
