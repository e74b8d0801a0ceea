public import Logging
public import Reactor
public import Redis

/// Keeps the limits of a gateway as its file and the changes of operators say.
///
/// That something was changed is told over Redis; what, is read there. While Redis is away what was read last holds.
@ReactorActor
public final class RateRulesFollower {
    /// After which it is tried again to read.
    private static let pause = Duration.seconds(1)
    /// After which it is read again though nothing was told: Redis may have lost what it knew.
    private static let interval = Duration.seconds(5)

    private let limits: RateLimits
    private let store: RateRules
    private let subscriber: RedisSubscriber
    private let logger: Logger
    private var configured: [RateRule]
    private var reach: RateReach
    private var changes: [RateRule] = []
    private var lookout: Lookout?
    /// When it is read again though nothing was told; nil once nobody follows any more.
    private var next: Timer?

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
        next = Timer { [unowned self] in look() }
    }

    /// Begins to follow.
    public func start() { subscriber.start() }

    /// Follows no more.
    public func close() {
        next = nil
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
        next?.cancel()
        do {
            try await store.tell(configured: configured, within: reach)
            let found = try await store.changes()
            next?.schedule(after: Self.interval)
            guard found != changes else { return }
            let news = found.news(since: changes)
            changes = found
            limits.replace(configured.changed(by: found))
            logger.info("limits changed", metadata: news)
        } catch {
            logger.debug("limits could not be read", metadata: ["reason": "\(error)"])
            next?.schedule(after: Self.pause)
        }
    }
}

extension [RateRule] {
    /// What is to be said of changes that others have taken the place of: which were made, and which were taken back.
    func news(since others: [RateRule]) -> Logger.Metadata {
        let (known, names) = (Set(others), Set(map(\.name)))
        let made = filter { !known.contains($0) }.map(\.name)
        let takenBack = others.map(\.name).filter { !names.contains($0) }
        var news: Logger.Metadata = [:]
        if !made.isEmpty { news["changed"] = "\(made)" }
        if !takenBack.isEmpty { news["taken_back"] = "\(takenBack)" }
        return news
    }
}
