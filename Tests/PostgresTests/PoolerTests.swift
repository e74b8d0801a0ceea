import Reactor
import Supervision
import TestSupport
import Testing

@testable import Postgres

private let sum = PostgresStatement(reading: "select $1::bigint + 1")
private let product = PostgresStatement(reading: "select $1::bigint * 2")
private let insert = PostgresStatement("insert into t values ($1::bigint)")
private let division = PostgresStatement(reading: "select 100 / ($1::int - $1::int)")

/// Behind a PgBouncer in transaction mode with its default settings, where a transaction may be in any session.
@Suite struct PoolerTests {
    init() { loop }

    @ReactorActor
    private func pooled(_ server: PostgresAddress, _ pooler: TestPooler) throws -> PostgresPool {
        var configuration = try forTests(server, overTCP: true)
        configuration.port = pooler.port
        configuration.connections = 3
        configuration.waitersMax = 100_000
        return PostgresPool(configuration, logger: quiet)
    }

    @Test @ReactorActor func `two pools share a few sessions under load, and nothing fails`() async throws {
        let server = try await TestServers.createDatabase()
        let direct = try await PostgresSession.open(try forTests(server))
        try await direct.execute("create table t (a bigint)", deadline: soon)
        let pooler = try await TestPooler.start(before: server, poolSize: 2)
        let pools = [try pooled(server, pooler), try pooled(server, pooler)]

        let rounds = 400
        var wrong: [String] = []
        var mostInFlight = 0
        // One more than is under way, so that a moment of rest is not taken for the end.
        var left = 1
        let all = Promise<Void, PostgresError>()
        func ask(_ pool: PostgresPool, _ statement: PostgresStatement, _ number: Int, expecting answer: String) {
            left += 1
            pool.query(statement, [.int64(Int64(number))], deadline: soon) { outcome in
                let found =
                    switch outcome {
                    case .success(let result): result.columnCount == 1 ? result.text(0, 0) ?? "null" : result.commandTag
                    case .failure(let error): "\(error)"
                    }
                if found != answer { wrong.append("\(statement.sql): \(found)") }
                oneIsDone()
            }
        }
        func oneIsDone() {
            left -= 1
            if left == 0 { all.succeed(()) }
        }
        for number in 0..<rounds {
            for (index, pool) in pools.enumerated() {
                // In another order in each, so that the same names meet in one session.
                let statements = index == 0 ? [sum, product] : [product, sum]
                for statement in statements {
                    let answer = statement === sum ? number + 1 : number * 2
                    ask(pool, statement, number, expecting: "\(answer)")
                }
                ask(pool, insert, number, expecting: "INSERT 0 1")
                if number % 50 == 0 { ask(pool, division, number, expecting: "refused by the database (22012)") }
            }
            mostInFlight = max(mostInFlight, pools[0].statistics.inFlight)
            if number % 10 == 0 { try await Reactor.sleep(for: .milliseconds(1)) }
        }
        oneIsDone()
        try await all.value
        #expect(wrong.isEmpty, "\(wrong.count): \(wrong.prefix(5))")
        #expect((1...3).contains(mostInFlight), "one on each connection: more may reach a session that is handed on")
        for pool in pools { #expect(pool.statistics.reconnects == 0) }
        let total = try await direct.execute("select count(*) from t", deadline: soon)
        #expect(total.int64(0, 0) == Int64(2 * rounds))
        for pool in pools { pool.close() }
        direct.close()
        await pooler.stop()
    }

    /// Two processes that share a session make their statements in another order, and not all of them.
    @Test func `sessions call a statement by its text, whatever its number in the process`() {
        let first = PostgresStatement(reading: "select $1::bigint")
        let other = PostgresStatement(reading: "select $1::text")
        let again = PostgresStatement(reading: "select $1::bigint")
        #expect(first.number != again.number)
        #expect(first.name == again.name)
        #expect(first.name != other.name)
        #expect(first.name == "tickloop_c5f7aae6d7e705ab", "of this version and of the next")
    }

    @Test @ReactorActor func `no setting of ours stays behind in a session that others share`() async throws {
        let server = try await TestServers.createDatabase()
        let pooler = try await TestPooler.start(before: server, poolSize: 1)
        let pool = try pooled(server, pooler)
        let timeout = PostgresStatement(reading: "select current_setting('statement_timeout')")
        let zone = PostgresStatement(reading: "select current_setting('TimeZone')")
        #expect(try await pool.query(timeout, deadline: soon).text(0, 0) == "0")
        #expect(try await pool.query(zone, deadline: soon).text(0, 0) == "UTC")
        pool.close()
        await pooler.stop()

        let direct = PostgresPool(try forTests(server), logger: quiet)
        #expect(try await direct.query(timeout, deadline: soon).text(0, 0) == "1min")
        direct.close()
    }
}
