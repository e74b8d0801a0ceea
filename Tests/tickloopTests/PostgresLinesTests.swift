import Reactor
import Testing

@testable import tickloop

@Suite struct PostgresLinesTests {
    /// As PostgreSQL 15 said it, asked every few milliseconds by everybody who had lost it.
    private static let recovery =
        [
            "LOG:  starting PostgreSQL 15.18 (Debian 15.18-0+deb12u1) on x86_64-pc-linux-gnu, 64-bit",
            #"LOG:  listening on IPv4 address "127.0.0.1", port 30684"#,
            #"LOG:  listening on Unix socket "/srv/data/postgres-socket/.s.PGSQL.30684""#,
            "LOG:  database system was interrupted; last known up at 2026-11-28 08:58:10 UTC",
        ] + Array(repeating: "FATAL:  the database system is starting up", count: 150)
        + [
            "LOG:  database system was not properly shut down; automatic recovery in progress",
            "LOG:  redo starts at 0/1A2B3C4", "LOG:  invalid record length at 0/1A2B4D0: wanted 24, got 0",
            "LOG:  redo done at 0/1A2B498 system usage: CPU: user: 0.00 s, system: 0.00 s, elapsed: 0.00 s",
        ] + Array(repeating: "FATAL:  the database system is not yet accepting connections", count: 150)
        + Array(repeating: "DETAIL:  Consistent recovery state has not been yet reached.", count: 150)
        + ["LOG:  database system is ready to accept connections"]

    @Test func `a recovery is one line`() {
        var lines = PostgresLines()
        let news = Self.recovery.flatMap { lines.news(in: $0, at: .origin) }
        #expect(news == ["LOG:  database system was not properly shut down; automatic recovery in progress"])
    }

    @Test func `what repeats itself is said once a minute, with how often`() {
        var lines = PostgresLines()
        let line = #"FATAL:  too many connections for role "tickloop""#
        let news = (0..<121).flatMap { lines.news(in: line, at: .origin + .seconds($0)) }
        #expect(news == [line, line + " (and 59 times before)", line + " (and 59 times before)"])
    }

    @Test func `everything else is said`() {
        var lines = PostgresLines()
        for line in [
            "ERROR:  deadlock detected", "PANIC:  could not write to file", "LOG:  received smart shutdown request",
        ] {
            #expect(lines.news(in: line, at: .origin) == [line])
        }
    }
}
