internal import JSONWire
public import Logging
public import Postgres
public import Reactor
public import TaskQueue
internal import Tracing

/// Runs the tasks `prices.average`: all that wait together in as few statements as possible.
@ReactorActor
public final class AverageTaskHandler: TaskHandler {
    /// How long a task without a deadline may take.
    private static let patience = Duration.seconds(30)

    private let statements: AverageStatements
    private let logger: Logger

    /// Makes a handler that asks `pool`.
    public init(_ pool: PostgresPool, logger: Logger) {
        statements = AverageStatements(pool)
        self.logger = logger
    }

    /// Answers each task with the body of the HTTP response, or with a failure whose code ``AverageFailure`` lists.
    public func run(_ batch: [TaskContext]) async -> [TaskResult] {
        var results = [TaskResult](repeating: .failure(AverageFailure.malformedArguments), count: batch.count)
        var requests: [AverageRequest] = []
        var positions: [Int] = []
        var spans: [Int: TraceSpan] = [:]
        for (position, task) in batch.enumerated() {
            guard let request = AverageRequest(taskArguments: task.encodedArguments) else { continue }
            if let span = task.span { spans[requests.count] = span }
            requests.append(request)
            positions.append(position)
        }
        guard !requests.isEmpty else { return results }

        // The one that may wait longest decides: a statement serves them all.
        let deadline = batch.map { $0.deadline ?? Reactor.now + Self.patience }.max() ?? Reactor.now
        let finished = Promise<Void, CancellationError>()
        var unanswered = requests.count
        statements.answer(requests, spans: spans, deadline: deadline) { [logger] index, outcome in
            results[positions[index]] = outcome.mapError { error in
                var metadata: Logger.Metadata = [
                    "reason": "\(String(reflecting: error))",
                    "request_id": "\(batch[positions[index]].requestID ?? "none")",
                ]
                if case .server(let error) = error, error.sqlState.tellsOfMissingSchema {
                    metadata["advice"] = "\(SQLState.schemaAdvice)"
                }
                logger.error("daily averages failed", metadata: metadata)
                return AverageFailure.failure(for: error)
            }
            unanswered -= 1
            if unanswered == 0 { finished.succeed(()) }
        }
        _ = await finished.result
        return results
    }
}

/// Why there are no averages, as the task's failures say it.
public enum AverageFailure {
    /// The database cannot be used at the moment.
    public static let unavailable = "UNAVAILABLE"
    /// The database has as much to do as it is allowed to.
    public static let overloaded = "OVERLOADED"
    /// The database did not answer in time.
    public static let timedOut = "TIMED_OUT"
    /// The fault is ours.
    public static let internalError = "INTERNAL_ERROR"

    static let malformedArguments = TaskFailure(
        code: internalError,
        message: "The arguments are not those of a request for averages.",
        isRetryable: false
    )

    static func failure(for error: PostgresError) -> TaskFailure {
        switch error {
        case .unavailable, .connectionLost:
            TaskFailure(.unavailable, code: unavailable, message: "The database is not available.", isRetryable: true)
        case .overloaded:
            TaskFailure(.overloaded, code: overloaded, message: "The database has too much to do.", isRetryable: true)
        case .timedOut:
            TaskFailure(.timedOut, code: timedOut, message: "The database did not answer in time.", isRetryable: true)
        case .unencodable:
            TaskFailure(code: internalError, message: "The averages could not be computed.", isRetryable: false)
        case .server(let error):
            failure(for: error.sqlState)
        }
    }

    /// By the class of the SQLSTATE; PostgreSQL manual, appendix A. A schema that is missing comes with a migration.
    private static func failure(for state: SQLState) -> TaskFailure {
        if state == .queryCanceled {
            return TaskFailure(
                .timedOut,
                code: timedOut,
                message: "The database did not answer in time.",
                isRetryable: true
            )
        }
        guard ["08", "53", "57"].contains(state.code.prefix(2)) || state.tellsOfMissingSchema else {
            return TaskFailure(code: internalError, message: "The averages could not be computed.", isRetryable: false)
        }
        return TaskFailure(
            .unavailable,
            code: unavailable,
            message: "The database is not available.",
            isRetryable: true
        )
    }
}
