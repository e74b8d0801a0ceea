/// A table of the set, and how the reader's lines become its rows.
struct ConversationTable {
    let name: String
    /// Column and type, the id first, in the order in which `etc/read-parquet` writes them.
    let columns: [(name: String, type: String)]

    /// Columns of the longest table.
    static let columnsMax = 6

    static let all = [
        ConversationTable(
            name: "company",
            columns: [("id_company", "text"), ("company_name", "text"), ("logo", "text")]
        ),
        ConversationTable(name: "tag", columns: [("id_tag", "text"), ("tag_value", "text")]),
        ConversationTable(
            name: "transcript",
            columns: [
                ("id_transcript", "text"), ("id_company", "text"), ("title", "text"), ("transcript_type", "text"),
                ("length", "bigint"), ("publish_date", "timestamp"),
            ]
        ),
        ConversationTable(
            name: "conversation",
            columns: [
                ("id_conversation", "text"), ("id_transcript", "text"), ("question", "text"), ("answer", "text"),
                ("sequence_conversation", "bigint"), ("id_tag", "text"),
            ]
        ),
    ]

    /// Removes the rows that the new set does not have.
    var deletion: String {
        """
        delete from \(name) old where not exists (
            select from pg_temp.import_rows new where new.kind = '\(name)' and new.c1 = old.\(columns[0].name)
        )
        """
    }

    /// Adds the rows that are new, and changes those that differ; rows that are as they were are not written. Of rows
    /// with the same id the first counts.
    var merge: String {
        let names = columns.map(\.name)
        let values = columns.enumerated().map { "c\($0.offset + 1)::\($0.element.type)" }
        let rest = names.dropFirst()
        return """
            insert into \(name) as old (\(names.joined(separator: ", ")))
            select distinct on (c1) \(values.joined(separator: ", "))
            from pg_temp.import_rows where kind = '\(name)' order by c1, position
            on conflict (\(names[0])) do update set \(rest.map { "\($0) = excluded.\($0)" }.joined(separator: ", "))
            where row(\(rest.map { "old.\($0)" }.joined(separator: ", ")))
                is distinct from row(\(rest.map { "excluded.\($0)" }.joined(separator: ", ")))
            """
    }
}
