internal import Logging
internal import Postgres
internal import Reactor

/// Adds what batches brought to the sums, drops statistics that are older than they are kept, folds the paths that are
/// asked for least, and prepares tomorrow's partition. Several processes may do it.
@ReactorActor
final class StatisticsUpkeep {
    /// How long what batches brought is read as they brought it.
    private static let pendingInterval = Duration.seconds(5)
    private static let interval = Duration.seconds(600)
    private static let timeout = Duration.seconds(60)
    private static let rollUp = PostgresStatement("select roll_up_proxied()")
    private static let forget = PostgresStatement("select forget_proxied($1::integer)")
    private static let fold = PostgresStatement("select fold_proxied_paths()")
    private static let prepare = PostgresStatement(
        "select prepare_proxied_day((now() at time zone 'UTC')::date + 1)"
    )

    private let database: PostgresPool
    private let days: Int
    private let logger: Logger
    private var timers: [Timer] = []
    private var isRollingUp = false
    private var failures = Reminder()

    /// Begins after some seconds.
    ///
    /// - Parameter days: How many are kept.
    init(_ database: PostgresPool, keepingDays days: Int, logger: Logger) {
        self.database = database
        self.days = days
        self.logger = logger
        timers = [Timer { [unowned self] in add() }, Timer { [unowned self] in look() }]
        timers[0].scheduleRepeating(every: Self.pendingInterval)
        timers[1].scheduleRepeating(every: Self.interval)
    }

    /// Begins nothing new.
    func stop() { for timer in timers { timer.cancel() } }

    private func add() {
        guard !isRollingUp else { return }
        isRollingUp = true
        ask(Self.rollUp) { [weak self] in self?.isRollingUp = false }
    }

    private func look() {
        // Each in a transaction of its own, so that none holds what it has locked while another one works.
        ask(Self.forget, [.int64(Int64(days))])
        ask(Self.fold)
        ask(Self.prepare)
    }

    private func ask(
        _ statement: PostgresStatement,
        _ parameters: [PostgresParameter] = [],
        then done: @escaping @ReactorActor () -> Void = {}
    ) {
        let deadline = Reactor.now + Self.timeout
        database.query(statement, parameters, deadline: deadline) { [weak self] result in
            done()
            guard let self, case .failure(let error) = result, let unsaid = failures.isDue(at: Reactor.now) else {
                return
            }
            logger.warning(
                "statistics were not looked after",
                metadata: ["reason": "\(error)", "unsaid": "\(unsaid)"]
            )
        }
    }
}
