internal import HTTPClient
internal import Logging
internal import Outbox
internal import Postgres
internal import Reactor
internal import Redis
internal import TLS

/// Places orders at the exchange, for as long as its process runs.
@ReactorActor
final class OrderPlacement {
    /// What is known of the exchange.
    struct Configuration: Sendable {
        var base: HTTPBaseURL
        /// Whom to trust, where that is `https`.
        var tls: TLSClientContext?
        /// Until an answer counts as lost.
        var timeout = Duration.seconds(5)
        /// The relay's bounds.
        var limits = RelayMachine.Limits()

        init(base: HTTPBaseURL) { self.base = base }
    }

    /// For metrics.
    let relay: Relay
    private let exchange: ExchangeClient
    private let destination: ExchangeDestination
    private let hints: OrderHints

    /// Begins at once.
    ///
    /// - Parameters:
    ///   - database: For this alone.
    ///   - redis: For hints.
    init(
        _ database: PostgresPool,
        _ configuration: Configuration,
        redis: RedisConfiguration,
        logger: Logger
    ) {
        // Under one lease a message is sent with what is left of it.
        precondition(configuration.timeout < configuration.limits.lease, "an attempt fits into a lease")
        exchange = ExchangeClient(
            configuration.base,
            tls: configuration.tls,
            timeout: configuration.timeout,
            connections: configuration.limits.inFlightMax
        )
        destination = ExchangeDestination(exchange, database: database, logger: logger)
        relay = Relay(database, destination: destination, limits: configuration.limits, logger: logger)
        hints = OrderHints(redis, listeningTo: .waiting, logger: logger) { [relay] in relay.hint() }
        destination.onSettled = { [hints] in hints.eventsWereAdded() }
        relay.start()
    }

    /// Orders that were placed though they had ended in another way.
    var alarms: Int { destination.alarms }

    /// Ends: what is under way has until the deadline.
    func drain(until deadline: Instant) async {
        await relay.drain(until: deadline)
        hints.close()
        exchange.close()
    }
}
