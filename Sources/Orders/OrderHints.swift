internal import Logging
internal import Reactor
internal import Redis

/// What processes that work on orders let one another know, so that they need not wait for their next look: that there
/// is something to place, and that there are new events. Looking is what makes everything right.
@ReactorActor
final class OrderHints {
    /// What there may be.
    enum Channel: String {
        /// Orders that wait for being placed.
        case waiting = "tickloop:orders:waiting"
        /// Events of orders.
        case events = "tickloop:orders:events"
    }

    private let redis: RedisClient
    private let waiting: RedisHint
    private let events: RedisHint
    private let subscriber: RedisSubscriber

    /// Begins to connect, in the background.
    ///
    /// - Parameters:
    ///   - channel: What to listen to.
    ///   - heard: Called for each hint, and when one may have been missed.
    init(
        _ configuration: RedisConfiguration,
        listeningTo channel: Channel,
        logger: Logger,
        heard: @escaping @ReactorActor () -> Void
    ) {
        redis = RedisClient(configuration, logger: logger)
        waiting = RedisHint(redis, channel: Channel.waiting.rawValue)
        events = RedisHint(redis, channel: Channel.events.rawValue)
        subscriber = RedisSubscriber(
            configuration,
            channels: [channel.rawValue],
            purpose: ":orders",
            logger: logger
        )
        subscriber.onSubscribed = heard
        subscriber.onMessage = { _, _ in heard() }
        redis.start()
        subscriber.start()
    }

    /// Orders were committed: there is something to place, and something to tell.
    func ordersWereTaken() {
        waiting.give()
        events.give()
    }

    /// Something happened to orders: there is something to tell.
    func eventsWereAdded() { events.give() }

    /// Says and hears nothing more.
    func close() {
        redis.close()
        subscriber.close()
    }
}
