internal import HTTPServer
internal import HTTPWire
internal import JSONWire
public import Postgres
public import Reactor
public import WebAPI

/// Answers `GET /api/conversations` from the database.
@ReactorActor
public struct ConversationSearch {
    private let database: PostgresPool

    /// - Parameter database: Where the conversations are.
    public init(_ database: PostgresPool) { self.database = database }

    /// The route of the internal API.
    public var route: Route {
        ConversationQuestion.operation.answered(
            adding: RouteAdditions(errors: [.unavailable, .upstreamTimeout])
        ) { question, context async throws(APIError) in
            HTTPResponse(json: try await answer(question, deadline: context.deadline))
        }
    }

    private func answer(_ question: ConversationQuestion, deadline: Instant) async throws(APIError) -> [UInt8] {
        let result: PostgresResult
        do {
            result = try await database.query(
                Self.statement,
                [
                    question.company.map { .text($0) } ?? .null,
                    question.tags.isEmpty ? .null : .array(question.tags),
                    .int64(Int64(question.perPage)), .int64(Int64(question.page - 1) * Int64(question.perPage)),
                ],
                deadline: deadline
            )
        } catch {
            switch error {
            case .timedOut: throw .upstreamTimeout
            default: throw .unavailable
            }
        }
        guard result.bool(0, 2) == true else { throw .noRelation }
        var ids: [UInt8] = []
        result.append(0, 0, to: &ids)
        var writer = JSONWriter(capacity: ids.count + 96)
        writer.object { writer in
            writer.key("conversation_ids")
            writer.raw(ids)
            writer.member("total", Int(result.int64(0, 1) ?? 0))
            writer.member("page", question.page)
            writer.member("per_page", question.perPage)
        }
        return writer.take()
    }

    /// The ids of the page as JSON, how many match, and whether a company may be asked for. One statement, so one
    /// snapshot: an import is in all of it or in none.
    private static let statement = PostgresStatement(
        reading: #"""
            with found as materialized (
                select id_conversation from conversation
                where ($1::text is null or id_transcript in (
                    select id_transcript from transcript join company using (id_company)
                    where lower(company_name collate conversations_folding) collate "C" like ('%' || replace(replace(
                        replace(lower($1::text collate conversations_folding) collate "C", '\', '\\'),
                        '%', '\%'), '_', '\_') || '%')
                ))
                and ($2::text[] is null or id_tag in (
                    select id_tag from tag
                    where lower(btrim(tag_value) collate conversations_folding) collate "C" = any (array(
                        select lower(btrim(wanted) collate conversations_folding) collate "C"
                        from unnest($2::text[]) wanted
                    ))
                ))
            )
            select
                coalesce((
                    select '[' || string_agg(to_json(id_conversation)::text, ',' order by id_conversation) || ']'
                    from (select id_conversation from found order by id_conversation limit $3 offset $4) page
                ), '[]'),
                (select count(*) from found),
                $1::text is null or not exists (select from conversation)
                    or exists (select from conversation where id_transcript is not null)
            """#
    )
}
