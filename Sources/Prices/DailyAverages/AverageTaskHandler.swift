internal import Logging
internal import Postgres
internal import Reactor
internal import TaskQueue
internal import Tracing

/// Runs the tasks `prices.average`: all that wait together in as few statements as possible.
///
/// Not more statements are under way than the pool has connections. Further ones would only wait for these, while tasks
/// that come meanwhile could not join them any more. So statements grow with the load, and while there is none, nothing
/// waits.
@ReactorActor
final class AverageTaskHandler: TaskHandler {
    private struct Question {
        let request: AverageRequest
        let task: TaskContext
    }

    private let pool: PostgresPool
    private let logger: Logger
    private var waiting: [Question] = []
    private var statementsUnderWay = 0
    private var outage = Reminder()
    private var missingSchema = Reminder()

    /// Makes a handler that asks `pool`.
    init(_ pool: PostgresPool, logger: Logger) {
        self.pool = pool
        self.logger = logger
    }

    /// Answers each task with the body of the HTTP response, or with a failure whose code ``AverageFailure`` lists.
    func start(_ batch: [TaskContext]) {
        for task in batch {
            if let request = AverageRequest(taskArguments: task.encodedArguments) {
                waiting.append(Question(request: request, task: task))
            } else {
                task.finish(.failure(AverageFailure.malformedArguments))
            }
        }
        send()
    }

    private func send() {
        while statementsUnderWay < pool.configuration.connections, !waiting.isEmpty {
            // Comes back here before it returns when the pool refuses.
            ask(DailyAverages.takeBatch(from: &waiting, \.request))
        }
    }

    private func ask(_ batch: [Question]) {
        let statement = DailyAverages.statement(for: batch[0].request)
        let parameters = DailyAverages.parameters(of: statement, for: batch.map(\.request))
        let spans = batch.compactMap(\.task.span)
        let span = DailyAverages.span(serving: spans, ranges: batch.count, statement, pool)
        // The one that may wait longest decides: a statement serves them all.
        let deadline = batch.lazy.map(\.task.limit).max() ?? Reactor.now
        statementsUnderWay += 1
        pool.query(statement, parameters, comment: span?.sqlComment, deadline: deadline) { [self] outcome in
            span?.end(with: outcome)
            statementsUnderWay -= 1
            switch outcome {
            case .success(let result): answer(batch, result)
            case .failure(let error): fail(batch, error)
            }
            send()
        }
    }

    private func answer(_ batch: [Question], _ result: PostgresResult) {
        precondition(result.count == batch.count, "one row for each range")
        for row in 0..<result.count {
            // WITH ORDINALITY counts from 1. By number, because rows come in no promised order without a sort.
            guard let number = result.int64(row, 0) else { preconditionFailure("a row without a number") }
            var body: [UInt8] = []
            result.append(row, 1, to: &body)
            batch[Int(number) - 1].task.finish(.success(body))
        }
    }

    private func fail(_ batch: [Question], _ error: PostgresError) {
        for question in batch {
            var metadata: Logger.Metadata = [
                "reason": "\(String(reflecting: error))", "request_id": "\(question.task.requestID ?? "none")",
            ]
            let failure = AverageFailure.failure(for: error)
            // One outage makes thousands of them fail. A missing schema does not go by itself, so that an outage just
            // before does not silence it.
            var isDue = !failure.isOfSurroundings
            if case .server(let error) = error, error.sqlState.tellsOfMissingSchema {
                metadata["advice"] = "\(SQLState.schemaAdvice)"
                isDue = missingSchema.isDue(at: Reactor.now) != nil
            } else if failure.isOfSurroundings {
                isDue = outage.isDue(at: Reactor.now) != nil
            }
            logger.log(level: isDue ? .error : .debug, "daily averages failed", metadata: metadata)
            question.task.finish(.failure(failure))
        }
    }
}

/// Why there are no averages, as the task's failures say it.
enum AverageFailure {
    /// The database cannot be used at the moment.
    static let unavailable = "UNAVAILABLE"
    /// The database has as much to do as it is allowed to.
    static let overloaded = "OVERLOADED"
    /// The database did not answer in time.
    static let timedOut = "TIMED_OUT"
    /// The fault is ours.
    static let internalError = "INTERNAL_ERROR"

    static let malformedArguments = TaskFailure(
        code: internalError,
        message: "The arguments are not those of a request for averages.",
        isRetryable: false
    )
    private static let away = TaskFailure(
        .unavailable,
        code: unavailable,
        message: "The database is not available.",
        isRetryable: true
    )
    private static let late = TaskFailure(
        .timedOut,
        code: timedOut,
        message: "The database did not answer in time.",
        isRetryable: true
    )
    private static let busy = TaskFailure(
        .overloaded,
        code: overloaded,
        message: "The database has too much to do.",
        isRetryable: true
    )
    private static let broken = TaskFailure(
        code: internalError,
        message: "The averages could not be computed.",
        isRetryable: false
    )

    static func failure(for error: PostgresError) -> TaskFailure {
        switch error {
        case .unavailable, .connectionLost: away
        case .overloaded: busy
        case .timedOut: late
        case .unencodable: broken
        case .server(let error): failure(for: error.sqlState)
        }
    }

    /// By the class of the SQLSTATE; PostgreSQL manual, appendix A. A schema that is missing comes with a migration.
    private static func failure(for state: SQLState) -> TaskFailure {
        if state == .queryCanceled { return late }
        return ["08", "53", "57"].contains(state.code.prefix(2)) || state.tellsOfMissingSchema ? away : broken
    }
}
