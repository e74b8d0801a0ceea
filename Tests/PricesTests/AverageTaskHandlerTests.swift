internal import Basics
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

    @ReactorActor
    private func task(_ arguments: JSONValue, within limit: Duration? = nil) -> TaskContext {
        var generator = SystemRandomNumberGenerator()
        let envelope = TaskEnvelope(
            id: TaskID(unixTime: Reactor.unixTime, using: &generator),
            name: AverageTask.name,
            encodedArguments: arguments.description,
            createdAtMilliseconds: Reactor.unixTime.wholeMilliseconds
        )
        return TaskContext(envelope, attempt: 1, deadline: limit.map { Reactor.now + $0 })
    }

    @Test @ReactorActor func `each task of a batch gets its own result, also beside one that makes no sense`()
        async throws
    {
        let database = try await TestDatabase()
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
            task(["start_date": "2025-01-01", "end_date": "2025-01-02", "symbol": "A"], within: .seconds(30)),
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

    @Test @ReactorActor func `tasks that come while statements run share the next ones`() async throws {
        let database = try await TestDatabase()
        try await database.execute("insert into prices (symbol, recorded_at, price) values ('A', '2025-01-01Z', 1)")
        let pool = database.pool()
        defer { pool.close() }
        let handler = AverageTaskHandler(pool, logger: quiet)
        var bodies: [String] = []
        for number in 0..<100 {
            let symbol: JSONObject.Member? = number % 3 == 0 ? .init(name: "symbol", value: "A") : nil
            let dates: [JSONObject.Member] = [
                .init(name: "start_date", value: "2025-01-01"), .init(name: "end_date", value: "2025-01-01"),
            ]
            Reactor.spawn {
                let results = await handler.run([task(.object(JSONObject(dates + [symbol].compactMap(\.self))))])
                for case .success(let body) in results { bodies.append(String(decoding: body, as: UTF8.self)) }
            }
        }
        try await eventually("all answers") { bodies.count == 100 }
        #expect(Set(bodies) == [#"{"data":[{"date":"2025-01-01","average_price":1}]}"#])
        #expect(pool.statistics.statements <= 3 * pool.configuration.connections)
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
        // The pool refuses before it returns now.
        let many = (0..<200).map { _ in task(["start_date": "2025-01-01", "end_date": "2025-01-02"]) }
        #expect(await handler.run(many).allSatisfy { (try? $0.get()) == nil })
    }

    @Test(arguments: [
        (PostgresError.unavailable, "UNAVAILABLE", true), (.connectionLost, "UNAVAILABLE", true),
        (.overloaded, "OVERLOADED", true), (.timedOut(wasSent: true), "TIMED_OUT", true),
        (.timedOut(wasSent: false), "TIMED_OUT", true), (.unencodable, "INTERNAL_ERROR", false),
        // statement_timeout; shutting down; too many connections; no such table; a number too large
        (.server(PostgresServerError(sqlState: "57014")), "TIMED_OUT", true),
        (.server(PostgresServerError(sqlState: "57P01")), "UNAVAILABLE", true),
        (.server(PostgresServerError(sqlState: "53300")), "UNAVAILABLE", true),
        (.server(PostgresServerError(sqlState: "42P01", message: "secret")), "UNAVAILABLE", true),
        (.server(PostgresServerError(sqlState: "22003", message: "secret")), "INTERNAL_ERROR", false),
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
