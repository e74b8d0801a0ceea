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

    /// A pool that looks at a table from outside the session that changes it.
    @ReactorActor
    private func poolWithTable() async throws -> PostgresPool {
        let pool = PostgresPool(try await database(), logger: quiet)
        try await withSession(pool.configuration) { session in
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
        try await withSession(pool.configuration) { session in
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
        pool.close()
    }

    @Test @ReactorActor func `a transaction that returns is committed`() async throws {
        let pool = try await poolWithTable()
        let value = try await withSession(pool.configuration) { session in
            try await session.transaction(deadline: soon) { session throws(PostgresError) in
                _ = try await session.query(insert, [1], deadline: soon)
                _ = try await session.query(insert, [2], deadline: soon)
                return "done"
            }
        }
        #expect(value == "done")
        #expect(try await rows(in: pool) == 2)
        pool.close()
    }

    @Test @ReactorActor func `a transaction that throws leaves nothing`() async throws {
        let pool = try await poolWithTable()
        await #expect(throws: PostgresTransactionError.body(ChangeOfMind())) {
            try await withSession(pool.configuration) { session in
                try await session.transaction(deadline: soon) { session throws(ChangeOfMind) in
                    _ = try? await session.query(insert, [1], deadline: soon)
                    throw ChangeOfMind()
                }
            }
        }
        #expect(try await rows(in: pool) == 0)
        pool.close()
    }

    @Test @ReactorActor func `a transaction in which an error was passed over is not taken for committed`() async throws
    {
        let pool = try await poolWithTable()
        await #expect(throws: PostgresTransactionError<Never>.database(.server(PostgresServerError(sqlState: "25P02"))))
        {
            try await withSession(pool.configuration) { session in
                try await session.transaction(deadline: soon) { session throws(Never) in
                    _ = try? await session.query(insert, [1], deadline: soon)
                    _ = try? await session.query(insert, [1000], deadline: soon)
                }
            }
        }
        #expect(try await rows(in: pool) == 0)
        pool.close()
    }

    @Test @ReactorActor func `a commit that is never answered is told apart from one that did not happen`() async throws
    {
        let pool = try await poolWithTable()
        await #expect(throws: PostgresTransactionError<PostgresError>.outcomeUnknown(.connectionLost)) {
            try await withSession(pool.configuration) { session in
                try await session.transaction(deadline: soon) { session throws(PostgresError) in
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
        }
        #expect(try await rows(in: pool) == 0)
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
        let copied = try await withSession(pool.configuration) { session in
            let copy = try await session.copyIn("copy t from stdin", deadline: soon)
            for start in stride(from: 0, to: bytes.count, by: 65_536) {
                try await copy.write(Array(bytes[start..<min(start + 65_536, bytes.count)]))
            }
            return try await copy.finish()
        }
        #expect(copied == 200_000)
        #expect(try await self.rows(in: pool) == 200_000)
        pool.close()
    }

    @Test @ReactorActor func `a bad row fails the COPY, a cancelled one leaves nothing, and the session goes on`()
        async throws
    {
        let pool = try await poolWithTable()
        try await withSession(pool.configuration) { session in
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
        pool.close()
    }
}
