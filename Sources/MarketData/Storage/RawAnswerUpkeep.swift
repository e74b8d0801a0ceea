internal import Logging
internal import Postgres
internal import Reactor

/// Drops what providers answered once it is older than it is kept; the prices that were read from it stay. Several
/// processes may do it.
@ReactorActor
final class RawAnswerUpkeep {
    /// From one look to the next.
    private static let interval = Duration.seconds(600)
    /// Answers that are looked at in one statement.
    private static let batch: Int64 = 2000
    /// The most that one statement may take.
    private static let timeout = Duration.seconds(30)

    private let database: PostgresPool
    private let days: Int
    private let logger: Logger
    private var timer: Timer?
    private var isBusy = false
    /// How many answers were dropped, ever.
    private(set) var droppedCount = 0

    /// Begins after some minutes.
    ///
    /// - Parameter days: For how many answers are kept; 0 for ever.
    init(_ database: PostgresPool, keepingDays days: Int, logger: Logger) {
        self.database = database
        self.days = days
        self.logger = logger
        guard days > 0 else { return }
        timer = Timer { [unowned self] in begin() }
        timer?.scheduleRepeating(every: Self.interval)
    }

    func stop() { timer?.cancel() }

    private func begin() {
        guard !isBusy else { return }
        isBusy = true
        Reactor.spawn { [self] in
            await drop()
            isBusy = false
        }
    }

    /// Ids grow with time, so only the oldest are looked at.
    private static let statement = PostgresStatement(
        """
        with oldest as (
            select id, fetched_at from raw_responses order by id limit $2 for update skip locked
        ), dropped as (
            delete from raw_responses as r using oldest as o
            where r.id = o.id and o.fetched_at < now() - $1::integer * interval '1 day'
            returning r.id
        )
        select count(*) from dropped
        """
    )

    /// Drops all that is too old, batch by batch.
    func drop() async {
        var count: Int64 = 0
        repeat {
            do throws(PostgresError) {
                let rows = try await database.query(
                    Self.statement,
                    [.int64(Int64(days)), .int64(Self.batch)],
                    deadline: Reactor.now + Self.timeout
                )
                count = rows.int64(0, 0) ?? 0
                droppedCount += Int(count)
            } catch {
                logger.debug("raw answers were not looked after", metadata: ["reason": "\(error)"])
                return
            }
        } while count == Self.batch
    }
}
