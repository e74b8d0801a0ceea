public import Logging
public import Postgres
public import Reactor

/// Drops statistics that are older than they are kept, and prepares tomorrow's partition. Several processes may do it.
@ReactorActor
public final class StatisticsUpkeep {
    private static let interval = Duration.seconds(600)
    private static let timeout = Duration.seconds(60)
    private static let statement = PostgresStatement(
        "select forget_proxied($1::integer), prepare_proxied_day((now() at time zone 'UTC')::date + 1)"
    )

    private let database: PostgresPool
    private let days: Int
    private let logger: Logger
    private var timer: Timer?

    /// Begins after some minutes.
    ///
    /// - Parameter days: How many are kept.
    public init(_ database: PostgresPool, keepingDays days: Int, logger: Logger) {
        self.database = database
        self.days = days
        self.logger = logger
        timer = Timer { [unowned self] in look() }
        timer?.scheduleRepeating(every: Self.interval)
    }

    /// Begins nothing new.
    public func stop() { timer?.cancel() }

    private func look() {
        let deadline = Reactor.now + Self.timeout
        database.query(Self.statement, [.int64(Int64(days))], deadline: deadline) { [logger] result in
            guard case .failure(let error) = result else { return }
            logger.debug("statistics were not looked after", metadata: ["reason": "\(error)"])
        }
    }
}
