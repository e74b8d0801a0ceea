import Glibc
import Metrics
import Reactor
import TestSupport
import Testing

@testable import Postgres

private let one = PostgresStatement(reading: "select 1")
private let echo = PostgresStatement(reading: "select $1::text, $2::bigint, $3::bytea, $4::date")
private let division = PostgresStatement(reading: "select 100 / $1::int")
private let sleep = PostgresStatement("select pg_sleep($1::float8)")
private let process = PostgresStatement(reading: "select pg_backend_pid()")

@Suite struct PoolTests {
    init() { loop }

    /// A pool on a new database; `connections` of them.
    @ReactorActor
    private func pool(
        connections: Int = 1,
        _ change: (inout PostgresConfiguration) -> Void = { _ in }
    ) async throws -> PostgresPool {
        var configuration = try await database()
        configuration.connections = connections
        change(&configuration)
        return PostgresPool(configuration, logger: quiet)
    }

    @Test @ReactorActor func `values of every kind come back as they were sent`() async throws {
        let pool = try await pool()
        let long = String(repeating: "ä€😀'\\", count: 10_000)
        let result = try await pool.query(
            echo,
            [.text(long), .int64(.min), .bytea([0, 1, 255]), .utf8(Array("2025-01-06".utf8))],
            deadline: soon
        )
        #expect(result.count == 1)
        #expect(result.columnCount == 4)
        #expect(result.text(0, 0) == long)
        #expect(result.int64(0, 1) == .min)
        #expect(result.text(0, 2) == "\\x0001ff")
        #expect(result.text(0, 3) == "2025-01-06")
        #expect(result.int64(0, 3) == nil)
        let nulls = try await pool.query(echo, [nil, 7, nil, nil], deadline: soon)
        #expect(nulls.text(0, 0) == nil)
        #expect(nulls.isNull(0, 3))
        #expect(nulls.int64(0, 1) == 7)
        let days = PostgresStatement(reading: "select $1::date[]::text")
        let dates = try await pool.query(days, [.dates([-1, 0, 9137, -730_119])], deadline: soon)
        #expect(dates.text(0, 0) == "{1999-12-31,2000-01-01,2025-01-06,0001-01-01}")
        #expect(try await pool.query(days, [.dates([])], deadline: soon).text(0, 0) == "{}")
        for (element, type, numbers) in [
            (BinaryArray.Element.int2, "smallint", [0, -1, 32767, -32768]), (.int4, "integer", [7, -(1 << 31)]),
            (.int8, "bigint", [.max, .min, 0]),
        ] {
            var array = BinaryArray(of: element)
            for number in numbers { array.append(number) }
            let statement = PostgresStatement(reading: "select $1::\(type)[]::text")
            let text = try await pool.query(statement, [.binary(array)], deadline: soon).text(0, 0)
            #expect(text == "{\(numbers.map(String.init).joined(separator: ","))}")
        }
        var texts = BinaryArray(of: .text)
        for text in ["", long, #"{"a,b"}\"#, "NULL"] { texts.append(utf8: text.utf8.span) }
        let whole = PostgresStatement(reading: "select array_to_string($1::text[], '|')")
        let joined = try await pool.query(whole, [.binary(texts)], deadline: soon).text(0, 0)
        #expect(joined == #"|\#(long)|{"a,b"}\|NULL"#)
        pool.close()
    }

    @Test @ReactorActor func `an error fails its own statement and no other of those in flight`() async throws {
        let pool = try await pool()
        _ = try await pool.query(one, deadline: soon)
        var answers: [Int: String] = [:]
        let all = Promise<Void, PostgresError>()
        for number in 0..<40 {
            pool.query(division, [.int64(Int64(number % 4))], deadline: soon) { outcome in
                switch outcome {
                case .success(let result): answers[number] = result.text(0, 0)
                case .failure(let error): answers[number] = "\(error)"
                }
                if answers.count == 40 { all.succeed(()) }
            }
        }
        try await all.value
        for number in 0..<40 {
            let expected = ["refused by the database (22012)", "100", "50", "33"][number % 4]
            #expect(answers[number] == expected)
        }
        #expect(pool.statistics.inFlight == 0)
        pool.close()
    }

    @Test @ReactorActor func `a statement of which the syntax is wrong fails each time, and harms nobody`() async throws
    {
        let pool = try await pool()
        let wrong = PostgresStatement(reading: "selct 1")
        for _ in 0..<3 {
            async let other = pool.query(one, deadline: soon)
            await #expect(throws: PostgresError.self) { try await pool.query(wrong, deadline: soon) }
            #expect(try await other.int64(0, 0) == 1)
        }
        #expect(pool.statistics.reconnects == 0)
        pool.close()
    }

    @Test @ReactorActor func `a deferred constraint fails the statement whose commit it refuses`() async throws {
        let pool = try await pool()
        try await withSession(pool.configuration) { session in
            try await session.execute(
                "create table t (a int constraint only_once unique deferrable initially deferred)",
                deadline: soon
            )
        }
        let insert = PostgresStatement("insert into t select 1 from generate_series(1, $1::int)")
        #expect(try await pool.query(insert, [1], deadline: soon).affectedRows == 1)
        let error = await #expect(throws: PostgresError.self) { try await pool.query(insert, [1], deadline: soon) }
        guard case .server(let refusal) = error else { return #expect(Bool(false), "\(String(describing: error))") }
        #expect(refusal.sqlState == .uniqueViolation)
        #expect(refusal.constraint == "only_once")
        pool.close()
    }

    @Test @ReactorActor func `a prepared statement survives a change of the table, and that the server forgets it`()
        async throws
    {
        let pool = try await pool()
        let all = PostgresStatement(reading: "select * from t")
        try await withSession(pool.configuration) { session in
            try await session.execute("create table t (a int); insert into t values (1)", deadline: soon)
        }
        #expect(try await pool.query(all, deadline: soon).columnCount == 1)
        try await withSession(pool.configuration) { session in
            try await session.execute("alter table t add b int", deadline: soon)
        }
        #expect(try await pool.query(all, deadline: soon).columnCount == 2)
        _ = try await pool.query(PostgresStatement("deallocate all"), deadline: soon)
        #expect(try await pool.query(all, deadline: soon).columnCount == 2)
        #expect(pool.statistics.reconnects == 0)
        pool.close()
    }

    @Test @ReactorActor func `NUL in a text is refused before it is sent`() async throws {
        let pool = try await pool()
        await #expect(throws: PostgresError.unencodable) {
            try await pool.query(echo, ["a\0b", nil, nil, nil], deadline: soon)
        }
        pool.close()
    }

    @Test @ReactorActor func `at its deadline a statement fails, and the late answer troubles nobody`() async throws {
        let pool = try await pool()
        _ = try await pool.query(one, deadline: soon)
        await #expect(throws: PostgresError.timedOut(wasSent: true)) {
            try await pool.query(sleep, ["0.1"], deadline: Reactor.now + .milliseconds(10))
        }
        #expect(try await pool.query(one, deadline: soon).int64(0, 0) == 1)
        await #expect(throws: PostgresError.timedOut(wasSent: false)) {
            try await pool.query(one, deadline: Reactor.now)
        }
        #expect(pool.statistics.reconnects == 0)
        pool.close()
    }

    @Test @ReactorActor func `the server ends a statement at its own timeout`() async throws {
        let pool = try await pool { $0.statementTimeout = .milliseconds(20) }
        let error = await #expect(throws: PostgresError.self) {
            try await pool.query(sleep, ["60"], deadline: soon)
        }
        guard case .server(let refusal) = error else { return #expect(Bool(false), "\(String(describing: error))") }
        #expect(refusal.sqlState == .queryCanceled)
        pool.close()
    }

    @Test @ReactorActor func `what is in flight and what waits is bounded`() async throws {
        let pool = try await pool {
            $0.inFlightPerConnectionMax = 2
            $0.waitersMax = 2
        }
        _ = try await pool.query(one, deadline: soon)
        var outcomes: [String] = []
        let all = Promise<Void, PostgresError>()
        for number in 0..<6 {
            let deadline = number == 3 ? Reactor.now + .milliseconds(20) : soon
            pool.query(sleep, ["0.1"], deadline: deadline) { outcome in
                switch outcome {
                case .success: outcomes.append("\(number) done")
                case .failure(let error): outcomes.append("\(number) \(error)")
                }
                if outcomes.count == 6 { all.succeed(()) }
            }
        }
        #expect(pool.statistics.inFlight == 2)
        #expect(pool.statistics.waiting == 2)
        try await all.value
        // The first, and these 6 without the 2 that were refused.
        #expect(pool.latency.count == 5)
        #expect(pool.latency.sum >= .milliseconds(200))
        #expect(
            outcomes == [
                "4 too many statements are waiting for the database",
                "5 too many statements are waiting for the database",
                "3 no database connection became free in time",
                "0 done", "1 done", "2 done",
            ]
        )
        pool.close()
    }

    @Test @ReactorActor func `statements spread over the connections`() async throws {
        let pool = try await pool(connections: 3)
        try await eventually("3 connections") { pool.statistics.connections == 3 }
        var processes: Set<String> = []
        let all = Promise<Void, PostgresError>()
        for number in 0..<3 {
            pool.query(process, deadline: soon) { outcome in
                processes.insert((try? outcome.get())?.text(0, 0) ?? "failed \(number)")
                if processes.count == 3 { all.succeed(()) }
            }
        }
        try await all.value
        #expect(!processes.contains { $0.hasPrefix("failed") })
        pool.close()
    }

    @Test @ReactorActor func `a closed pool refuses, and fails what is in flight`() async throws {
        let pool = try await pool()
        _ = try await pool.query(one, deadline: soon)
        let slow = Promise<PostgresResult, PostgresError>()
        pool.query(sleep, ["60"], deadline: soon) { slow.settle($0) }
        pool.close()
        await #expect(throws: PostgresError.connectionLost) { try await slow.value }
        await #expect(throws: PostgresError.unavailable) { try await pool.query(one, deadline: soon) }
        #expect(!pool.isReady)
    }

    @Test @ReactorActor func `nobody listens: the first statement waits for the attempt, the others fail at once`()
        async throws
    {
        let pool = PostgresPool(
            PostgresConfiguration(host: "127.0.0.1", port: 1, user: "nobody", database: "none"),
            logger: quiet
        )
        await #expect(throws: PostgresError.unavailable) { try await pool.query(one, deadline: soon) }
        var refusal: PostgresError?
        pool.query(one, deadline: soon) { if case .failure(let error) = $0 { refusal = error } }
        #expect(refusal == .unavailable)
        pool.close()
    }

    @Test @ReactorActor func `a read is repeated when its connection is killed, a write is not`() async throws {
        let pool = try await pool()
        let slowRead = PostgresStatement(
            reading: "select pg_sleep(case pg_backend_pid() when $1::int then 60 else 0 end), pg_backend_pid()"
        )
        let victim = try await pool.query(process, deadline: soon).int64(0, 0) ?? 0
        let read = Promise<PostgresResult, PostgresError>()
        let write = Promise<PostgresResult, PostgresError>()
        pool.query(slowRead, [.int64(victim)], deadline: soon) { read.settle($0) }
        pool.query(sleep, ["0"], deadline: soon) { write.settle($0) }
        try await killConnections(of: pool)
        await #expect(throws: PostgresError.connectionLost) { try await write.value }
        #expect(try await read.value.int64(0, 1) != victim)
        #expect(pool.statistics.reconnects == 1)
        pool.close()
    }

    /// Terminates the server processes of the pool, from a connection of its own.
    @ReactorActor
    private func killConnections(of pool: PostgresPool) async throws {
        let session = try await PostgresSession.open(pool.configuration)
        _ = try await session.query(
            """
            select pg_terminate_backend(pid) from pg_stat_activity
            where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'
            """,
            deadline: soon
        )
        session.close()
    }

    @Test @ReactorActor func `connections that are killed over and over come back`() async throws {
        let pool = try await pool(connections: 4)
        func waitUntilComplete() async throws {
            try await eventually("4 connections") { pool.statistics.connections == 4 }
        }
        try await waitUntilComplete()
        for round in 1...10 {
            try await killConnections(of: pool)
            try await eventually("the loss of all") { pool.statistics.reconnects >= round * 4 }
            try await waitUntilComplete()
            #expect(try await pool.query(one, deadline: soon).int64(0, 0) == 1)
        }
        #expect(pool.statistics.connections == 4)
        pool.close()
    }
}
