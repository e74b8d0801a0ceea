internal import Postgres

/// The SQL behind the routes. Each answer is one statement, so one snapshot: an import is in all of it or in none.
///
/// There is a search for each combination of what is asked for, because a statement that leaves conditions out by "or"
/// has no plan that is right for all. All take the same parameters: size of the page, offset, what it begins behind,
/// company, tags, text, rank. What they search is described in `sql/0014_conversation_search.sql`, their plans are
/// shown in the README.
enum ConversationStatements {
    /// Matches of `q` that are looked at: the first ones in the order of the ids. Ranking as many takes some 40 ms.
    static let matchesMax = 10_000

    /// Columns: version of the set, ids of the page as JSON, results as JSON, total, what `next` says, whether
    /// companies are known, whether texts are indexed, whether more match than are looked at.
    static func search(company: Bool, tags: Bool, text: Bool) -> PostgresStatement {
        searches[(company ? 4 : 0) + (tags ? 2 : 0) + (text ? 1 : 0)]
    }

    private static let searches = (0..<8).map { number in
        let (company, tags, text) = (number & 4 != 0, number & 2 != 0, number & 1 != 0)
        return PostgresStatement(reading: text ? ranked(company, tags) : plain(company, tags))
    }

    /// What is wanted is counted in `conversation_count`; of each of its rows, an index has the conversations in order,
    /// and no more of them are read than the page may need.
    private static func plain(_ company: Bool, _ tags: Bool) -> String {
        """
        with wanted as materialized (
            select id_company, id_tag, count from conversation_count
            where id_company \(company ? "= any (\(companyIDs))" : "is null")
                \(tags ? "and id_tag = any (\(tagIDs))" : company ? "" : "and id_tag is null")
        ),
        page as (
            select id_conversation, row_number() over (order by id_conversation) as number
            from (
                select found.id_conversation from wanted cross join lateral (
                    select id_conversation from conversation_search search
                    where id_conversation > coalesce(\(parameter(.after)), '')
                        \(company ? "and search.id_company = wanted.id_company" : "")
                        \(company || tags ? "and search.id_tag = wanted.id_tag" : "")
                    order by id_conversation limit $1::bigint + 1 + $2::bigint
                ) found
                order by 1 limit $1::bigint + 1 offset $2::bigint
            ) part
        )
        select
            \(version),
            '[' || coalesce(string_agg(to_json(id_conversation)::text, ',' order by number)
                filter (where number <= $1), '') || ']',
            null,
            (select coalesce(sum(count), 0)::bigint from wanted),
            case when count(*) > $1 then max(id_conversation) filter (where number = $1) end,
            (select has_companies from conversation_set),
            true,
            false
        from page where \(unused)
        """
    }

    private static func ranked(_ company: Bool, _ tags: Bool) -> String {
        """
        with matches as materialized (
            select id collate "C" as id, rank, row_number() over (order by id collate "C") as place
            from conversation_matches(
                \(parameter(.text)), \(company ? companyIDs : "null"), \(tags ? tagIDs : "null"), \(matchesMax + 1)
            )
            where (select has_text_index from conversation_set)
        ),
        page as materialized (
            select id, rank, row_number() over (order by rank desc, id) as number
            from (
                select id, rank from matches
                where place <= \(matchesMax) and (
                    \(parameter(.rank)) is null or rank < \(parameter(.rank))
                        or rank = \(parameter(.rank)) and id > \(parameter(.after))
                )
                order by rank desc, id limit $1::bigint + 1 offset $2::bigint
            ) part
        ),
        results as (
            select id, rank, ts_headline(
                'pg_catalog.english',
                replace(replace(replace(concat_ws(' ', question, answer), '&', '&amp;'), '<', '&lt;'), '>', '&gt;'),
                websearch_to_tsquery('pg_catalog.english', \(parameter(.text))),
                'StartSel=<mark>, StopSel=</mark>, MaxWords=30, MinWords=10, MaxFragments=2, FragmentDelimiter=" … "'
            ) as snippet
            from page join conversation on id_conversation = id where number <= $1
        )
        select
            \(version),
            '[' || coalesce(string_agg(to_json(id)::text, ',' order by rank desc, id), '') || ']',
            '[' || coalesce(string_agg(row_to_json(results)::text, ',' order by rank desc, id), '') || ']',
            (select least(count(*), \(matchesMax)) from matches),
            case when (select count(*) from page) > $1
                then (array_agg(rank::text || ':' || id order by rank, id desc))[1] end,
            (select has_companies from conversation_set),
            (select has_text_index from conversation_set),
            (select count(*) > \(matchesMax) from matches)
        from results where \(unused)
        """
    }

    // MARK: Parts

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

    /// The number of the set, a dot, and what tells it from another one of this number.
    static let version = "(select version || '.' || mark from conversation_set)"

    /// The ids of the companies whose name has what is asked for.
    private static let companyIDs = #"""
        array(
            select id_company from company
            where lower(company_name collate conversations_folding) collate "C" like ('%' || replace(replace(replace(
                lower($4::text collate conversations_folding) collate "C", '\', '\\'), '%', '\%'), '_', '\_') || '%')
        )
        """#

    /// The ids of the tags that are asked for.
    private static let tagIDs = """
        array(
            select id_tag from tag
            where lower(btrim(tag_value) collate conversations_folding) collate "C" = any (array(
                select lower(btrim(wanted) collate conversations_folding) collate "C" from unnest($5::text[]) wanted
            ))
        )
        """

    /// Names all parameters, so that all statements have the same; always true, and not computed.
    private static let unused = "(true or coalesce($4::text, $5::text[]::text, $6::text, $7::real::text) is null)"

    // MARK: The rest

    /// `$1`: an id. Columns: version of the set, the conversation as JSON. No row if there is none.
    static let one = PostgresStatement(
        reading: """
            select \(version), row_to_json(row) from (
                select id_conversation, question, answer, sequence_conversation, id_tag, tag_value, id_transcript,
                    title, transcript_type, length, btrim(to_json(publish_date)::text, '"') || 'Z' as publish_date,
                    id_company, company_name
                from conversation left join transcript using (id_transcript) left join company using (id_company)
                    left join tag using (id_tag)
                where id_conversation = $1
            ) row
            """
    )

    /// Columns: version of the set, the elements of the page as JSON, total, what `next` says.
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
                        order by \(id) limit $1::bigint + 1 offset $2::bigint
                    ) part
                )
                select
                    \(version),
                    '[' || coalesce(string_agg(json, ',' order by number) filter (where number <= $1), '') || ']',
                    (select count(*) from \(table)),
                    case when count(*) > $1 then max(\(id)) filter (where number = $1) end
                from page
                """
        )
    }
}
