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
    private var isStarted = false
    /// The number of the last purge that was heard; nil before the first look.
    private var heard: Int?

    /// - Parameter redis: Its owner's; for the count.
    init(_ cache: ResponseCache, redis: RedisClient, logger: Logger) {
        self.cache = cache
        self.redis = redis
        subscriber = RedisSubscriber(redis.configuration, channels: [Self.channel], purpose: ":purges", logger: logger)
        subscriber.onSubscribed = { [unowned self] in Reactor.spawn { [self] in await lookBack() } }
        subscriber.onMessage = { [unowned self] _, message in take(message) }
    }

    /// Begins to listen, unless it does already.
    func start() {
        guard !isStarted else { return }
        isStarted = true
        subscriber.start()
    }

    /// Listens no more.
    func close() { subscriber.close() }

    /// What was said while nobody listened is not known: if anything was, nothing that is kept is certain.
    private func lookBack() async {
        guard let reply = try? await redis.command(["GET", .string(Self.counter)]) else {
            // Asked again with the next connection; meanwhile purges are heard.
            return
        }
        let count = Int(reply.integer ?? 0)
        if let heard, heard != count { cache.removeAll() }
        heard = count
    }

    /// `number kind target`
    private func take(_ message: Span<UInt8>) {
        let words = String(decoding: (0..<message.count).map { message[$0] }, as: UTF8.self)
            .split(separator: " ", maxSplits: 2)
        guard words.count == 3, let number = Int(words[0]) else { return }
        heard = max(heard ?? 0, number)
        cache.purge(String(words[2]), isPrefix: words[1] == "prefix")
    }

    /// Tells all gateways to forget a target.
    ///
    /// - Parameter target: As ``ResponseCache/purge(_:isPrefix:)`` takes it.
    /// - Returns: How many of them listened.
    public static func purge(_ target: String, isPrefix: Bool, redis: RedisClient) async throws(RedisError) -> Int {
        let number = try await redis.command(["INCR", .string(counter)]).integer ?? 0
        let message = "\(number) \(isPrefix ? "prefix" : "target") \(target)"
        return Int(try await redis.command(["PUBLISH", .string(channel), .string(message)]).integer ?? 0)
    }
}

extension ResponseCache {
    /// What a URL is kept under; nil for one that no gateway is asked for.
    nonisolated public static func target(ofURL url: String) -> String? {
        guard let scheme = ["http://", "https://"].first(where: { url.lowercased().hasPrefix($0) }) else { return nil }
        let rest = url.dropFirst(scheme.count)
        let host = rest.prefix { $0 != "/" && $0 != "?" }
        guard !host.isEmpty, !url.contains(where: { $0 == " " || $0 == "#" }) else { return nil }
        let path = rest.dropFirst(host.count)
        return host.lowercased() + (path.hasPrefix("/") ? "" : "/") + path
    }
}
