import Postgres
import Reactor
import TestSupport
import Testing

@testable import Conversations

@Suite struct ConversationStatementTests {
    init() { loop }

    @Test @ReactorActor func `of a word that is everywhere the first matches are ranked and paged, and it is said`()
        async throws
    {
        let database = try await TestDatabase()
        let (count, last) = (ConversationStatements.matchesMax + 5, ConversationStatements.matchesMax - 1)
        // The last ones match best.
        let folder = try await ParquetSets.make(
            ParquetSets.one + """
                n = range(\(count))
                part("conversation", 0, {"id_conversation": [f"c{i:06}" for i in n], "id_tag": [1] * len(n),
                                         "question": ["supplier" + " supplier" * (i >= \(last)) for i in n]})
                """
        )
        try await database.load(folder)
        func ask(_ offset: Int, tags: PostgresParameter = .null) async throws -> [String] {
            let row = try await database.session.query(
                ConversationStatements.search(company: false, tags: tags != .null, text: true),
                [.int64(2), .int64(Int64(offset)), .null, .null, tags, .text("suppliers"), .null],
                deadline: soon
            )
            return [1, 3, 4, 7].map { row.text(0, $0) ?? "null" }
        }
        let best = try await ask(0)
        #expect(best[0] == #"["c009999","c000000"]"#)
        #expect(best[1] == "10000" && best[2].hasSuffix(":c000000") && best[3] == "t")
        #expect(try await ask(last) == [#"["c009998"]"#, "10000", "null", "t"])
        #expect(try await ask(last + 1)[0] == "[]")
        #expect(try await ask(0, tags: .array(["nothing"])) == ["[]", "0", "null", "f"])
    }
}
