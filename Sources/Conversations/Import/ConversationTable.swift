/// A table of the set, as `etc/read-parquet` writes its rows.
struct ConversationTable {
    let name: String
    /// The columns in the order of that program, the id first.
    let columns: [String]

    static let all = [
        ConversationTable(name: "company", columns: ["id_company", "company_name", "logo"]),
        ConversationTable(name: "tag", columns: ["id_tag", "tag_value"]),
        ConversationTable(
            name: "transcript",
            columns: ["id_transcript", "id_company", "title", "transcript_type", "length", "publish_date"]
        ),
        ConversationTable(
            name: "conversation",
            columns: ["id_conversation", "id_transcript", "question", "answer", "sequence_conversation", "id_tag"]
        ),
    ]

    private var id: String { columns[0] }
    private var new: String { "conversation_import.\(name)" }

    var copy: String { "copy \(new) (\(columns.joined(separator: ", "))) from stdin" }

    var addKey: String { "alter table \(new) add primary key (\(id))" }

    /// The ids that stand there more than once, the first of them.
    func repeatedIDs(limit: Int) -> String {
        "select \(id) from \(new) group by 1 having count(*) > 1 order by min(ctid) limit \(limit)"
    }

    /// Of rows with the same id the first counts: rows of a new table lie in the order in which they came.
    var removeRepeated: String {
        """
        delete from \(new) row using (select \(id), min(ctid) as first from \(new) group by 1 having count(*) > 1) twice
        where row.\(id) = twice.\(id) and row.ctid <> twice.first
        """
    }

    /// How many rows the new set adds, changes or removes. By a hash of 64 bits, as whole rows would be sorted on disk.
    var countChanges: String {
        func rows(_ table: String) -> String { "(select \(id), hash_record_extended(t, 0) as hash from \(table) t)" }
        return """
            select count(*) from \(rows("public.\(name)")) old full join \(rows(new)) new using (\(id))
            where old.hash is distinct from new.hash
            """
    }
}
