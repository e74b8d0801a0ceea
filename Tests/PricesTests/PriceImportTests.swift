import Foundation
import Postgres
import Reactor
import Supervision
import TestSupport
import Testing

@testable import Prices

@Suite struct PriceImportTests {
    init() { loop }

    /// What an import said and did.
    private struct Outcome {
        var summary = PriceImport.Summary()
        var badLines: [String] = []
        var kinds: [BadLineKind] = []
        var hasWaited = false
    }

    @ReactorActor
    private func run(_ path: String, on session: PostgresSession) async throws -> Outcome {
        var outcome = Outcome()
        outcome.summary = try await PriceImport(session, sliceLines: 200) { event in
            switch event {
            case .badLine(let line):
                outcome.badLines.append("\(line.number): \(line.reason)")
                outcome.kinds.append(line.kind)
            case .waitingForOtherImport: outcome.hasWaited = true
            case .waiting, .read, .stored: break
            }
        }.run(path)
        return outcome
    }

    @ReactorActor
    private func run(lines: String, on database: TestDatabase) async throws -> Outcome {
        let path = "\(try TestFolder.make())/prices.csv"
        try Files.write(lines, to: path)
        return try await run(path, on: database.session)
    }

    @ReactorActor
    private func rows(_ database: TestDatabase) async throws -> [String] {
        try await database.rows("select symbol, recorded_at, price from prices order by 1, 2, 3")
    }

