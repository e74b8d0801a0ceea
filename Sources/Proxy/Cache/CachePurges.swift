internal import Logging
public import Reactor
public import Redis

/// Purges, which reach every gateway: told over Redis, and counted there, so that one that was not heard is noticed.
@ReactorActor
public final class CachePurges {
    private static let channel = "tickloop:proxy:purge"
    private static let counter = "tickloop:proxy:purges"

    private let cache: ResponseCache
    private let redis: RedisClient
    private let subscriber: RedisSubscriber
    /// From one try to ask for the count to the next.
    private static let retryInterval = Duration.seconds(1)

    private var lookout: Lookout?
    private var isStarted = false
    private var isClosed = false
    /// The number of the last purge that was heard; nil before the first look.
    private var heard: Int?

    /// - Parameter redis: Its owner's; for the count.
    init(_ cache: ResponseCache, redis: RedisClient, logger: Logger) {
        self.cache = cache
        self.redis = redis
        subscriber = RedisSubscriber(redis.configuration, channels: [Self.channel], purpose: ":purges", logger: logger)
        lookout = Lookout { [weak self] in await self?.lookBack() }
        subscriber.onSubscribed = { [unowned self] in lookout?.look() }
        subscriber.onMessage = { [unowned self] _, message in take(message) }
    }

    /// Begins to listen, unless it does already.
    func start() {
        guard !isStarted else { return }
        isStarted = true
        subscriber.start()
    }

    /// Listens no more.
    func close() {
        isClosed = true
        subscriber.close()
    }

    /// What was said while nobody listened is not known: if anything was, nothing that is kept is certain.
    private func lookBack() async {
        // The other connection may come back later than the one that listens.
        while !isClosed {
            if let reply = try? await redis.command(["GET", .string(Self.counter)]) {
                let count = Int(reply.integer ?? 0)
                if heard != count { cache.removeAll() }
                heard = count
                return
            }
            try? await Reactor.sleep(for: Self.retryInterval)
        }
    }

    /// `number kind target`
    private func take(_ message: Span<UInt8>) {
        let words = String(decoding: (0..<message.count).map { message[$0] }, as: UTF8.self)
            .split(separator: " ", maxSplits: 2)
        guard words.count == 3, let number = Int(words[0]), let target = CacheTarget(words[2]) else { return }
        // Others were said and not heard.
        if heard.map({ number > $0 + 1 }) ?? true { cache.removeAll() }
        heard = max(heard ?? 0, number)
        cache.purge(target, isPrefix: words[1] == "prefix")
    }

    /// Tells all gateways to forget a target, or all that begin like it.
    ///
    /// - Returns: How many of them listened.
    public static func purge(
        _ target: CacheTarget,
        isPrefix: Bool,
        redis: RedisClient
    ) async throws(RedisError) -> Int {
        let number = try await redis.command(["INCR", .string(counter)]).integer ?? 0
        let message = "\(number) \(isPrefix ? "prefix" : "target") \(target.text)"
        return Int(try await redis.command(["PUBLISH", .string(channel), .string(message)]).integer ?? 0)
    }
}
