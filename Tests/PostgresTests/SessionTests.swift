import Logging
import Reactor
import TestSupport
import Testing

@testable import Postgres

private let count = PostgresStatement(reading: "select count(*) from t")
private let insert = PostgresStatement("insert into t values ($1::int)")

private struct ChangeOfMind: Error, Equatable {}

@Suite struct SessionTests {
    init() { loop }

    /// A pool of one connection, so that whatever a session leaves behind is met by the next.
    @ReactorActor
    private func poolWithTable() async throws -> PostgresPool {
        var configuration = try await database()
        configuration.connections = 1
        let pool = PostgresPool(configuration, logger: quiet)
        try await pool.withSession(deadline: soon) { session throws(PostgresError) in
            try await session.execute("create table t (a int check (a < 1000))", deadline: soon)
        }
        return pool
    }

    @ReactorActor
    private func rows(in pool: PostgresPool) async throws -> Int64? {
        try await pool.query(count, deadline: soon).int64(0, 0)
    }

    @Test @ReactorActor func `a script of several statements is one transaction, and its error comes out`() async throws
    {
        let pool = try await poolWithTable()
        try await pool.withSession(deadline: soon) { session throws(PostgresError) in
            let result = try await session.execute(
                "insert into t values (1); insert into t values (2); select 'last'",
                deadline: soon
            )
            #expect(result.text(0, 0) == "last")
            let error = await #expect(throws: PostgresError.self) {
                try await session.execute("insert into t values (3); insert into t values (1000)", deadline: soon)
            }
            guard case .server(let refusal) = error else { return #expect(Bool(false)) }
            #expect(refusal.sqlState == .checkViolation)
        }
        #expect(try await rows(in: pool) == 2)
        #expect(pool.statistics.reconnects == 0)
        pool.close()
    }

    @Test @ReactorActor func `a transaction that returns is committed`() async throws {
        let pool = try await poolWithTable()
        let value = try await pool.transaction(deadline: soon) { session throws(PostgresError) in
            _ = try await session.query(insert, [1], deadline: soon)
            _ = try await session.query(insert, [2], deadline: soon)
            return "done"
        }
        #expect(value == "done")
        #expect(try await rows(in: pool) == 2)
        pool.close()
    }

