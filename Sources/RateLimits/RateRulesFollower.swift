public import Logging
public import Reactor
public import Redis

/// Keeps the limits of a gateway as its file and the changes of operators say.
///
/// That something was changed is told over Redis; what, is read there. While Redis is away what was read last holds.
@ReactorActor
public final class RateRulesFollower {
    private static let pause = Duration.seconds(1)

    private let limits: RateLimits
    private let store: RateRules
    private let subscriber: RedisSubscriber
    private let logger: Logger
    private var configured: [RateRule]
    private var reach: RateReach
    private var changes: [RateRule] = []
    private var lookout: Lookout?
    private var retry: Timer?

    /// - Parameters:
    ///   - configured: What the file says.
    ///   - reach: What the gateway answers to.
    ///   - redis: Its owner's.
    public init(
        _ limits: RateLimits,
        configured: [RateRule],
        within reach: RateReach,
        redis: RedisClient,
        logger: Logger
    ) {
        self.limits = limits
        self.configured = configured
        self.reach = reach
        self.logger = logger
        store = RateRules(redis: redis)
        subscriber = RedisSubscriber(
            redis.configuration,
            channels: [RateRules.channel],
            purpose: ":limits",
            logger: logger
        )
        lookout = Lookout { [weak self] in await self?.readOn() }
        subscriber.onSubscribed = { [unowned self] in look() }
        subscriber.onMessage = { [unowned self] _, _ in look() }
        retry = Timer { [unowned self] in look() }
    }

    /// Begins to follow.
    public func start() { subscriber.start() }

    /// Follows no more.
    public func close() {
        retry?.cancel()
        subscriber.close()
    }

    /// Takes what the file says now.
    public func configure(_ rules: [RateRule], within reach: RateReach) {
        configured = rules
        self.reach = reach
        limits.replace(configured.changed(by: changes))
        look()
    }

    private func look() { lookout?.look() }

    private func readOn() async {
        retry?.cancel()
        do {
            try await store.tell(configured: configured, within: reach)
            let found = try await store.changes()
            guard found != changes else { return }
            changes = found
            limits.replace(configured.changed(by: found))
            logger.info("limits changed", metadata: ["changes": "\(found.map(\.name))"])
        } catch {
            logger.debug("limits could not be read", metadata: ["reason": "\(error)"])
            retry?.schedule(after: Self.pause)
        }
    }
}
