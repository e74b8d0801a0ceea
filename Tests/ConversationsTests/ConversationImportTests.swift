import Postgres
import Reactor
import Supervision
import TestSupport
import Testing

@testable import Conversations

@Suite struct ConversationImportTests {
    init() { loop }

    @Test @ReactorActor func `the same set again changes nothing, and another one is counted by its differences`()
        async throws
    {
        let database = try await TestDatabase()
        let folder = try await ParquetSets.sample("--related", of: 120)
        var events: [ConversationImport.Event] = []
        let first = try await database.load(folder) { events.append($0) }
        // 3 companies, 8 tags, 12 transcripts, 120 conversations.
        #expect(first == .init(rows: 143, changed: 143))
        #expect(events.last == .indexed(steps: 5, total: 5))
        #expect(events.contains(.read(rows: 143, total: 143)))
        #expect(try await database.load(folder) == .init(rows: 143, changed: 0))
        #expect(try await database.version == "1")

        let more = try await ParquetSets.sample("--related", of: 130)
        let other = try await database.load(more)
        #expect(other.rows == 156)
        #expect(try await database.version == "2")
        #expect(try await database.rows("select count(*) from conversation") == ["130"])
        // Nothing is left of the building of a set.
        #expect(
            try await database.rows(
                "select count(*) from pg_class where relnamespace = 'conversation_import'::regnamespace"
            ) == ["0"]
        )

