import Postgres
import Reactor
import Supervision
import TestSupport
import Testing

@testable import Prices

@Suite(.serialized) struct RollupTests {
    init() { loop }

    private static let statements: [(sql: String, means: [String])] = [
        (
            """
            insert into prices (symbol, recorded_at, price) values
                ('A', '2025-01-01T00:00:00Z', 1), ('A', '2025-01-01T23:59:59.999999Z', 2),
                ('B', '2025-01-02 00:30+01', 4.5)
            """,
            ["2025-01-01 2.5"]
        ),
        (
            "insert into prices (symbol, recorded_at, price) select symbol, recorded_at, price from prices",
            ["2025-01-01 2.5"]
        ),
        ("update prices set price = price + 1 where symbol = 'A'", ["2025-01-01 3.166667"]),
        ("update prices set symbol = 'C' where symbol = 'B'", ["2025-01-01 3.166667"]),
        (
            "update prices set recorded_at = recorded_at + interval '2 days' where symbol = 'C'",
            ["2025-01-01 2.5", "2025-01-03 4.5"]
        ),
        (
            "update prices set symbol = 'D', recorded_at = '2025-01-04Z', price = -7 where symbol = 'C'",
            ["2025-01-01 2.5", "2025-01-04 -7"]
        ),
        ("update prices set price = price", ["2025-01-01 2.5", "2025-01-04 -7"]),
        ("update prices set price = 0 where false", ["2025-01-01 2.5", "2025-01-04 -7"]),
        (
            """
            merge into prices using (values ('A', 9), ('E', 8)) as given (symbol, price) on prices.symbol = given.symbol
            when matched then update set price = given.price
            when not matched then insert (symbol, recorded_at, price) values (given.symbol, '2025-01-05Z', given.price)
            """,
            ["2025-01-01 9", "2025-01-04 -7", "2025-01-05 8"]
        ),
        (
            """
            with gone as (delete from prices where symbol = 'E' returning price), new as (
                insert into prices (symbol, recorded_at, price) select 'F', '2025-01-06Z', price from gone
            )
            update prices set price = 3 where symbol = 'D'
            """,
            ["2025-01-01 9", "2025-01-04 3", "2025-01-06 8"]
        ),
        ("delete from prices where symbol = 'A'", ["2025-01-04 3", "2025-01-06 8"]),
        ("delete from prices", []),
        ("insert into prices (symbol, recorded_at, price) values ('A', '2025-01-01Z', 5)", ["2025-01-01 5"]),
        ("begin; delete from prices; rollback", ["2025-01-01 5"]),
        (
            "begin; savepoint a; truncate prices; rollback to a; update prices set price = 6; commit",
            ["2025-01-01 6"]
        ),
        // Changes that leave every sum as it was.
        ("insert into prices (symbol, recorded_at, price) values ('B', '2025-01-01Z', 0)", ["2025-01-01 3"]),
        ("update prices set recorded_at = '2025-01-02Z' where price = 0", ["2025-01-01 6", "2025-01-02 0"]),
        ("update prices set symbol = 'A' where price = 0", ["2025-01-01 6", "2025-01-02 0"]),
        ("delete from prices where price = 0", ["2025-01-01 6"]),
        ("truncate prices", []),
    ]

    @Test @ReactorActor func `the rollups follow every kind of statement`() async throws {
        let database = try await TestDatabase()
        for (sql, means) in Self.statements {
            try await database.execute(sql)
            #expect(try await database.means() == means, "\(sql)")
            #expect(try await database.differences() == [], "\(sql)")
        }
    }

    private static let statementsOnMonths: [(sql: String, months: [String])] = [
        (
            """
            insert into prices (symbol, recorded_at, price) values
                ('A', '2025-03-01Z', 3), ('A', '2025-02-28T23:59:59Z', 2), ('B', '2024-12-31Z', 1),
                ('A', '2025-01-01Z', 4)
            """,
            ["2024-12-31 1", "2025-01-01 4", "2025-02-28 2", "2025-03-01 3"]
        ),
        (
            "update prices set recorded_at = recorded_at + interval '1 day' where symbol = 'A'",
            ["2024-12-31 1", "2025-01-02 4", "2025-03-01 2,2025-03-02 3"]
        ),
        (
            "update prices set symbol = 'C' where symbol = 'B'",
            ["2024-12-31 1", "2025-01-02 4", "2025-03-01 2,2025-03-02 3"]
        ),
        (
            "begin; delete from prices where price = 4; savepoint a; delete from prices; rollback to a; commit",
            ["2024-12-31 1", "2025-03-01 2,2025-03-02 3"]
        ),
        ("delete from prices where price = 3", ["2024-12-31 1", "2025-03-01 2"]),
        ("truncate prices", []),
    ]