    @Test @ReactorActor func `a transaction that throws leaves nothing`() async throws {
        let pool = try await poolWithTable()
        await #expect(throws: PostgresTransactionError.body(ChangeOfMind())) {
            try await pool.transaction(deadline: soon) { session throws(ChangeOfMind) in
                _ = try? await session.query(insert, [1], deadline: soon)
                throw ChangeOfMind()
            }
        }
        #expect(try await rows(in: pool) == 0)
        #expect(pool.statistics.reconnects == 0)
        pool.close()
    }

    @Test @ReactorActor func `a transaction in which an error was passed over is not taken for committed`() async throws
    {
        let pool = try await poolWithTable()
        await #expect(throws: PostgresTransactionError<Never>.database(.server(PostgresServerError(sqlState: "25P02"))))
        {
            try await pool.transaction(deadline: soon) { session throws(Never) in
                _ = try? await session.query(insert, [1], deadline: soon)
                _ = try? await session.query(insert, [1000], deadline: soon)
            }
        }
        #expect(try await rows(in: pool) == 0)
        pool.close()
    }

    @Test @ReactorActor func `a commit that is never answered is told apart from one that did not happen`() async throws
    {
        let pool = try await poolWithTable()
        await #expect(throws: PostgresTransactionError<PostgresError>.outcomeUnknown(.connectionLost)) {
            try await pool.transaction(deadline: soon) { session throws(PostgresError) in
                // Runs when the commit does, so that the server ends the connection in the middle of it.
                try await session.execute(
                    """
                    create function pg_temp.die() returns trigger language plpgsql as
                    $$ begin perform pg_terminate_backend(pg_backend_pid()); return null; end $$;
                    create constraint trigger die after insert on t deferrable initially deferred
                    for each row execute function pg_temp.die();
                    insert into t values (1)
                    """,
                    deadline: soon
                )
            }
        }
        #expect(try await rows(in: pool) == 0)
        #expect(pool.statistics.reconnects == 1)
        pool.close()
    }

    @Test @ReactorActor func `an open transaction does not come back into the pool`() async throws {
        let pool = try await poolWithTable()
        try await pool.withSession(deadline: soon) { session throws(PostgresError) in
            try await session.execute("begin; insert into t values (1)", deadline: soon)
        }
        #expect(try await rows(in: pool) == 0)
        #expect(pool.statistics.reconnects == 1)
        pool.close()
    }

    @Test @ReactorActor func `a COPY that nobody ends does not hold the connection`() async throws {
        let pool = try await poolWithTable()
        try await pool.withSession(deadline: soon) { session throws(PostgresError) in
            _ = try await session.copyIn("copy t from stdin", deadline: soon)
        }
        #expect(try await rows(in: pool) == 0)
        #expect(pool.statistics.reconnects == 1)
        pool.close()
    }

    @Test @ReactorActor func `others wait while a session has the only connection`() async throws {
        let pool = try await poolWithTable()
        let other = Promise<PostgresResult, PostgresError>()
        try await pool.withSession(deadline: soon) { session throws(PostgresError) in
            pool.query(count, deadline: soon) { other.settle($0) }
            await Reactor.yield()
            #expect(!other.isSettled)
            #expect(pool.statistics.waiting == 1)
            #expect(pool.statistics.lent == 1)
            await #expect(throws: PostgresError.timedOut(wasSent: false)) {
                try await pool.withSession(deadline: Reactor.now + .milliseconds(5)) { _ throws(PostgresError) in }
            }
            _ = try await session.query(insert, [1], deadline: soon)
        }
        #expect(try await other.value.int64(0, 0) == 1)
        #expect(pool.statistics.lent == 0)
        pool.close()
    }

    @Test @ReactorActor func `a session does not outlive its loan`() async throws {
        let pool = try await poolWithTable()
        var kept: PostgresSession?
        try await pool.withSession(deadline: soon) { session throws(PostgresError) in kept = session }
        await #expect(throws: PostgresError.unavailable) { try await kept?.query("select 1", deadline: soon) }
        pool.close()
    }

    @Test @ReactorActor func `a call that runs into its deadline ends the session`() async throws {
        let session = try await PostgresSession.open(try await database())
        await #expect(throws: PostgresError.timedOut(wasSent: true)) {
            try await session.execute("select pg_sleep(60)", deadline: Reactor.now + .milliseconds(10))
        }
        #expect(!session.isOpen)
        await #expect(throws: PostgresError.unavailable) { try await session.execute("select 1", deadline: soon) }
    }

    @Test @ReactorActor func `connecting says why it failed`() async throws {
        var configuration = try await database()
        configuration.database = "there is no such database"
        let error = await #expect(throws: PostgresConnectError.self) {
            try await PostgresSession.open(configuration)
        }
        #expect(error?.description == "connection refused")
        #expect(error?.debugDescription.contains("does not exist") == true)
    }

    // MARK: COPY

    @Test @ReactorActor func `COPY takes much more than a socket holds, in chunks that end anywhere`() async throws {
        let pool = try await poolWithTable()
        let rows = (0..<200_000).map { "\($0 % 1000)\n" }.joined()
        let bytes = Array(rows.utf8)
        let copied = try await pool.withSession(deadline: soon) { session throws(PostgresError) in
            let copy = try await session.copyIn("copy t from stdin", deadline: soon)
            for start in stride(from: 0, to: bytes.count, by: 65_536) {
                try await copy.write(Array(bytes[start..<min(start + 65_536, bytes.count)]))
            }
            return try await copy.finish()
        }
        #expect(copied == 200_000)
        #expect(try await self.rows(in: pool) == 200_000)
        #expect(pool.statistics.reconnects == 0)
        pool.close()
    }

    @Test @ReactorActor func `a bad row fails the COPY, a cancelled one leaves nothing, and the session goes on`()
        async throws
    {
        let pool = try await poolWithTable()
        try await pool.withSession(deadline: soon) { session throws(PostgresError) in
            let bad = try await session.copyIn("copy t from stdin", deadline: soon)
            try await bad.write(Array("1\nx\n".utf8))
            let error = await #expect(throws: PostgresError.self) { try await bad.finish() }
            guard case .server(let refusal) = error else { return #expect(Bool(false)) }
            #expect(refusal.sqlState == "22P02")

            let cancelled = try await session.copyIn("copy t from stdin", deadline: soon)
            try await cancelled.write(Array("1\n".utf8))
            await cancelled.cancel()

            await #expect(throws: PostgresError.self) {
                try await session.copyIn("copy nothing from stdin", deadline: soon)
            }
            await #expect(throws: PostgresError.self) { try await session.copyIn("select 1", deadline: soon) }
            await #expect(throws: PostgresError.self) { try await session.execute("copy t from stdin", deadline: soon) }
            #expect(try await session.query(count, deadline: soon).int64(0, 0) == 0)
        }
        #expect(pool.statistics.reconnects == 0)
        pool.close()
    }

    // MARK: NOTIFY

    @Test @ReactorActor func `notifications arrive, also after the listener's connection was killed`() async throws {
        let configuration = try await database()
        var begun = 0
        var notes: [String] = []
        let listener = PostgresListener(
            configuration,
            channels: ["plain", #"odd "name"#],
            logger: quiet,
            onListening: { begun += 1 },
            onNotification: { notes.append("\($0): \($1)") }
        )
        let session = try await PostgresSession.open(configuration)
        try await eventually("listening") { begun == 1 }
        try await session.execute(#"notify plain, 'a'; notify "odd ""name", 'b'"#, deadline: soon)
        try await eventually("the notification") { notes.count == 2 }
        #expect(notes == ["plain: a", #"odd "name: b"#])

        try await session.execute(
            """
            select pg_terminate_backend(pid) from pg_stat_activity
            where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'
            """,
            deadline: soon
        )
        try await eventually("listening") { begun == 2 }
        try await session.execute("notify plain, 'c'", deadline: soon)
        try await eventually("the notification") { notes.count == 3 }
        #expect(notes.last == "plain: c")
        listener.close()
        #expect(!listener.isListening)
        session.close()
    }
}
