import JSONWire
import Reactor
import Supervision
import TestSupport
import Testing

extension EndToEndTests.ConversationTests {
    /// Two companies whose names want care, three tags and nine conversations.
    @ReactorActor private func load(_ options: String...) async throws {
        let folder = try await ParquetSets.make(
            """
            names = ["100% École_", "Straße AG"]
            part("company", 0, {"id_company": [2, 1], "company_name": names, "logo": ["l", None]})
            part("tag", 0, {"id_tag": [1, 2, 3], "tag_value": [" Pricing ", "ÄRGER", "empty"]})
            part("transcript", 0, {"id_transcript": [1, 2], "id_company": [1, 2], "title": ["One", None],
                                   "publish_date": [datetime.datetime(2024, 3, 20, 10, 30), None]})
            part("conversation", 0, {
                "id_conversation": [f"c/{n}" for n in range(9)], "id_transcript": [1, 2, 1] * 3,
                "id_tag": [1, 2, 1] * 3, "sequence_conversation": range(1, 10),
                "question": ["Which supplier?", "Which suppliers & prices?", "Why?"] * 3,
                "answer": ["None.", "A supplier sells to suppliers.", "No forecast <b>, no supplier."] * 3,
            })
            """
        )
        let words = ["import", "conversations", folder] + options
        let tool = try TickloopProcess(words, environment: system.environment, folder: TestFolder.make())
        #expect(try await tool.waitForEnd(within: .seconds(120)) == .exited(0), "\(tool.lines)")
    }

    @ReactorActor private func json(_ target: String, of role: Role = .gateway) async throws -> JSONValue {
        let answer = try await system.ask(role, target)
        #expect(answer.status == 200, "\(target): \(answer.body)")
        return try JSONValue(parsing: answer.body, limits: JSONLimits(bytes: 1 << 20))
    }

    @ReactorActor private func ids(_ query: String) async throws -> [String] {
        try await json("/api/conversations?\(query)")["conversation_ids"]?.array?.compactMap(\.string) ?? []
    }

    @Test @ReactorActor func `names and tags are found in any case, as ICU folds it, and signs mean themselves`()
        async throws
    {
        try await load()
        let (street, school) = (["c/0", "c/2", "c/3", "c/5", "c/6", "c/8"], ["c/1", "c/4", "c/7"])
        #expect(try await ids("company=stra%C3%9FE") == street)
        #expect(try await ids("company=%C3%89COLE") == school)
        #expect(try await ids("company=100%25") == school)
        #expect(try await ids("company=e_") == school)
        #expect(try await ids("company=%25") == school)
        #expect(try await ids("company=a%25g").isEmpty)
        #expect(try await ids("company=a_").isEmpty)
        #expect(try await ids("tags=%C3%A4rger") == school)
        #expect(try await ids("tags=pricing%20,,nothing") == street)
        #expect(try await ids("tags=empty").isEmpty)
        #expect(try await ids("tags=pricing&company=cole").isEmpty)
        #expect(try await ids("tags=pricing,%C3%84rger&company=").count == 9)
    }

    @Test(arguments: ["", "q=supplier", "tags=pricing", "company=stra", "q=supplier&tags=pricing&company=a"])
    @ReactorActor func `pages by number and pages behind each other are the same`(query: String) async throws {
        try await load()
        let all = try await ids(query)
        #expect(all.count == (query.contains("tags") || query.contains("company") ? 6 : 9))
        var byNumber: [String] = []
        for page in 1...5 { byNumber += try await ids("\(query)&per_page=2&page=\(page)") }
        #expect(byNumber == all)
        #expect(try await ids("\(query)&per_page=1000&page=1000000000").isEmpty)

        var behind: [String] = []
        var after = ""
        while true {
            let page = try await json("/api/conversations?\(query)&per_page=2&after=\(after)")
            #expect(page["page"] == nil)
            #expect(page["total"] == .integer(all.count))
            behind += page["conversation_ids"]?.array?.compactMap(\.string) ?? []
            guard let next = page["next"]?.string else {
                #expect(page["next"] == .null)
                break
            }
            after = next.split(separator: "/").joined(separator: "%2F")
        }
        #expect(behind == all)
    }