    @Test @ReactorActor func `the months follow their days`() async throws {
        let database = try await TestDatabase()
        for (sql, months) in Self.statementsOnMonths {
            try await database.execute(sql)
            #expect(try await database.months() == months, "\(sql)")
            #expect(try await database.differences() == [], "\(sql)")
        }
    }

    @Test @ReactorActor func `a month keeps what two writers of different days of it commit`() async throws {
        let database = try await TestDatabase()
        let second = try await database.connect()
        // Of a month that is new to both, then of one that is there.
        for days in [("01", "02"), ("03", "04")] {
            let insert = "insert into prices (symbol, recorded_at, price) values"
            try await database.execute("begin; \(insert) ('A', '2025-01-\(days.1)Z', 2)")
            var isDone = false
            var failure: (any Error)?
            Reactor.spawn {
                do { try await second.execute("\(insert) ('A', '2025-01-\(days.0)Z', 1)", deadline: soon) } catch {
                    failure = error
                }
                isDone = true
            }
            try await database.waitForLockWait()
            try await database.execute("commit")
            try await eventually("the end of the second writer", within: .seconds(120)) { isDone }
            #expect(failure == nil)
            #expect(try await database.differences() == [])
        }
        #expect(try await database.months() == ["2025-01-01 1,2025-01-02 2,2025-01-03 1,2025-01-04 2"])
    }

