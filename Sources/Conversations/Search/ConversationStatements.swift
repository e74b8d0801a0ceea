internal import Postgres

/// The SQL behind the routes. Each answer is one statement, so one snapshot: an import is in all of it or in none.
///
/// There is a search for each combination of what is asked for, because a statement that leaves conditions out by "or"
/// has no plan that is right for all. All take the same parameters: size of the page, offset, what it begins behind,
/// company, tags, text, rank. The plans are shown in the README.
enum ConversationStatements {
    /// Matches of `q` that are ranked: each costs the reading and taking apart of its text, some 0.1 ms.
    static let rankedMax = 1000

    /// Columns: ids of the page as JSON, results as JSON, total, what `next` says, whether companies are known, whether
    /// texts are indexed.
    static func search(company: Bool, tags: Bool, text: Bool) -> PostgresStatement {
        searches[(company ? 4 : 0) + (tags ? 2 : 0) + (text ? 1 : 0)]
    }

    private static let searches = (0..<8).map { number in
        let (company, tags, text) = (number & 4 != 0, number & 2 != 0, number & 1 != 0)
        return PostgresStatement(reading: text ? ranked(company, tags) : plain(company, tags))
    }

    private static func plain(_ company: Bool, _ tags: Bool) -> String {
        """
        with found as not materialized (
            select id_conversation from conversation where \(conditions(company, tags, text: false))
        ),
        page as (
            select id_conversation, row_number() over (order by id_conversation) as number
            from (
                select id_conversation from found
                where \(parameter(.after)) is null or id_conversation > \(parameter(.after))
                order by id_conversation limit $1 + 1 offset $2
            ) part
        )
        select
            '[' || coalesce(string_agg(to_json(id_conversation)::text, ',' order by number)
                filter (where number <= $1), '') || ']',
            null,
            (select count(*) from found),
            case when count(*) > $1 then max(id_conversation) filter (where number = $1) end,
            \(isRelated),
            true
        from page where \(unused(company, tags))
        """
    }

    private static func ranked(_ company: Bool, _ tags: Bool) -> String {
        """
        with found as materialized (
            select id_conversation from conversation
            where (select has_text_index from conversation_set) and \(conditions(company, tags, text: true))
        ),
        ranked as materialized (
            select id_conversation, ts_rank(conversation_words(question, answer), \(query)) as rank
            from (select id_conversation from found order by id_conversation limit \(rankedMax)) first
                join conversation using (id_conversation)
        ),
        page as materialized (
            select id_conversation, rank, row_number() over (order by rank desc, id_conversation) as number
            from (
                select id_conversation, coalesce(rank, 0) as rank from found left join ranked using (id_conversation)
            ) all_found
            where \(parameter(.rank)) is null or rank < \(parameter(.rank))
                or rank = \(parameter(.rank)) and id_conversation > \(parameter(.after))
            order by number limit $1 + 1 offset $2
        ),
        results as (
            select page.id_conversation as id, rank, number, ts_headline(
                'pg_catalog.english',
                replace(replace(replace(concat_ws(' ', question, answer), '&', '&amp;'), '<', '&lt;'), '>', '&gt;'),
                \(query),
                'StartSel=<mark>, StopSel=</mark>, MaxWords=30, MinWords=10, MaxFragments=2, FragmentDelimiter=" … "'
            ) as snippet
            from page join conversation using (id_conversation) where number - $2 <= $1
        )
        select
            '[' || coalesce(string_agg(to_json(id)::text, ',' order by number), '') || ']',
            '[' || coalesce(string_agg(json_build_object('id', id, 'rank', rank, 'snippet', snippet)::text, ','
                order by number), '') || ']',
            (select count(*) from found),
            case when (select count(*) from page) > $1
                then (array_agg(rank::text || ':' || id order by number desc))[1] end,
            \(isRelated),
            (select has_text_index from conversation_set)
        from results where \(unused(company, tags))
        """
    }

    // MARK: Conditions

    private enum Parameter: Int {
        case after = 3
        case company, tags, text, rank

        var type: String {
            switch self {
            case .after, .company, .text: "text"
            case .tags: "text[]"
            case .rank: "real"
            }
        }
    }

    private static func parameter(_ parameter: Parameter) -> String { "$\(parameter.rawValue)::\(parameter.type)" }

    private static let query = "websearch_to_tsquery('pg_catalog.english', \(parameter(.text)))"

    private static func conditions(_ company: Bool, _ tags: Bool, text: Bool) -> String {
        var conditions: [String] = []
        if company {
            conditions.append(
                #"""
                id_transcript in (
                    select id_transcript from transcript join company using (id_company)
                    where lower(company_name collate conversations_folding) collate "C" like ('%' || replace(replace(
                        replace(lower($4::text collate conversations_folding) collate "C", '\', '\\'),
                        '%', '\%'), '_', '\_') || '%')
                )
                """#
            )
        }
        if tags {
            conditions.append(
                """
                id_tag in (
                    select id_tag from tag
                    where lower(btrim(tag_value) collate conversations_folding) collate "C" = any (array(
                        select lower(btrim(wanted) collate conversations_folding) collate "C"
                        from unnest($5::text[]) wanted
                    ))
                )
                """
            )
        }
        if text { conditions.append("conversation_words(question, answer) @@ \(query)") }
        return conditions.isEmpty ? "true" : conditions.joined(separator: " and ")
    }

    /// Names what a statement does not use, so that all have the same parameters; always true, and not computed.
    private static func unused(_ company: Bool, _ tags: Bool) -> String {
        "(true or coalesce($4::text, $5::text[]::text, $6::text, $7::real::text) is null)"
    }

    /// Whether conversations are tied to companies; of an empty set nobody can say that they are not.
    private static let isRelated = """
        not exists (select from conversation)
            or exists (select from conversation where id_transcript is not null)
        """

    // MARK: The rest

    /// `$1`: an id. No row if there is none.
    static let one = PostgresStatement(
        reading: """
            select row_to_json(row) from (
                select id_conversation, question, answer, sequence_conversation, id_tag, tag_value, id_transcript,
                    title, transcript_type, length, btrim(to_json(publish_date)::text, '"') || 'Z' as publish_date,
                    id_company,
                    company_name
                from conversation left join transcript using (id_transcript) left join company using (id_company)
                    left join tag using (id_tag)
                where id_conversation = $1
            ) row
            """
    )

    /// Columns: the elements of the page as JSON, total, what `next` says.
    static let companies = list("company", id: "id_company", columns: "id_company, company_name, logo")
    /// As ``companies``.
    static let tags = list("tag", id: "id_tag", columns: "id_tag, tag_value")

    private static func list(_ table: String, id: String, columns: String) -> PostgresStatement {
        PostgresStatement(
            reading: """
                with page as (
                    select part.\(id), row_to_json(part)::text as json,
                        row_number() over (order by part.\(id)) as number
                    from (
                        select \(columns) from \(table) where $3::text is null or \(id) > $3::text
                        order by \(id) limit $1 + 1 offset $2
                    ) part
                )
                select
                    '[' || coalesce(string_agg(json, ',' order by number) filter (where number <= $1), '') || ']',
                    (select count(*) from \(table)),
                    case when count(*) > $1 then max(\(id)) filter (where number = $1) end
                from page
                """
        )
    }
}
