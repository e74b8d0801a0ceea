internal import Logging
internal import Postgres
internal import Reactor

/// Drops statistics that are older than they are kept, folds the paths that are asked for least, and prepares
/// tomorrow's partition. Several processes may do it.
@ReactorActor
final class StatisticsUpkeep {
    private static let interval = Duration.seconds(600)
    private static let timeout = Duration.seconds(60)
    private static let forget = PostgresStatement("select forget_proxied($1::integer)")
    private static let fold = PostgresStatement("select fold_proxied_paths()")
    private static let prepare = PostgresStatement(
        "select prepare_proxied_day((now() at time zone 'UTC')::date + 1)"
    )

    private let database: PostgresPool
    private let days: Int
    private let logger: Logger
    private var timer: Timer?

    /// Begins after some minutes.
    ///
    /// - Parameter days: How many are kept.
    init(_ database: PostgresPool, keepingDays days: Int, logger: Logger) {
        self.database = database
        self.days = days
        self.logger = logger
        timer = Timer { [unowned self] in look() }
        timer?.scheduleRepeating(every: Self.interval)
    }

    /// Begins nothing new.
    func stop() { timer?.cancel() }

    private func look() {
        // Each in a transaction of its own, so that none holds what it has locked while another one works.
        ask(Self.forget, [.int64(Int64(days))])
        ask(Self.fold)
        ask(Self.prepare)
    }

    private func ask(_ statement: PostgresStatement, _ parameters: [PostgresParameter] = []) {
        let deadline = Reactor.now + Self.timeout
        database.query(statement, parameters, deadline: deadline) { [logger] result in
            guard case .failure(let error) = result else { return }
            logger.debug("statistics were not looked after", metadata: ["reason": "\(error)"])
        }
    }
}
