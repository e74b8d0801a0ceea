import JSONWire
import Logging
import Postgres
import Reactor
import TestSupport
import Testing

@testable import Prices
@testable import TaskQueue

@Suite struct AverageTaskHandlerTests {
    init() { loop }

    private let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    @ReactorActor
    private func task(_ arguments: JSONValue, deadline: Instant? = nil) -> TaskContext {
        var generator = SystemRandomNumberGenerator()
        return TaskContext(
            id: TaskID(unixTime: Reactor.unixTime, using: &generator),
            name: AverageTask.name,
            arguments: arguments,
            attempt: 1,
            deadline: deadline,
            createdAt: Reactor.unixTime,
            requestID: nil,
            traceparent: nil
        )
    }

    @Test @ReactorActor func `each task of a batch gets its own result, also beside one that makes no sense`()
        async throws
    {
        let database = try await PricesDatabase()
        try await database.execute(
            """
            insert into prices (symbol, recorded_at, price) values
                ('A', '2025-01-01Z', 1), ('B', '2025-01-01Z', 2), ('A', '2025-01-02Z', 3)
            """
        )
        let pool = database.pool()
        defer { pool.close() }
        let handler = AverageTaskHandler(pool, logger: quiet)
        let results = await handler.run([
            task(["start_date": "2025-01-01", "end_date": "2025-01-02"]),
            task(["start_date": "2025-01-01"]),
            task(["start_date": "2025-01-01", "end_date": "2025-01-02", "symbol": "A"], deadline: soon),
            task([]),
            task(["start_date": "2025-01-02", "end_date": "2025-01-02"]),
        ])
        let seen = results.map { result in
            switch result {
            case .success(let body): String(decoding: body, as: UTF8.self)
            case .failure(let failure): "\(failure.code) \(failure.isRetryable)"
            }
        }
        #expect(
            seen == [
                #"{"data":[{"date":"2025-01-01","average_price":1.5},{"date":"2025-01-02","average_price":3}]}"#,
                "INTERNAL_ERROR false",
                #"{"data":[{"date":"2025-01-01","average_price":1},{"date":"2025-01-02","average_price":3}]}"#,
                "INTERNAL_ERROR false",
                #"{"data":[{"date":"2025-01-02","average_price":3}]}"#,
            ]
        )
        #expect(await handler.run([]).isEmpty)
    }

    @Test @ReactorActor func `without a database a task fails at once, to be tried again`() async throws {
        let nobody = PostgresConfiguration(host: "127.0.0.1", port: 1, user: "nobody", database: "none")
        let pool = PostgresPool(nobody, logger: quiet)
        defer { pool.close() }
        let handler = AverageTaskHandler(pool, logger: quiet)
        let results = await handler.run([task(["start_date": "2025-01-01", "end_date": "2025-01-02"])])
        #expect(results.map { (try? $0.get()) == nil } == [true])
        guard case .failure(let failure) = results[0] else { return }
        #expect(failure.code == AverageFailure.unavailable)
        #expect(failure.isRetryable)
    }

    @Test(arguments: [
        (PostgresError.unavailable, "UNAVAILABLE", true), (.connectionLost, "UNAVAILABLE", true),
        (.overloaded, "OVERLOADED", true), (.timedOut(wasSent: true), "TIMED_OUT", true),
        (.timedOut(wasSent: false), "TIMED_OUT", true), (.unencodable, "INTERNAL_ERROR", false),
        // statement_timeout; shutting down; too many connections; no such table
        (.server(PostgresServerError(sqlState: "57014")), "TIMED_OUT", true),
        (.server(PostgresServerError(sqlState: "57P01")), "UNAVAILABLE", true),
        (.server(PostgresServerError(sqlState: "53300")), "UNAVAILABLE", true),
        (.server(PostgresServerError(sqlState: "42P01", message: "secret")), "INTERNAL_ERROR", false),
    ])
    func `a failure says whether to try again, and nothing of the database`(
        error: PostgresError,
        code: String,
        isRetryable: Bool
    ) {
        let failure = AverageFailure.failure(for: error)
        #expect(failure.code == code)
        #expect(failure.isRetryable == isRetryable)
        #expect(!failure.message.contains("secret"))
    }
}
