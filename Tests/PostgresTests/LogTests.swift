import Logging
import Reactor
import TestSupport
import Testing

@testable import Postgres

/// What the pool says of its connections.
@Suite struct LogTests {
    init() { loop }

    @Test @ReactorActor func `a clean stop is no warning`() async throws {
        let log = TestLog()
        let pool = PostgresPool(try await database(), logger: log.logger)
        try await eventually("ready") { pool.isReady }
        pool.close()
        #expect(log.messages(from: .notice) == [])
        #expect(log.messages(from: .info) == ["postgres_ready"])
    }
}