    @Test(arguments: ["repeatable read", "serializable"])
    @ReactorActor func `a writer with an old snapshot of a month is refused`(isolation: String) async throws {
        let database = try await TestDatabase()
        let old = try await database.connect()
        // A month that the snapshot does not have, then one that it has.
        for day in ["01", "03"] {
            try await old.execute("begin isolation level \(isolation); select count(*) from prices", deadline: soon)
            try await database.execute(
                "insert into prices (symbol, recorded_at, price) values ('A', '2025-01-\(day)Z', 1)"
            )
            let error = try await #require(throws: PostgresError.self) {
                try await old.execute(
                    "insert into prices (symbol, recorded_at, price) values ('B', '2025-01-02Z', 2)",
                    deadline: soon
                )
            }
            guard case .server(let refusal) = error else { throw error }
            #expect(refusal.sqlState.code == "40001")
            try await old.execute("rollback", deadline: soon)
            #expect(try await database.differences() == [])
        }
        #expect(try await database.means() == ["2025-01-01 1", "2025-01-03 1"])
    }

    @Test @ReactorActor func `the rollups follow COPY`() async throws {
        let database = try await TestDatabase()
        let copy = try await database.session.copyIn(
            "copy prices (symbol, recorded_at, price) from stdin",
            deadline: soon
        )
        try await copy.write(
            Array("A\t2025-01-01T09:00:00Z\t1\nB\t2025-01-02T09:00:00Z\t2\nA\t2025-01-01T10:00:00Z\t4\n".utf8)
        )
        #expect(try await copy.finish() == 3)
        #expect(try await database.means() == ["2025-01-01 2.5", "2025-01-02 2"])
        #expect(try await database.means(of: Symbol("A")) == ["2025-01-01 2.5"])
        #expect(try await database.differences() == [])
    }

    @Test @ReactorActor func `the day is the UTC day in every session`() async throws {
        let database = try await TestDatabase()
        try await database.execute(
            """
            set timezone = 'Asia/Tokyo'; set datestyle = 'German, DMY'; set extra_float_digits = 0;
            insert into prices (symbol, recorded_at, price) values
                ('A', '2024-12-31T23:59:59.999999Z', 1), ('A', '2025-01-01T00:00:00Z', 2),
                ('A', '2025-01-01T08:59+09:00', 3)
            """
        )
        #expect(try await database.means() == ["2024-12-31 2", "2025-01-01 2"])
    }

    @Test(arguments: [
        (["0.0000005"], "0.000001"), (["-0.0000005"], "-0.000001"), (["0.00000049999999999999999999999"], "0"),
        (["-0.00000049999999999999999999999"], "0"), (["1", "0", "0"], "0.333333"), (["2", "0", "0"], "0.666667"),
        (["-2", "0", "0"], "-0.666667"), (["100.000001", "100.000002"], "100.000002"),
        (["-100.000001", "-100.000002"], "-100.000002"), (["100.00", "100.000"], "100"), (["0", "0.0"], "0"),
        (["-5", "5"], "0"), (["101.25", "102.10", "99.80"], "101.05"), (["98.40", "100.20", "99.70"], "99.433333"),
        (["104.00", "104.80", "105.30"], "104.7"), (["96.5", "97.5"], "97"),
        (["12345678901234567890.1234565"], "12345678901234567890.123457"),
        // A quotient that is rounded first is carried over the half: .428571485… becomes .4285715 and then .428572.
        (["10000000000000000000.0000004", "0", "0", "0", "0", "0", "0"], "1428571428571428571.428571"),
        // 1/7 of it has a repeating fraction that a rounded quotient would carry over the half.
        (["10000000000000000000.0000035", "0", "0", "0", "0", "0", "0"], "1428571428571428571.428572"),
    ])
    @ReactorActor func `the mean is exact and rounded half away from zero`(prices: [String], mean: String) async throws
    {
        let database = try await Shared.database.value
        let values = prices.map { "('A', '2025-01-01Z', \($0))" }.joined(separator: ", ")
        try await database.execute("truncate prices; insert into prices (symbol, recorded_at, price) values \(values)")
        #expect(
            try await database.rows("select average_json from daily_prices") == [
                "{\"date\":\"2025-01-01\",\"average_price\":\(mean)}"
            ]
        )
    }

    /// One database for the arguments of a test, which come one after another.
    @ReactorActor
    private final class Shared {
        static let database = Shared()
        private var made: TestDatabase?

        var value: TestDatabase {
            get async throws {
                if let made { return made }
                let database = try await TestDatabase()
                made = database
                return database
            }
        }
    }

    @Test(arguments: [
        ("'A', '2025-01-01Z', 'NaN'", "prices_price_is_finite"),
        ("'A', '2025-01-01Z', 'Infinity'", "prices_price_is_finite"),
        ("'A', '2025-01-01Z', '-Infinity'", "prices_price_is_finite"),
        ("'A', 'infinity', 1", "prices_recorded_at_is_finite"), ("'A', '-infinity', 1", "prices_recorded_at_is_finite"),
        ("'', '2025-01-01Z', 1", "prices_symbol_is_valid"), ("'A B', '2025-01-01Z', 1", "prices_symbol_is_valid"),
        ("E'A\\n', '2025-01-01Z', 1", "prices_symbol_is_valid"), ("'Ä', '2025-01-01Z', 1", "prices_symbol_is_valid"),
        ("repeat('A', 33), '2025-01-01Z', 1", "prices_symbol_is_valid"),
    ])
    @ReactorActor func `what is no price is refused`(values: String, constraint: String) async throws {
        let database = try await Shared.database.value
        let error = try await #require(throws: PostgresError.self) {
            try await database.execute("insert into prices (symbol, recorded_at, price) values (\(values))")
        }
        guard case .server(let refusal) = error else { throw error }
        #expect(refusal.constraint == constraint)
    }

    @Test @ReactorActor func `concurrent writers leave the rollups exact`() async throws {
        let database = try await TestDatabase()
        var running = 6
        var failures: [any Error] = []
        for writer in 1...6 {
            let session = try await database.connect()
            Reactor.spawn {
                var random = SplitMix64(seed: UInt64(writer))
                do {
                    for _ in 1...60 { _ = try await session.execute(Self.randomStatement(&random), deadline: soon) }
                } catch {
                    failures.append(error)
                }
                running -= 1
            }
        }
        try await eventually("the end of the writers", within: .seconds(120)) { running == 0 }
        #expect(failures.isEmpty)
        #expect(try await database.differences() == [])
        // They did write: the last truncate may have left nothing, but it does not turn the numbers back.
        #expect(try await database.rows("select last_value > 300 from prices_id_seq") == ["t"])
    }

    /// A statement on some rows of few symbols and days, so that writers meet. Rows are taken without waiting, because
    /// two statements that lock rows of `prices` in different orders may deadlock, rollups or not.
    private static func randomStatement(_ random: inout SplitMix64) -> String {
        let some = """
            id in (select id from prices order by md5(id::text || '\(random.next())') limit 4 for update skip locked)
            """
        switch Int.random(in: 0..<10, using: &random) {
        case 0..<5:
            let rows = (0..<4).map { _ in
                let symbol = "ABC".randomElement(using: &random) ?? "A"
                // From 30 January to 3 February.
                let day = Int.random(in: 0...4, using: &random)
                let price = Int.random(in: -999...999, using: &random)
                return "('\(symbol)', timestamptz '2025-01-30Z' + \(day) * interval '1 day', \(price) * 0.001)"
            }
            return "insert into prices (symbol, recorded_at, price) values \(rows.joined(separator: ", "))"
        case 5: return "update prices set price = price + 0.125 where \(some)"
        case 6: return "update prices set symbol = translate(symbol, 'ABC', 'BCA') where \(some)"
        case 7:
            return
                "update prices set recorded_at = recorded_at + interval '1 day' where \(some)"
        case 8: return "delete from prices where \(some)"
        default:
            return Int.random(in: 0..<5, using: &random) == 0 ? "truncate prices" : "delete from prices where \(some)"
        }
    }

    @Test @ReactorActor func `a truncate is exact also for a transaction with an old snapshot`() async throws {
        let database = try await TestDatabase()
        try await database.execute("insert into prices (symbol, recorded_at, price) values ('A', '2025-01-01Z', 1)")
        let old = try await database.connect()
        try await old.execute("begin isolation level repeatable read; select count(*) from prices", deadline: soon)
        try await database.execute("insert into prices (symbol, recorded_at, price) values ('A', '2025-01-02Z', 1)")
        try await old.execute("truncate prices; commit", deadline: soon)
        #expect(try await database.means() == [])
        #expect(try await database.differences() == [])
    }

    @Test @ReactorActor func `who may write prices need not, and cannot, write the rollups`() async throws {
        let database = try await TestDatabase()
        let server = try await TestServers.postgres()
        let role = "writer_of_\(database.configuration.database)"
        try await server.run("create role \(role) login password 'secret'", isSuperuser: true)
        try await database.execute("grant insert, select, update, delete on prices to \(role)")
        var configuration = database.configuration
        configuration.host = "127.0.0.1"
        configuration.user = role
        configuration.password = "secret"
        let writer = try await PostgresSession.open(configuration)
        // A temporary table of the same name must not catch what the triggers write.
        try await writer.execute(
            "create temporary table daily_prices (day date, total numeric, count bigint)",
            deadline: soon
        )
        let sql = "insert into prices (symbol, recorded_at, price) values ('A', '2025-01-01Z', 1)"
        try await writer.execute(sql, deadline: soon)
        #expect(try await database.means() == ["2025-01-01 1"])
        for update in ["daily_prices set total = 2", "monthly_prices set averages_json = null"] {
            await #expect(throws: PostgresError.self) {
                try await writer.execute("update public.\(update)", deadline: soon)
            }
        }
    }

    @Test @ReactorActor func `a falsified rollup is found and made anew`() async throws {
        let database = try await TestDatabase()
        try await database.execute(
            """
            insert into prices (symbol, recorded_at, price) values ('A', '2025-01-01Z', 1), ('B', '2025-01-02Z', 2);
            update daily_prices set total = 7 where day = '2025-01-01';
            update daily_prices set average_json = '{}' where day = '2025-01-02';
            delete from daily_symbol_prices where symbol = 'A';
            insert into daily_symbol_prices (symbol, day, total, count) values ('C', '2025-01-03', 1, 1);
            insert into prices (symbol, recorded_at, price) values ('A', '2025-02-01Z', 1), ('A', '2025-03-01Z', 1);
            update monthly_prices set averages_json = '{}' where month = '2025-02-01';
            delete from monthly_prices where month = '2025-03-01';
            insert into monthly_prices values ('2025-04-01', '{}'), ('2025-05-01', null)
            """
        )
        #expect(
            try await database.rows("select rollup, symbol, day from prices_rollup_differences() order by 1, 2, 3")
                == [
                    "daily_prices|null|2025-01-01", "daily_prices|null|2025-01-02",
                    "daily_symbol_prices|A|2025-01-01", "daily_symbol_prices|C|2025-01-03",
                    "monthly_prices|null|2025-02-01", "monthly_prices|null|2025-03-01",
                    "monthly_prices|null|2025-04-01",
                ]
        )
        try await database.execute("call rebuild_price_rollups()")
        #expect(try await database.differences() == [])
        #expect(
            try await database.means() == ["2025-01-01 1", "2025-01-02 2", "2025-02-01 1", "2025-03-01 1"]
        )
        #expect(try await database.months() == ["2025-01-01 1,2025-01-02 2", "2025-02-01 1", "2025-03-01 1"])
    }
}
