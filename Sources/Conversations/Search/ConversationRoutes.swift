internal import HTTPServer
internal import HTTPWire
internal import JSONWire
package import Logging
package import Postgres
package import Reactor
internal import Service
package import WebAPI

/// The routes of conversations, on each role that serves them.
@ReactorActor
package struct ConversationRoutes {
    private let database: PostgresPool
    private let logger: Logger

    /// - Parameter database: Where the conversations are.
    package init(_ database: PostgresPool, logger: Logger) {
        self.database = database
        self.logger = logger
    }

    /// The gateway's: checked, then relayed.
    package static func relayed(by api: Relay) -> [Route] {
        [
            ConversationOperations.search.relayed(by: api), ConversationOperations.one.relayed(by: api),
            ConversationOperations.companies.relayed(by: api), ConversationOperations.tags.relayed(by: api),
        ]
    }

    /// The internal API's: checked, then answered.
    package var routes: [Route] { [search, one, companies, tags] }

    // MARK: Routes

    private var search: Route {
        ConversationOperations.search.answered(adding: Self.additions) { question, context async throws(APIError) in
            let statement = ConversationStatements.search(
                company: question.company != nil,
                tags: !question.tags.isEmpty,
                text: question.text != nil
            )
            let row = try await ask(
                statement,
                Self.parameters(question.page) + [
                    question.company.map { .text($0) } ?? .null,
                    question.tags.isEmpty ? .null : .array(question.tags),
                    question.text.map { .text($0) } ?? .null, question.rank.map { .text($0) } ?? .null,
                ],
                context
            )
            guard question.company == nil || row.bool(0, 4) == true else { throw .noRelation }
            guard row.bool(0, 5) == true else { throw .noTextIndex }
            var members: [(String, [UInt8])] = [("conversation_ids", row.bytes(0, 0))]
            if question.text != nil { members.append(("results", row.bytes(0, 1))) }
            return Self.page(question.page, members, total: row.int64(0, 2) ?? 0, next: row.text(0, 3))
        }
    }

    private var one: Route {
        ConversationOperations.one.answered(adding: Self.additions) { id, context async throws(APIError) in
            let row = try await ask(ConversationStatements.one, [.text(id.text)], context)
            guard !row.isEmpty else { throw .unknownConversation }
            return HTTPResponse(json: row.bytes(0, 0))
        }
    }

    private var companies: Route { list(ConversationOperations.companies, ConversationStatements.companies) }
    private var tags: Route { list(ConversationOperations.tags, ConversationStatements.tags) }

    private func list(_ operation: Operation<PageQuestion>, _ statement: PostgresStatement) -> Route {
        operation.answered(adding: Self.additions) { page, context async throws(APIError) in
            let row = try await ask(statement, Self.parameters(page), context)
            return Self.page(page, [("data", row.bytes(0, 0))], total: row.int64(0, 1) ?? 0, next: row.text(0, 2))
        }
    }

    // MARK: Answers

    private static func parameters(_ page: PageQuestion) -> [PostgresParameter] {
        let after = page.after.flatMap { $0.isEmpty ? nil : PostgresParameter.text($0) }
        return [.int64(Int64(page.size)), .int64(Int64(page.offset)), after ?? .null]
    }

    /// A page: what is on it, and where it is.
    private static func page(
        _ page: PageQuestion,
        _ members: [(name: String, json: [UInt8])],
        total: Int64,
        next: String?
    ) -> HTTPResponse {
        var writer = JSONWriter(capacity: members.reduce(128) { $0 + $1.json.count })
        writer.object { writer in
            for member in members.prefix(1) {
                writer.key(member.name)
                writer.raw(member.json)
            }
            writer.member("total", Int(total))
            if page.after == nil { writer.member("page", page.number) }
            writer.member("per_page", page.size)
            if page.after != nil {
                writer.key("next")
                if let next { writer.string(next) } else { writer.null() }
            }
            for member in members.dropFirst() {
                writer.key(member.name)
                writer.raw(member.json)
            }
        }
        return HTTPResponse(json: writer.take())
    }

    // MARK: Database

    nonisolated private static let additions = RouteAdditions(errors: APIError.ofDatabase)

    /// Asks the database; what it does not answer is said in the log, and 503, 504 or 500.
    private func ask(
        _ statement: PostgresStatement,
        _ parameters: [PostgresParameter],
        _ context: RequestContext
    ) async throws(APIError) -> PostgresResult {
        do {
            return try await database.query(statement, parameters, deadline: context.deadline)
        } catch {
            let answer = APIError(error)
            logger.log(
                level: answer.code == .internalError ? .error : .warning,
                "conversations_query_failed",
                metadata: ["reason": "\(String(reflecting: error))", "request_id": "\(context.identity.requestID)"]
            )
            throw answer
        }
    }
}

extension PostgresResult {
    fileprivate func bytes(_ row: Int, _ column: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        append(row, column, to: &bytes)
        return bytes
    }
}
