internal import Logging
internal import Outbox
internal import Postgres
internal import Reactor
internal import Redis
internal import RedisStreams

/// A worker's part in price events: sends those that are promised to the stream, keeps the moving averages, and makes
/// lost events again.
///
/// Any number of processes do this together.
@ReactorActor
final class PriceEventProcessor {
    /// How often to look for events that are lost.
    private static let renewalInterval = Duration.seconds(1)
    /// Events of one transaction.
    private static let renewalBatch: Int64 = 500
    /// The most that one statement may take.
    private static let timeout = Duration.seconds(5)

    private let database: PostgresPool
    private let logger: Logger
    private let relay: Relay
    private let consumer: StreamConsumer
    private var renewals: Timer?
    private var isRenewing = false
    /// How many lost events were made again, ever.
    private(set) var renewedCount = 0

    /// Begins at once.
    ///
    /// - Parameters:
    ///   - redis: For commands; it may be shared.
    ///   - name: Of this process; no other may have it at the same time.
    init(_ database: PostgresPool, redis: RedisClient, name: String, logger: Logger) {
        self.database = database
        self.logger = logger
        relay = Relay(
            database,
            destination: PriceEventDestination(database, redis, logger: logger),
            limits: PriceEventDestination.limits,
            logger: logger
        )
        consumer = StreamConsumer(
            StreamConsumerConfiguration(
                stream: PriceEvent.stream,
                group: PriceEvent.group,
                deadLetters: PriceEvent.deadLetters,
                consumer: name
            ),
            redis: redis,
            handler: AverageUpdater(database, logger: logger) { PriceChange.hint(by: redis) },
            logger: logger
        )
        consumer.canWork = { database.isReady }
        renewals = Timer { [unowned self] in renew() }
        renewals?.scheduleRepeating(every: Self.renewalInterval)
        relay.start()
        consumer.start()
    }

    /// How many events were sent, ever.
    var sentCount: Int { relay.counters.done }
    /// What became of the events that this process was given.
    var entryCounters: StreamConsumer.Counters { consumer.counters }

    /// There may be events to send.
    func wake() { relay.hint() }

    /// Begins nothing new, and ends what is under way.
    func stop(within limit: Duration) async {
        let deadline = Reactor.now + limit
        renewals?.cancel()
        await relay.drain(until: deadline)
        await consumer.stop(within: max(.zero, deadline - Reactor.now))
    }

    private static let renewEvents = PostgresStatement("select renew_price_events($1)")

    private func renew() {
        guard !isRenewing, database.isReady else { return }
        isRenewing = true
        Reactor.spawn { [self] in
            defer { isRenewing = false }
            var renewed: Int64 = 0
            repeat {
                let result = try? await database.query(
                    Self.renewEvents,
                    [.int64(Self.renewalBatch)],
                    deadline: Reactor.now + Self.timeout
                )
                renewed = result?.int64(0, 0) ?? 0
                renewedCount += Int(renewed)
                if renewed > 0 {
                    logger.notice("lost price events are sent again", metadata: ["events": "\(renewed)"])
                    relay.hint()
                }
            } while renewed == Self.renewalBatch
        }
    }
}
