internal import Basics
import JSONWire
import Logging
import Postgres
import Reactor
import RedisStreams
import TestSupport
import Testing

@testable import Prices
@testable import TaskQueue

/// Tasks for a handler, and what it makes of them.
@ReactorActor
final class HandlerRun {
    static let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    private(set) var contexts: [TaskContext] = []
    private var finished: [ObjectIdentifier: TaskResult] = [:]

    /// - Parameter arguments: One task for each.
    init(_ arguments: [String], within limit: Duration = .seconds(30)) {
        var generator = SystemRandomNumberGenerator()
        for arguments in arguments {
            let envelope = TaskEnvelope(
                id: TaskID(unixTime: Reactor.unixTime, using: &generator),
                name: AverageTask.name,
                encodedArguments: arguments,
                createdAtMilliseconds: Reactor.unixTime.wholeMilliseconds
            )
            let task = HeldTask(entry: .start, deliveries: 1, envelope: envelope, submittedAt: Reactor.now)
            let context = TaskContext(task, limit: Reactor.now + limit) { [unowned self] context, result, _ in
                finished[ObjectIdentifier(context)] = result
            }
            contexts.append(context)
        }
    }

    var isFinished: Bool { finished.count == contexts.count }

    /// In the order of the tasks.
    func results() async throws -> [TaskResult] {
        try await eventually("all are finished") { isFinished }
        return contexts.compactMap { finished[ObjectIdentifier($0)] }
    }
}

@Suite struct AverageTaskHandlerTests {
    init() { loop }

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
        let handler = AverageTaskHandler(pool, logger: HandlerRun.quiet)
        let tasks = HandlerRun([
            #"{"start_date":"2025-01-01","end_date":"2025-01-02"}"#,
            #"{"start_date":"2025-01-01"}"#,
            #"{"start_date":"2025-01-01","end_date":"2025-01-02","symbol":"A"}"#,
            "[]",
            #"{"start_date":"2025-01-02","end_date":"2025-01-02"}"#,
        ])
        handler.start(tasks.contexts)
        handler.start([])
        let seen = try await tasks.results().map { result in
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
    }

    @Test @ReactorActor func `tasks that come while statements run share the next ones`() async throws {
        let database = try await TestDatabase()
        try await database.execute("insert into prices (symbol, recorded_at, price) values ('A', '2025-01-01Z', 1)")
        let pool = database.pool()
        defer { pool.close() }
        let handler = AverageTaskHandler(pool, logger: HandlerRun.quiet)
        let range = #""start_date":"2025-01-01","end_date":"2025-01-01""#
        let tasks = HandlerRun((0..<100).map { $0 % 3 == 0 ? #"{\#(range),"symbol":"A"}"# : "{\(range)}" })
        for context in tasks.contexts { handler.start([context]) }
        let bodies = try await tasks.results().map { String(decoding: try $0.get(), as: UTF8.self) }
        #expect(Set(bodies) == [#"{"data":[{"date":"2025-01-01","average_price":1}]}"#])
        #expect(pool.statistics.statements <= 3 * pool.configuration.connections)
    }

    @Test @ReactorActor func `without a database a task fails at once, to be tried again`() async throws {
        let nobody = PostgresConfiguration(host: "127.0.0.1", port: 1, user: "nobody", database: "none")
        let pool = PostgresPool(nobody, logger: HandlerRun.quiet)
        defer { pool.close() }
        let handler = AverageTaskHandler(pool, logger: HandlerRun.quiet)
        // The pool refuses before it returns.
        let tasks = HandlerRun(Array(repeating: #"{"start_date":"2025-01-01","end_date":"2025-01-02"}"#, count: 200))
        handler.start(tasks.contexts)
        for result in try await tasks.results() {
            guard case .failure(let failure) = result else {
                Issue.record("an answer from nobody")
                return
            }
            #expect(failure.code == AverageFailure.unavailable)
            #expect(failure.isRetryable)
        }
    }

    @Test @ReactorActor func `a short range does not wait for a long one`() async throws {
        let database = try await TestDatabase()
        try await database.execute("insert into prices (symbol, recorded_at, price) values ('A', '2025-01-01Z', 1)")
        let pool = database.pool()
        defer { pool.close() }
        try await eventually("all connections are there") {
            pool.statistics.connections == pool.configuration.connections
        }
        try await database.execute("begin; lock table monthly_prices in access exclusive mode")
        let handler = AverageTaskHandler(pool, logger: HandlerRun.quiet)
        let long = HandlerRun([#"{"start_date":"2024-01-01","end_date":"2025-01-01"}"#])
        let short = HandlerRun([#"{"start_date":"2025-01-01","end_date":"2025-01-01"}"#])
        handler.start(long.contexts + short.contexts)
        _ = try await short.results()
        #expect(!long.isFinished)
        try await database.execute("rollback")
        _ = try await long.results()
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