    @Test @ReactorActor func `words are found with their rank and where they stand, as HTML`() async throws {
        try await load()
        let page = try await json("/api/conversations?q=suppliers&per_page=4")
        // The word stands three times in these, once in the others.
        #expect(page["conversation_ids"] == ["c/1", "c/4", "c/7", "c/0"])
        #expect(page["total"] == 9 && page["total_is_exact"] == true)
        let results = page["results"]?.array ?? []
        #expect(results.compactMap { $0["id"]?.string } == ["c/1", "c/4", "c/7", "c/0"])
        let ranks = results.compactMap { $0["rank"]?.numberText.flatMap { Double($0) } }
        #expect(ranks.count == 4 && ranks[0] == ranks[1] && ranks[2] > ranks[3] && ranks[3] > 0)
        #expect(results[0]["snippet"]?.string?.contains("<mark>suppliers</mark> &amp; prices") == true)
        let third = try await json("/api/conversations?q=forecast")["results"]?.array ?? []
        #expect(third.count == 3)
        #expect(third[0]["snippet"]?.string?.contains("&lt;b&gt;") == true, "\(third)")

        #expect(try await ids("q=supplier%20-forecast").count == 6)
        #expect(try await ids("q=%22suppliers%20prices%22") == ["c/1", "c/4", "c/7"])
        #expect(try await ids("q=forecast%20or%20prices&company=cole") == ["c/1", "c/4", "c/7"])
        #expect(try await ids("q=the").isEmpty)
        #expect(try await json("/api/conversations?q=")["results"] == nil)
        let faulty = try await system.ask(.gateway, "/api/conversations?q=x&after=c1")
        expectError(faulty, 400, "INVALID_PARAMETER", fields: ["after"])
        // Numbers that PostgreSQL has not, or writes otherwise.
        for rank in ["1e-50", "-1e-50", "0x1p-3", "1e-46", "1e38"] {
            let page = try await system.ask(.api, "/api/conversations?q=x&after=\(rank):c1")
            #expect(page.status == 200, "\(rank)")
        }
        let both = try await system.ask(.gateway, "/api/conversations?page=2&after=c1")
        expectError(both, 400, "INVALID_PARAMETER", fields: ["page"])

        try await load("--no-text-index")
        let refused = try await system.ask(.gateway, "/api/conversations?q=supplier")
        expectError(refused, 400, "INVALID_PARAMETER", fields: ["q"])
        #expect(try await ids("tags=pricing").count == 6)
    }

    @Test @ReactorActor func `one conversation, the companies and the tags`() async throws {
        try await load()
        for role in Role.allCases {
            let one = try await system.ask(role, "/v1/api/conversations/c%2F0/")
            #expect(
                one.body == """
                    {"id_conversation":"c/0","question":"Which supplier?","answer":"None.","sequence_conversation":1,\
                    "id_tag":"1","tag_value":" Pricing ","id_transcript":"1","title":"One","transcript_type":null,\
                    "length":null,"publish_date":"2024-03-20T10:30:00Z","id_company":"1","company_name":"Straße AG"}
                    """
            )
            expectError(try await system.ask(role, "/api/conversations/c0"), 404, "NOT_FOUND")
            expectError(try await system.ask(role, "/api/conversations/%00"), 404, "NOT_FOUND")
            #expect(
                try await system.ask(role, "/api/companies?per_page=1").body
                    == #"{"data":[{"id_company":"1","company_name":"Straße AG","logo":null}],"#
                    + #""total":2,"page":1,"per_page":1}"#
            )
            #expect(
                try await system.ask(role, "/api/companies?after=1").body
                    == #"{"data":[{"id_company":"2","company_name":"100% École_","logo":"l"}],"#
                    + #""total":2,"per_page":50,"next":null}"#
            )
            let tags = try await json("/api/tags?per_page=2&after=", of: role)
            #expect(tags["next"] == "2")
            #expect(try await json("/api/tags?per_page=2&after=2", of: role)["data"]?.array?.count == 1)
            #expect(try await json("/api/tags?page=7", of: role)["data"] == .array([]))
            expectError(
                try await system.ask(role, "/api/tags?per_page=0&x=1"),
                400,
                "INVALID_PARAMETER",
                fields: ["per_page", "x"]
            )
        }
    }

    @Test @ReactorActor func `an answer is kept until an import comes, and not an instant longer`() async throws {
        try await load()
        let targets = [
            "/api/conversations?tags=pricing,x&company=stra", "/api/conversations?q=supplier", "/api/companies",
            "/api/conversations/c%2F0",
        ]
        for target in targets {
            let first = try await system.ask(.api, target)
            // Keeping it is not waited for.
            try await eventually("it is kept") { try await system.ask(.api, target)["x-cache"] == "HIT" }
            let second = try await system.ask(.gateway, target)
            #expect(second["x-cache"] == "HIT")
            #expect(second.body == first.body && second["x-data-version"] == first["x-data-version"])
        }
        // The same question, written in another way.
        #expect(
            try await system.ask(.gateway, "/api/conversations?company=stra&tags=x,%20pricing&page=1")["x-cache"]
                == "HIT"
        )
        let version = try await system.ask(.gateway, targets[0])["x-data-version"].flatMap { Int($0) } ?? 0
        try await load("--no-text-index")
        for target in targets where !target.contains("q=") {
            let answer = try await system.ask(.gateway, target)
            #expect(answer["x-cache"] == "MISS", "\(target)")
            #expect(answer["x-data-version"] == "\(version + 1)")
        }
        expectError(try await system.ask(.api, targets[1]), 400, "INVALID_PARAMETER", fields: ["q"])
        expectError(try await system.ask(.gateway, targets[1]), 400, "INVALID_PARAMETER", fields: ["q"])
        #expect(try await system.sum("tickloop_cache_lookups_total", of: "api") > 0)
    }

    @Test @ReactorActor func `a fault of ours is in the log with its cause, and is not called an absence`() async throws
    {
        try await load()
        try await system.sql("alter table tag rename to tag_elsewhere")
        let answer = try await system.ask(.api, "/api/tags", fields: ["X-Request-Id: without-tags"])
        try await system.sql("alter table tag_elsewhere rename to tag")
        expectError(answer, 500, "INTERNAL_ERROR")
        try await eventually("the log line") {
            system.lines.contains { $0.contains("conversations_query_failed") && $0.contains("without-tags") }
        }
        #expect(system.lines.contains { $0.contains("without-tags") && $0.contains("42P01") })
        #expect(try await system.ask(.api, "/api/tags").status == 200)
    }
}
