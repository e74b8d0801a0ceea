internal import Logging
internal import Postgres
internal import Reactor
internal import Redis
internal import WebAPI

/// Reads from the database what changes, in the order in which it becomes visible.
///
/// Looking at intervals is what makes it right; being woken only makes it fast.
@ReactorActor
final class PriceChangeReader: PriceSource {
    let silence = APIError.unavailable

    /// From one look to the next, if nothing wakes it.
    private static let interval = Duration.milliseconds(250)
    /// The least time from one look to the next, so that many changes are read together.
    private static let pause = Duration.milliseconds(10)
    /// Changes that are read at once.
    private static let pageSize = 1000
    /// Symbols that are told of at the beginning: those that changed last.
    private static let symbolsMax = 20_000
    /// The most that one statement may take.
    private static let timeout = Duration.seconds(5)

    private let database: PostgresPool
    private let logger: Logger
    private let hints: RedisSubscriber
    private var broadcast: Broadcast?
    /// Up to where everything was read; nil before the beginning is known.
    private var position: Int64?
    private var timer: Timer?
    private var lookout: Lookout?
    /// Changes with each ``start(_:)``, so that a look of before is not taken for one of now.
    private var round = 0

    /// - Parameter redis: Of the connection on which workers are heard.
    init(_ database: PostgresPool, redis: RedisConfiguration, logger: Logger) {
        self.database = database
        self.logger = logger
        hints = RedisSubscriber(redis, channels: [PriceChange.channel], purpose: ":prices", logger: logger)
        lookout = Lookout { [weak self] in
            await self?.readOn()
            try? await Reactor.sleep(for: Self.pause)
        }
        timer = Timer { [unowned self] in look() }
        hints.onMessage = { [unowned self] _, _ in look() }
        hints.start()
    }

    func start(_ broadcast: Broadcast) {
        self.broadcast = broadcast
        position = nil
        round += 1
        timer?.scheduleRepeating(every: Self.interval)
        look()
    }

    func asked(by context: RequestContext) {}

    func stop() {
        broadcast = nil
        timer?.cancel()
    }

    func close() {
        stop()
        hints.close()
    }

    private func look() {
        if broadcast != nil { lookout?.look() }
    }

    private static let beginning = PostgresStatement(
        """
        select coalesce(min(newest.change) - 1, 0)
        from (
            select change from symbol_averages where change is not null order by change desc limit $1
        ) as newest
        """
    )
    private static let changes = PostgresStatement(
        """
        select
            a.change, a.symbol, trim_scale(p.price)::text, utc_text(p.recorded_at), p.provider,
            trim_scale(a.moving_average)::text
        from (select * from symbol_averages where change > $1 order by change limit $2) as a
        left join prices as p on p.id = a.price_id
        order by a.change
        """
    )

    private func readOn() async {
        guard broadcast != nil else { return }
        let round = round
        do throws(PostgresError) {
            if let position {
                let (events, last) = try await read(after: position)
                guard round == self.round, let broadcast else { return }
                self.position = last
                for event in events { broadcast.publish(event) }
                if last > position { lookout?.look() }
            } else {
                let first = try await database.query(
                    Self.beginning,
                    [.int64(Int64(Self.symbolsMax))],
                    deadline: Reactor.now + Self.timeout
                )
                var (all, last): ([BroadcastEvent], Int64) = ([], first.int64(0, 0) ?? 0)
                while true {
                    let (events, next) = try await read(after: last)
                    guard next > last else { break }
                    all += events
                    last = next
                }
                guard round == self.round, let broadcast else { return }
                position = last
                broadcast.begin(all, position: last)
            }
        } catch {
            logger.debug("changes of prices were not read", metadata: ["reason": "\(error)"])
        }
    }

    /// The changes after one, in order, and the number of the last.
    private func read(after position: Int64) async throws(PostgresError) -> ([BroadcastEvent], Int64) {
        let rows = try await database.query(
            Self.changes,
            [.int64(position), .int64(Int64(Self.pageSize))],
            deadline: Reactor.now + Self.timeout
        )
        guard !rows.isEmpty, let last = rows.int64(rows.count - 1, 0) else { return ([], position) }
        return ((0..<rows.count).compactMap { PriceChange.event(rows, $0) }, last)
    }
}