    @Test @ReactorActor func `running it twice doubles nothing, and equal lines all count`() async throws {
        let database = try await TestDatabase()
        let file = """
            recorded_at,price,symbol
            2025-01-01T09:00:00Z,1.10,A
            2025-01-01T09:00:00Z,1.1,A
            2025-01-01T10:00:00+01:00,1.100,A
            2025-01-01T09:00:00Z,1.2,A
            2025-01-01T09:00:00Z,1.1,B
            """
        let rowsAfter = [
            "A|2025-01-01 09:00:00+00|1.10", "A|2025-01-01 09:00:00+00|1.10", "A|2025-01-01 09:00:00+00|1.10",
            "A|2025-01-01 09:00:00+00|1.2", "B|2025-01-01 09:00:00+00|1.1",
        ]
        let first = try await run(lines: file, on: database).summary
        #expect(first == PriceImport.Summary(imported: 5, alreadyThere: 0, bad: 0))
        #expect(
            try await database.rows("select symbol, recorded_at, count(*) from prices group by 1, 2 order by 1, 2")
                .count == 2
        )
        #expect(try await rows(database).count == rowsAfter.count)
        #expect(
            try await run(lines: file, on: database).summary
                == PriceImport.Summary(imported: 0, alreadyThere: 5, bad: 0)
        )
        #expect(try await rows(database).count == rowsAfter.count)

        // One of three equal rows is taken away: one comes back.
        try await database.execute(
            "delete from prices where id = (select min(id) from prices where price = 1.1 and symbol = 'A')"
        )
        #expect(
            try await run(lines: file, on: database).summary
                == PriceImport.Summary(imported: 1, alreadyThere: 4, bad: 0)
        )
        // More than the file has is nobody's business.
        try await database.execute(
            "insert into prices (symbol, recorded_at, price) select symbol, recorded_at, price from prices"
        )
        #expect(
            try await run(lines: file, on: database).summary
                == PriceImport.Summary(imported: 0, alreadyThere: 5, bad: 0)
        )
        #expect(try await database.means() == ["2025-01-01 1.12"])
        #expect(try await database.differences() == [])
    }

    @Test @ReactorActor func `bad lines are named and the good ones are kept`() async throws {
        let database = try await TestDatabase()
        let outcome = try await run(
            lines: """
                symbol,recorded_at,price
                A,2025-01-01T09:00:00Z,1
                A,2025-01-01,2
                A B,2025-01-01T09:00:00Z,3
                "A,2025-01-01T09:00:00Z,4
                A,2025-01-01T09:00:00Z,five
                A,2025-01-01T09:00:00Z,6
                """,
            on: database
        )
        #expect(outcome.summary == PriceImport.Summary(imported: 2, alreadyThere: 0, bad: 4))
        #expect(outcome.badLines.map { $0.prefix { $0 != " " } } == ["3:", "4:", "5:", "6:"])
        #expect(outcome.kinds == [.time, .symbol, .csv, .price])
        #expect(try await database.means() == ["2025-01-01 3.5"])
    }

    @Test(arguments: [
        ("", PriceFileError.empty), ("a,b\n", .missingColumn("symbol", found: "\"a\", \"b\"")),
        ("\"", .unreadableHeader),
        ("symbol,recorded_at\n", .missingColumn("price", found: "\"symbol\", \"recorded_at\"")),
    ])
    @ReactorActor func `a file without a header is not imported`(lines: String, error: PriceFileError) async throws {
        let database = try await TestDatabase()
        await #expect(throws: PriceImport.Failure.file(error)) { try await run(lines: lines, on: database) }
    }

    @Test @ReactorActor func `a file that cannot be read is not imported`() async throws {
        let database = try await TestDatabase()
        let folder = try TestFolder.make()
        for (path, words) in [("\(folder)/none.csv", "No such file or directory"), (folder, "Is a directory")] {
            await #expect(throws: PriceImport.Failure.file(.unreadable(words))) {
                try await run(path, on: database.session)
            }
        }
        // The session is as usable as before.
        #expect(try await run(lines: "symbol,recorded_at,price\n", on: database).summary == PriceImport.Summary())
    }

    @Test @ReactorActor func `a file of many slices arrives whole, and imports take turns`() async throws {
        let database = try await TestDatabase()
        var lines = "symbol,recorded_at,price\n"
        var expected = 0
        for index in 0..<(2005) {
            let minute = index % 60 < 10 ? "0\(index % 60)" : "\(index % 60)"
            lines += "S\(index % 7),2025-01-0\(1 + index % 9)T09:\(minute):00Z,\(index % 100).25\n"
            expected += 1
        }
        let path = "\(try TestFolder.make())/prices.csv"
        try Files.write(lines, to: path)

        let other = try await database.connect()
        var second: Result<Outcome, any Error>?
        let session = database.session
        var first: Result<Outcome, any Error>?
        Reactor.spawn { do { first = .success(try await run(path, on: session)) } catch { first = .failure(error) } }
        Reactor.spawn { do { second = .success(try await run(path, on: other)) } catch { second = .failure(error) } }
        try await eventually("both imports", within: .seconds(120)) { first != nil && second != nil }

        let outcomes = try [#require(first).get(), #require(second).get()]
        #expect(outcomes.map(\.summary.imported).sorted() == [0, expected])
        #expect(outcomes.map(\.summary.alreadyThere).sorted() == [0, expected])
        #expect(outcomes.filter(\.hasWaited).count == 1)
        #expect(try await database.rows("select count(*) from prices") == ["\(expected)"])
        #expect(try await database.differences() == [])
    }

    @Test @ReactorActor func `a power of ten is a price as exact as any other`() async throws {
        let database = try await TestDatabase()
        _ = try await run(
            lines: "symbol,recorded_at,price\nA,2025-01-01T09:00:00Z,1e-05\nA,2025-01-01T09:00:00Z,-1.25E+3\n",
            on: database
        )
        #expect(try await database.rows("select price from prices order by 1") == ["-1250", "0.00001"])
    }

    @Test @ReactorActor func `a file in UTF-16 with semicolons is read like any other`() async throws {
        let database = try await TestDatabase()
        let text = "sep=;\r\nDate;Close\r\n2025-01-01;1.5\r\n2025-01-02;2.5\r\n"
        let path = "\(try TestFolder.make())/prices.csv"
        let units = text.utf16.flatMap { unit -> [UInt8] in [UInt8(unit & 0xFF), UInt8(unit >> 8)] }
        try Data([0xFF, 0xFE] + units).write(to: URL(filePath: path))
        let summary = try await PriceImport(database.session) { _ in }.run(path, symbol: Symbol("A"))
        #expect(summary == PriceImport.Summary(imported: 2, alreadyThere: 0, bad: 0))
        #expect(try await database.means() == ["2025-01-01 1.5", "2025-01-02 2.5"])
    }

    @Test @ReactorActor func `an import that waits for a forgotten transaction says whose it is`() async throws {
        let database = try await TestDatabase()
        let other = try await database.connect()
        try await other.execute("set application_name = 'forgotten'", deadline: soon)
        try await other.execute("begin; select from prices; lock table prices in share mode", deadline: soon)
        let number = try await other.query("select pg_backend_pid()", deadline: soon).int64(0, 0)
        let path = "\(try TestFolder.make())/prices.csv"
        try Files.write("symbol,recorded_at,price\nA,2025-01-01T09:00:00Z,1\n", to: path)

        var holders: [[LockHolder]] = []
        var result: Result<PriceImport.Summary, PriceImport.Failure>?
        let importing = PriceImport(database.session, observer: database.configuration) { event in
            if case .waiting(let held) = event { holders.append(held) }
        }
        Reactor.spawn {
            do throws(PriceImport.Failure) { result = .success(try await importing.run(path)) } catch {
                result = .failure(error)
            }
        }
        try await eventually("word of who holds the table", within: .seconds(60)) { !holders.isEmpty }
        let holder = try #require(holders.first?.first)
        #expect(holder.process == number)
        #expect(holder.description.hasSuffix("(forgotten, idle in transaction)"))
        #expect(result == nil)
        try await other.execute("commit", deadline: soon)
        try await eventually("the import", within: .seconds(60)) { result != nil }
        #expect(try result?.get() == PriceImport.Summary(imported: 1, alreadyThere: 0, bad: 0))
        // Said once, however long it took.
        #expect(holders.count == 1)
        other.close()
    }

    @Test @ReactorActor func `seeded rows are as many as asked for, within their days, and the same again`()
        async throws
    {
        let database = try await TestDatabase()
        let range = try #require(
            CalendarDate("2022-01-01").flatMap { first in
                CalendarDate("2022-12-31").flatMap { DateRange(first: first, last: $0) }
            }
        )
        let rows = PriceSeed.chunkRows + 1234
        var reports: [Int] = []
        try await PriceSeed(rows: rows, range: range, symbolCount: 12).run(on: database.session) { reports.append($0) }
        #expect(reports == [PriceSeed.chunkRows, rows])
        #expect(
            try await database.rows(
                "select count(*), count(distinct symbol), min(day), max(day) from daily_symbol_prices"
            )
                == ["\(12 * 365)|12|2022-01-01|2022-12-31"]
        )
        #expect(try await database.rows("select sum(count) from daily_prices") == ["\(rows)"])
        #expect(try await database.differences() == [])
        let digest = "select md5(string_agg(concat_ws(',', symbol, recorded_at, price), ';' order by id)) from prices"
        let before = try await database.rows(digest)
        try await database.execute("truncate prices")
        try await PriceSeed(rows: rows, range: range, symbolCount: 12).run(on: database.session) { _ in }
        #expect(try await database.rows(digest) == before)
    }
}
