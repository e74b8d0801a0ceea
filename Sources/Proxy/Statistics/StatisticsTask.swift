internal import Logging
internal import Postgres
internal import Reactor
internal import TaskQueue

/// The task `proxy.statistics`: a batch of requests that a gateway carried, on its way into the database.
enum StatisticsTask {
    /// The task's name in the queue.
    static let name = "proxy.statistics"

    private static let recordArrays = PostgresStatement(
        "select record_proxied_batch($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)"
    )
    private static let recordJSON = PostgresStatement("select record_proxied_batch($1::json)")

    /// What stores a batch: in arrays, or as it is if an older gateway sends it in another form.
    static func query(storing batch: String) -> (PostgresStatement, [PostgresParameter]) {
        guard let columns = StatisticsColumns(batch) else { return (recordJSON, [.text(batch)]) }
        return (recordArrays, columns.parameters)
    }
}

/// Writes batches into the database. A batch that comes again changes nothing.
@ReactorActor
final class StatisticsTaskHandler: TaskHandler {
    private static let timeout = Duration.seconds(20)
    private static let failure = TaskFailure(
        .unavailable,
        code: "UNAVAILABLE",
        message: "The batch could not be stored.",
        isRetryable: true
    )

    private let database: PostgresPool
    private let logger: Logger
    private var failures = Reminder()

    /// Makes a handler that writes to `database`.
    init(_ database: PostgresPool, logger: Logger) {
        self.database = database
        self.logger = logger
    }

    /// Stores each batch in a transaction of its own, one after the other, so that others get their turn.
    func start(_ batch: [TaskContext]) {
        Reactor.spawn { [self] in
            for task in batch { task.finish(await store(task)) }
        }
    }

    private func store(_ task: TaskContext) async -> TaskResult {
        do {
            let (statement, parameters) = StatisticsTask.query(storing: task.encodedArguments)
            _ = try await database.query(statement, parameters, deadline: Reactor.now + Self.timeout)
            return .success(Array("true".utf8))
        } catch {
            if let unsaid = failures.isDue(at: Reactor.now) {
                logger.error(
                    "statistics not stored",
                    metadata: ["reason": "\(String(reflecting: error))", "unsaid": "\(unsaid)"]
                )
            }
            return .failure(Self.failure)
        }
    }
}