        // Somebody has changed a row: that is a difference.
        try await database.session.execute("update tag set tag_value = 'x' where id_tag = '1'", deadline: soon)
        #expect(try await database.load(more).changed == 1)
        #expect(try await database.rows("select tag_value from tag where id_tag = '1'") == ["competition"])
    }

    @Test @ReactorActor func `the text index can be left out, and be made later`() async throws {
        let database = try await TestDatabase()
        let folder = try await ParquetSets.make(ParquetSets.one)
        let index = """
            select has_text_index, exists (select from conversation_search where words is not null),
                to_regclass('conversation_search_words') is not null
            from conversation_set
            """
        try await database.load(folder, hasTextIndex: false)
        #expect(try await database.rows(index) == ["f|f|f"])
        #expect(try await database.load(folder, hasTextIndex: false).changed == 0)
        try await database.load(folder)
        #expect(try await database.rows(index) == ["t|t|t"])
    }

    @Test @ReactorActor func `values come in every form that sets have them in`() async throws {
        let database = try await TestDatabase()
        let folder = try await ParquetSets.make(
            """
            when = datetime.datetime(2024, 3, 20, 10, 30, 0, 250000)
            day = datetime.date(2024, 3, 20)
            part("company", 0, {"id_company": pa.array([1, 2], pa.int32()),
                                "company_name": ["Ä\\tB", "back\\\\slash"]})
            part("company", 1, {"logo": ["l"], "company_name": pa.array([b"bytes"]), "id_company": ["3"]})
            part("company", 2, {"id_company": pa.array([], pa.int64()), "company_name": pa.array([], pa.string())})
            open(root + "/company/_SUCCESS", "w"); open(root + "/company/.part.crc", "w")
            open(root + "/company/._part-00000.parquet", "w").write("no")
            part("tag", 0, {"id_tag": [1.0, 2.0], "tag_value": pa.array(["a", "b"]).dictionary_encode()})
            part("transcript", 0, {"id_transcript": [1], "publish_date": pa.array([when], pa.timestamp("ns"))},
                 use_deprecated_int96_timestamps=True)
            part("transcript", 1, {"id_transcript": [2], "publish_date": pa.array([when], pa.timestamp("us", "UTC"))})
            part("transcript", 2, {"id_transcript": [3], "publish_date": pa.array([day])})
            part("transcript", 3, {"id_transcript": [4], "publish_date": ["2024-03-20 10:30:00"]})
            part("transcript", 4, {"id_transcript": [5, 6], "publish_date": pa.nulls(2), "length": [1.0, None]})
            part("conversation", 0, {"id_conversation": [2**40], "question": ["a\\nb\\r\\\\N"], "answer": [""]})
            part("conversation", 1, {"id_conversation": pa.array([7], pa.uint64()), "id_tag": pa.array([2])})
            """
        )
        #expect(try await database.load(folder) == .init(rows: 13, changed: 13))
        #expect(
            try await database.rows("select * from company order by 1")
                == ["1|Ä\tB|null", "2|back\\slash|null", "3|bytes|l"]
        )
        #expect(try await database.rows("select * from tag order by 1") == ["1|a", "2|b"])
        #expect(
            try await database.rows("select id_transcript, publish_date, length from transcript order by 1") == [
                "1|2024-03-20 10:30:00.25|null", "2|2024-03-20 10:30:00.25|null", "3|2024-03-20 00:00:00|null",
                "4|2024-03-20 10:30:00|null", "5|null|1", "6|null|null",
            ]
        )
        #expect(
            try await database.rows("select id_conversation, question, answer, id_tag from conversation order by 1")
                == ["1099511627776|a\nb\r\\N||null", "7|null|null|2"]
        )
    }

    @Test @ReactorActor func `a bad row is named by file, row group, row, column and reason, and the good ones stay`()
        async throws
    {
        let database = try await TestDatabase()
        let folder = try await ParquetSets.make(
            ParquetSets.one + """
                part("tag", 1, {"id_tag": [2, None, 4, 5, 6, 2],
                    "tag_value": pa.array([b"b", b"c", None, b"", b"\\xff", b"twice"])}, row_group_size=2)
                part("conversation", 1, {"id_conversation": ["a", "b", "c", "d"],
                    "sequence_conversation": ["1", "one", "3", "4"], "question": ["", "", "nul\\0", "x"]})
                part("transcript", 1, {"id_transcript": range(100, 130), "length": [0.5] * 30})
                os.makedirs(root + "/monologue")
                """
        )
        #expect(try await database.load(folder) == .init(rows: 7, changed: 7, leftRowsOut: true))
        #expect(try await database.rows("select * from tag order by 1") == ["1|pricing", "2|b"])
        #expect(try await database.rows("select id_conversation from conversation order by 1") == ["1", "a", "d"])

        let tags = try await ParquetSets.read(folder, "tag").lines.filter { $0.contains("row group") }
        let file = "\(folder)/tag/part-00001.parquet: row group"
        #expect(
            tags == [
                "\(file) 0, row 2, column id_tag: is null", "\(file) 1, row 1, column tag_value: is null",
                "\(file) 1, row 2, column tag_value: is empty",
                "\(file) 2, row 1, column tag_value: is not a text in UTF-8",
            ]
        )
        #expect(
            try await ParquetSets.read(folder, "tag", "--repeated", "2").lines
                == ["\(file) 2, row 2, column id_tag: 2 is there already"]
        )
        let conversations = try await ParquetSets.read(folder, "conversation").lines.filter { $0.contains("row group") }
        #expect(
            conversations.map { String($0.split(separator: "part-00001.parquet: ")[1]) } == [
                "row group 0, row 2, column sequence_conversation: is not a whole number of 64 bits",
                "row group 0, row 3, column question: contains NUL",
            ]
        )
        let transcripts = try await ParquetSets.read(folder, "transcript")
        #expect(transcripts.status == .exited(3))
        #expect(transcripts.lines.filter { $0.contains("row group") }.count == 20)
        #expect(transcripts.lines.contains("and 10 more bad rows of transcript"))
        #expect(try await ParquetSets.read(folder).lines.first == "\(folder)/monologue: skipped")
    }

    /// A file, what is done to it with its path in `p`, and the reason that is said.
    private static let damages = [
        ("tag/part-00000.parquet", "open(p, 'w').write('PAR1 and no more')", "Parquet"),
        (
            "conversation/part-00000.parquet", "b = open(p, 'rb').read(); open(p, 'wb').write(b[:len(b) // 2])",
            "Parquet"
        ),
        ("company/part-00000.parquet", "open(p, 'w')", "0 bytes"),
        ("transcript/part-00001.parquet", "part('transcript', 1, {'name': ['x']})", "has no column id_transcript"),
        ("tag/part-00001.parquet", "part('tag', 1, {'id_tag': [True], 'tag_value': ['x']})", "column id_tag is bool"),
        ("tag/part-00001.parquet", "part('tag', 1, {'id_tag': [[1]], 'tag_value': ['x']})", "column id_tag is list"),
        ("tag/part-00001.parquet", "pq.write_table(pa.table({}), p)", "has no column id_tag, tag_value"),
        ("tag/part-00001.csv", "open(p, 'w').write('id_tag,tag_value\\n1,pricing\\n')", "Parquet"),
        ("company/part-00000.parquet", "b = open(p, 'rb').read(); open(p, 'wb').write(b[:-1])", "Parquet"),
        ("company/part-00000.parquet", "b = open(p, 'rb').read(); open(p, 'wb').write(b[:4] + b[-400:])", ": "),
        ("tag", "import shutil; shutil.rmtree(p)", "is not there"),
        ("tag", "import shutil; shutil.rmtree(p); open(p, 'w')", "is not there"),
        ("tag", "os.remove(p + '/part-00000.parquet'); open(p + '/_SUCCESS', 'w')", "has no part files"),
        (
            "tag", "part('tag', 0, {'id_tag': pa.array([], pa.int32()), 'tag_value': pa.array([], pa.string())})",
            "has no rows in any of its files"
        ),
    ]

    @Test @ReactorActor func `a file that cannot be used is named with the reason, and the old set stays`() async throws
    {
        let database = try await TestDatabase()
        let folder = try await ParquetSets.make(ParquetSets.one)
        try await database.load(folder)
        // All of them at once: to start Python is most of what they cost.
        let damaged = Self.damages.enumerated().map { number, damage in
            """
            import shutil
            root = sys.argv[1] + "-\(number)"
            shutil.copytree(sys.argv[1], root)
            p = root + '/\(damage.0)'
            \(damage.1)

            """
        }
        _ = try await ParquetSets.make(in: folder, damaged.joined())
        for (number, (path, damage, reason)) in Self.damages.enumerated() {
            let folder = "\(folder)-\(number)"
            await #expect(throws: ConversationImport.Failure.unreadable, "\(damage)") {
                try await database.load(folder)
            }
            #expect(
                try await database.rows("select version, (select count(*) from tag) from conversation_set") == ["1|1"]
            )
            let said = try await ParquetSets.read(folder)
            #expect(said.status == .exited(1))
            #expect(said.lines.contains { $0.hasPrefix("\(folder)/\(path): ") && $0.contains(reason) }, "\(said.lines)")
        }
    }

    @Test @ReactorActor func `a page damaged in the middle of a file ends the import, and the old set stays`()
        async throws
    {
        let database = try await TestDatabase()
        let folder = try await ParquetSets.make(ParquetSets.one)
        try await database.load(folder)
        _ = try await ParquetSets.make(
            in: folder,
            """
            p = root + "/tag/part-00000.parquet"
            part("tag", 0, {"id_tag": range(1000), "tag_value": [str(n) * 9 for n in range(1000)]},
                 write_page_checksum=True, use_dictionary=False, compression="none")
            b = bytearray(open(p, "rb").read()); b[len(b) // 2] ^= 1; open(p, "wb").write(b)
            """
        )
        await #expect(throws: ConversationImport.Failure.unreadable) { try await database.load(folder) }
        #expect(try await database.rows("select version, (select count(*) from tag) from conversation_set") == ["1|1"])
        #expect(try await ParquetSets.read(folder, "tag").lines.contains { $0.contains("part-00000.parquet: ") })
    }

    @Test @ReactorActor func `without a program that reads Parquet nothing happens`() async throws {
        let database = try await TestDatabase()
        let importing = ConversationImport(database.session, .init(reader: "/nowhere/read-parquet"))
        await #expect(throws: ConversationImport.Failure.noReader) { try await importing.run("/") }
    }

    // MARK: By order

    @Test @ReactorActor func `the order of the rows relates what has no keys`() async throws {
        let database = try await TestDatabase()
        let folder = try await ParquetSets.make(
            """
            part("company", 0, {"id_company": [20], "company_name": ["First"]})
            part("company", 1, {"id_company": [10], "company_name": ["Second"]})
            part("tag", 0, {"id_tag": [1], "tag_value": ["a"]})
            kinds = ["conversation", "monologue", "conversation"]
            part("transcript", 0, {"id_transcript": [5, 4, 3], "transcript_type": kinds})
            part("transcript", 1, {"id_transcript": [2], "transcript_type": ["conversation"]})
            part("conversation", 0, {"id_conversation": list("abc"), "sequence_conversation": [1, 2, 1]})
            part("conversation", 1, {"id_conversation": list("def"), "sequence_conversation": [2, 3, 1]})
            """
        )
        #expect(try await database.load(folder, relatesByOrder: true).changed == 13)
        #expect(
            try await database.rows("select id_transcript, id_company from transcript order by 1")
                == ["2|10", "3|10", "4|20", "5|20"]
        )
        #expect(
            try await database.rows("select id_conversation, id_transcript from conversation order by 1")
                == ["a|5", "b|5", "c|3", "d|3", "e|3", "f|2"]
        )
    }

    @Test(arguments: [
        ("part('company', 1, {'id_company': [2], 'company_name': ['B']})", "1 transcripts cannot be shared evenly"),
        ("part('conversation', 1, {'id_conversation': ['z'], 'sequence_conversation': [1]})", "starts 2 times at 1"),
        ("part('conversation', 0, {'id_conversation': [1], 'sequence_conversation': [2]})", "is not 1"),
        ("part('conversation', 0, {'id_conversation': [1]})", "has no column sequence_conversation"),
        ("part('transcript', 0, {'id_transcript': [1]})", "starts 1 times at 1, and there are 0"),
    ])
    @ReactorActor func `an order that does not come out even is refused`(change: String, reason: String) async throws {
        let database = try await TestDatabase()
        let folder = try await ParquetSets.make(
            """
            part("company", 0, {"id_company": [1], "company_name": ["Acme"]})
            part("tag", 0, {"id_tag": [1], "tag_value": ["a"]})
            part("transcript", 0, {"id_transcript": [1], "transcript_type": ["conversation"]})
            part("conversation", 0, {"id_conversation": [1], "sequence_conversation": [1]})

            """ + change
        )
        await #expect(throws: ConversationImport.Failure.unreadable) {
            try await database.load(folder, relatesByOrder: true)
        }
        let said = try await ParquetSets.read("--relate-by-order", folder)
        #expect(said.status == .exited(1))
        #expect(said.lines.last?.contains(reason) == true, "\(said.lines)")
    }

    @Test @ReactorActor func `a set that has keys is not related by its order`() async throws {
        let database = try await TestDatabase()
        let folder = try await ParquetSets.make(ParquetSets.one)
        await #expect(throws: ConversationImport.Failure.unreadable) {
            try await database.load(folder, relatesByOrder: true)
        }
        #expect(try await database.version == "0")
    }

    // MARK: Readers meanwhile

    /// What readers got.
    @ReactorActor private final class Seen {
        var answers: [Set<String>] = [[], [], []]
        var isEnough = false
    }

    /// Conversations in which everything is of this name.
    @ReactorActor private func set(_ name: String, of count: Int) async throws -> String {
        try await ParquetSets.make(
            """
            n = range(\(count))
            part("company", 0, {"id_company": [1], "company_name": ["\(name)"]})
            part("tag", 0, {"id_tag": [1], "tag_value": ["\(name)"]})
            part("transcript", 0, {"id_transcript": n, "id_company": [1] * \(count), "title": ["\(name)"] * \(count)})
            part("conversation", 0, {"id_conversation": [f"\(name){i:05}" for i in n], "id_transcript": n,
                                     "id_tag": [1] * \(count), "question": ["\(name)"] * \(count)})
            """
        )
    }

    @Test @ReactorActor func `readers see one set or the other, never a mixture, never none and never an error`()
        async throws
    {
        let database = try await TestDatabase()
        let folders = [try await set("A", of: 500), try await set("B", of: 400)]
        try await database.load(folders[1])
        let joining = PostgresStatement(
            reading: """
                select string_agg(distinct company_name || tag_value || title || question || (version % 2), ' ')
                    || ' ' || count(*)
                from conversation join transcript using (id_transcript) join company using (id_company)
                    join tag using (id_tag), conversation_set
                """
        )
        let page: [PostgresParameter] = [.int64(1), .int64(0), .null]
        let seen = Seen()
        let readers = seen.answers.indices.map { kind in
            Task { @ReactorActor in
                let reader = try await database.connect()
                defer { reader.close() }
                while !seen.isEnough {
                    if kind == 0 {
                        seen.answers[0].insert(try await reader.query(joining, deadline: soon).text(0, 0) ?? "")
                        continue
                    }
                    let hasText = kind == 2
                    let row = try await reader.query(
                        ConversationStatements.search(company: true, tags: true, text: hasText),
                        page + [.text(""), .array(["a", "b"]), hasText ? .text("b") : .null, .null],
                        deadline: soon
                    )
                    let version = ConversationVersion.number(of: row.text(0, 0) ?? "")
                    let (ids, total) = (row.text(0, 1) ?? "", row.int64(0, 3) ?? 0)
                    seen.answers[kind].insert("\(version % 2) \(ids) \(total)")
                }
            }
        }
        for round in 0..<6 { try await database.load(folders[round % 2]) }
        seen.isEnough = true
        for reader in readers { try await reader.value }
        #expect(seen.answers[0] == ["AAAA0 500", "BBBB1 400"])
        #expect(seen.answers[1] == [#"0 ["A00000"] 500"#, #"1 ["B00000"] 400"#])
        #expect(seen.answers[2] == ["0 [] 0", #"1 ["B00000"] 400"#])
    }

    @Test @ReactorActor func `whoever has read one table and then reads another is not in the way of an end`()
        async throws
    {
        let database = try await TestDatabase()
        let folder = try await ParquetSets.make(ParquetSets.one)
        let reader = try await database.connect()
        let importer = try await database.connect()
        defer {
            reader.close()
            importer.close()
        }
        for (first, second) in [("conversation", "company"), ("company", "conversation_search")] {
            try await database.execute("delete from company")
            try await database.execute("begin; select from \(first)", on: reader)
            let importing = Task { @ReactorActor in
                try await ConversationImport(importer, .init(reader: "\(etc)/read-parquet")).run(folder)
            }
            try await database.waitForLockWait()
            // Longer than a server waits before it looks for a deadlock.
            try await database.execute("select pg_sleep(1.2)")
            try await database.execute("select from \(second)", on: reader)
            try await database.execute("commit", on: reader)
            #expect(try await importing.value.changed > 0)
        }
    }

    @Test @ReactorActor func `two imports at once take turns`() async throws {
        let database = try await TestDatabase()
        let folder = try await ParquetSets.make(ParquetSets.one)
        let other = try await database.connect()
        defer { other.close() }
        try await other.execute("begin; select pg_advisory_xact_lock(\(ConversationImport.lockNumber))", deadline: soon)
        var hasWaited = false
        try await database.load(folder) { event in
            guard event == .waitingForOtherImport else { return }
            hasWaited = true
            Reactor.spawn { _ = try? await other.execute("commit", deadline: soon) }
        }
        #expect(hasWaited)
    }
}
