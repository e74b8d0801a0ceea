public import Reactor
public import Redis

/// Answers that any process of a role may give again, kept in Redis.
///
/// It has no way of its own to tell an old answer from a right one: the key names everything that the answer depends
/// on, the version of the data included. So a change makes new keys, and old entries are simply never asked for again.
///
/// - Callers that miss the same key at the same time share one making of it, within this process.
/// - What Redis does not answer in time, or at all, is a miss: an absent cache costs time and never an answer.
/// - All entries together have a bound, because the queue lives in the same Redis: past it the oldest go.
@ReactorActor
public final class SharedCache {
    /// How it is kept.
    public struct Configuration: Sendable {
        /// Part of its keys in Redis, and its label in the metrics.
        public var name: String
        /// How long an entry is kept; zero keeps nothing, and asks Redis nothing.
        public var lifetime = Duration.seconds(3600)
        /// Most bytes of all entries, of whichever process.
        public var bytesMax = 32 * 1024 * 1024
        /// Most bytes of one; what is larger is made each time.
        public var entryBytesMax = 256 * 1024
        /// How long Redis is waited for: less than making an answer takes at its worst.
        public var patience = Duration.milliseconds(250)

        /// A configuration with the defaults.
        public init(name: String) {
            self.name = name
        }
    }

    /// An answer with the key that it is right for.
    public struct Entry: Sendable {
        /// Names all that the value depends on; may differ from the key that was asked for, when the data has changed
        /// meanwhile.
        public let key: String
        /// The answer.
        public let value: [UInt8]

        /// Joins the two.
        public init(key: String, value: [UInt8]) {
            self.key = key
            self.value = value
        }
    }

    /// What became of the questions.
    public struct Counters: Sendable {
        /// Answered from Redis.
        public var hits = 0
        /// Made.
        public var misses = 0
        /// Answered with what another caller had made at that time.
        public var merged = 0
        /// Times that Redis did not do as it was asked.
        public var failures = 0
    }

    /// How it is kept.
    public let configuration: Configuration
    /// What became of the questions.
    public private(set) var counters = Counters()
    private let redis: RedisClient
    /// Those who wait for a making that is under way, by key; they are told nil when it failed.
    private var flights: [String: [Promise<[UInt8]?, Never>]] = [:]

    /// - Parameter redis: A client that is started.
    public init(_ redis: RedisClient, _ configuration: Configuration) {
        self.redis = redis
        self.configuration = configuration
    }

    /// Whether anything is kept.
    public var isEnabled: Bool { configuration.lifetime > .zero }

    /// Callers that wait for what another one makes; for tests.
    var waitingCount: Int { flights.values.reduce(0) { $0 + $1.count } }

    /// The value of a key, from Redis or made now.
    ///
    /// - Parameter make: Makes it. Its failure is the caller's alone: others who waited for it make their own.
    /// - Returns: The value, the key that it is right for, and whether it was there.
    public func value<Failure>(
        of key: String,
        make: @ReactorActor () async throws(Failure) -> Entry
    ) async throws(Failure) -> (key: String, value: [UInt8], isHit: Bool) {
        guard isEnabled else {
            let entry = try await make()
            return (entry.key, entry.value, false)
        }
        if let value = await kept(key) {
            counters.hits += 1
            return (key, value, true)
        }
        if flights[key] != nil, let value = await join(key) {
            counters.merged += 1
            return (key, value, false)
        }
        counters.misses += 1
        // Somebody else may have begun while this one waited for a failure; then both make it.
        let isLeader = flights[key] == nil
        if isLeader { flights[key] = [] }
        do {
            let entry = try await make()
            if isLeader { land(key, entry.key == key ? entry.value : nil) }
            keep(entry)
            return (entry.key, entry.value, false)
        } catch {
            if isLeader { land(key, nil) }
            throw error
        }
    }

    private func join(_ key: String) async -> [UInt8]? {
        let promise = Promise<[UInt8]?, Never>()
        flights[key]?.append(promise)
        return await promise.result.get()
    }

    private func land(_ key: String, _ value: [UInt8]?) {
        for promise in flights.removeValue(forKey: key) ?? [] { promise.succeed(value) }
    }

    // MARK: Redis

    private func kept(_ key: String) async -> [UInt8]? {
        do {
            return try await redis.command(["GET", .string(place(of: key))], timeout: configuration.patience).bytes
        } catch {
            counters.failures += 1
            return nil
        }
    }

    /// Keeps an entry; nobody waits for that.
    private func keep(_ entry: Entry) {
        guard entry.value.count <= configuration.entryBytesMax else { return }
        Self.keeping.run(
            on: redis,
            keys: [place(of: entry.key), "cache:\(configuration.name):order", "cache:\(configuration.name):bytes"],
            timeout: configuration.patience
        ) { command in
            command.append(entry.value)
            command.append(max(1, Int(configuration.lifetime / .seconds(1))))
            command.append(configuration.bytesMax)
        } then: { [weak self] outcome in
            if outcome.error != nil { self?.counters.failures += 1 }
        }
    }

    private func place(of key: String) -> String { "cache:\(configuration.name):entry:\(key)" }

    /// `KEYS`: the entry, the list of entries in the order of their coming, the count of bytes. `ARGV`: the value,
    /// seconds to live, most bytes. An entry that ended by itself keeps its place in the list until that comes up: so
    /// what is counted is never less than what is there.
    private static let keeping = RedisScript(
        """
        if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
        redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
        local size = #ARGV[1] + #KEYS[1] + 128
        redis.call('RPUSH', KEYS[2], size .. ' ' .. KEYS[1])
        local bytes = redis.call('INCRBY', KEYS[3], size)
        while bytes > tonumber(ARGV[3]) do
            local oldest = redis.call('LPOP', KEYS[2])
            if not oldest then
                redis.call('SET', KEYS[3], 0)
                break
            end
            local space = string.find(oldest, ' ')
            redis.call('DEL', string.sub(oldest, space + 1))
            bytes = redis.call('DECRBY', KEYS[3], string.sub(oldest, 1, space - 1))
        end
        return 1
        """
    )
}
