import Reactor
import Supervision
import TestSupport
import Testing

extension EndToEndTests {
    /// `tickloop import conversations`, and the search over HTTP after it.
    @Suite struct ConversationTests {
        let system: System

        init() throws { system = try #require(RunningSystem.current) }

        @Test @ReactorActor func `what a folder holds is found by company and tags, and stays when a file is broken`()
            async throws
        {
            let folder = try await ParquetSets.sample(of: 120)
            let first = try await system.tool("import", "conversations", folder)
            #expect(first.status == .exited(0), "\(first.lines)")
            #expect(first.lines.contains("\(folder)/monologue: skipped"))
            #expect(first.lines.last?.hasPrefix("143 rows read, ") == true)
            for role in Role.allCases {
                let refused = try await system.ask(role, "/api/conversations?company=microsoft")
                expectError(refused, 400, "INVALID_PARAMETER", fields: ["company"])
                #expect(refused.body.contains("does not say which company"))
            }

            // The program finds its reader wherever it is called.
            let words = ["import", "conversations", "--relate-by-order", folder]
            let tool = try TickloopProcess(words, environment: system.environment, folder: TestFolder.make())
            #expect(try await tool.waitForEnd(within: .seconds(120)) == .exited(0), "\(tool.lines)")
            // 12 transcripts and 120 conversations are related now.
            #expect(tool.lines.last == "143 rows read, 132 changed")
            let version = try await system.sql("select version from conversation_set")
            let second = try await system.tool("import", "conversations", "--relate-by-order", folder)
            #expect(second.lines.last == "143 rows read, 0 changed")
            #expect(try await system.sql("select version from conversation_set") == version)

            // Of the first company are the transcripts 1 to 4, so the conversations 0…39, and every eighth is about
            // competition.
            let target = "/api/conversations?company=MICROsoft&tags=%20Competition,nothing&per_page=3"
            for role in Role.allCases {
                let answer = try await system.ask(role, target)
                #expect(
                    answer.body == """
                        {"conversation_ids":["c0000000","c0000008","c0000016"],\
                        "total":5,"page":1,"per_page":3}
                        """
                )
                let last = try await system.ask(role, target + "&page=2")
                let rest = #"{"conversation_ids":["c0000024","c0000032"],"total":5,"page":2,"per_page":3}"#
                #expect(last.body == rest)
                for pattern in ["%25", "_", "%5C"] {
                    let none = try await system.ask(role, "/api/conversations?company=\(pattern)")
                    #expect(none.body == #"{"conversation_ids":[],"total":0,"page":1,"per_page":50}"#)
                }
                let faulty = try await system.ask(role, "/api/conversations?page=0&per_page=1001")
                expectError(faulty, 400, "INVALID_PARAMETER", fields: ["page", "per_page"])
            }

            try Files.write("PAR1 and no more", to: "\(folder)/tag/part-00001.snappy.parquet")
            let broken = try await system.tool("import", "conversations", folder)
            #expect(broken.status == .exited(1))
            #expect(broken.lines.contains { $0.contains("/tag/part-00001.snappy.parquet: ") }, "\(broken.lines)")
            #expect(try await system.ask(.gateway, target).body.contains(#""total":5"#))
        }
    }
}
