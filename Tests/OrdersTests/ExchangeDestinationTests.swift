import HTTPClient
import Logging
import Outbox
import Postgres
import Reactor
import TestSupport
import Testing

@testable import Orders

@Suite struct ExchangeDestinationTests {
    init() { loop }

    @Test @ReactorActor func `outcomes that cannot be stored are one line of the log, however often it is tried`()
        async throws
    {
        let pool = try await TestDatabase().readyPool(connections: 1)
        pool.close()
        let log = TestLog()
        let exchange = ExchangeClient(
            try #require(HTTPBaseURL(parsing: "http://127.0.0.1:1")),
            tls: nil,
            timeout: .seconds(1),
            connections: 1
        )
        defer { exchange.close() }
        let destination = ExchangeDestination(exchange, database: pool, logger: log.logger)
        for _ in 1...10 { #expect(await destination.settle([], owner: "") == .failed) }
        #expect(log.messages(from: .warning) == ["outcomes at the exchange were not stored"])
    }
}
