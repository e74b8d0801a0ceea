import Reactor
import TestSupport
import Testing

@testable import Postgres

private let double = PostgresStatement(reading: "select $1::bigint * 2")
private let division = PostgresStatement(reading: "select $1::bigint / ($1::bigint % 3)")
private let insert = PostgresStatement("insert into t values ($1)")

/// What became of many statements.
@ReactorActor
private final class Tally {
    var isOver = false
    var started = 0
    var answered = 0
    var wrongAnswers: [String] = []
    var inserted = 0
    var perhapsInserted = 0
}

@Suite struct ChaosTests {
    init() { loop }

    /// Whatever is lost, sent again, refused or aborted in between: an answer that went to the wrong statement would
    /// show here, and so would one that is missing or came twice.
    @Test @ReactorActor
    func `while connections are killed under load, each statement is answered once and rightly`() async throws {
        var configuration = try await database()
        configuration.connections = 3
        configuration.inFlightPerConnectionMax = 20
        let pool = PostgresPool(configuration, logger: quiet)
        let killer = try await PostgresSession.open(configuration)
        try await killer.execute("create table t (a bigint)", deadline: soon)
        let tally = Tally()
        for _ in 0..<100 { keepAsking(pool, tally) }
        for round in 1...15 {
            let before = tally.answered
            try await eventually("500 answers") { tally.answered > before + 500 }
            _ = try await killer.query(
                """
                select pg_terminate_backend(pid) from pg_stat_activity
                where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'
                """,
                deadline: soon
            )
            try await eventually("the loss") { pool.statistics.reconnects >= round }
        }
        tally.isOver = true
        try await eventually("the last answers") { tally.answered == tally.started }
        #expect(tally.wrongAnswers == [])
        let rows = Int(try await killer.execute("select count(*) from t", deadline: soon).int64(0, 0) ?? 0)
        #expect(rows >= tally.inserted)
        #expect(rows <= tally.inserted + tally.perhapsInserted)
        #expect(pool.statistics.inFlight == 0)
        #expect(pool.statistics.waiting == 0)
        pool.close()
        killer.close()
    }

    /// Sends one statement after the other until the test is over.
    @ReactorActor
    private func keepAsking(_ pool: PostgresPool, _ tally: Tally) {
        guard !tally.isOver else { return }
        let number = Int64(tally.started)
        tally.started += 1
        let statement = [double, division, insert][Int(number % 5) % 3]
        pool.query(statement, [.int64(number)], deadline: soon) { outcome in
            tally.answered += 1
            judge(number, statement, outcome, tally)
            // Not at once: while nothing is connected, that would be a recursion without end.
            Reactor.post { keepAsking(pool, tally) }
        }
    }

    @ReactorActor
    private func judge(_ number: Int64, _ statement: PostgresStatement, _ outcome: PostgresOutcome, _ tally: Tally) {
        switch outcome {
        case .success(let result) where statement === insert:
            tally.inserted += 1
            if result.affectedRows != 1 { tally.wrongAnswers.append("insert \(number): \(result.affectedRows)") }
        case .success(let result):
            let expected = statement === double ? number * 2 : number / max(1, number % 3)
            if result.int64(0, 0) != expected { tally.wrongAnswers.append("\(number): \(result.text(0, 0) ?? "")") }
        case .failure(.server(let refusal)):
            let isExpected = statement === division && number % 3 == 0 && refusal.sqlState == "22012"
            if !isExpected { tally.wrongAnswers.append("\(number): \(refusal.debugDescription)") }
        case .failure(let error):
            if statement === insert, error.mayHaveHappened { tally.perhapsInserted += 1 }
        }
    }
}
