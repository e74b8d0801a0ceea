internal import JSONWire
public import Reactor
public import Redis

/// Where the processes of a system say that they are there, and how they are: in Redis, for whoever wants to know.
///
/// Each says so every few seconds; one that has been silent for ``silenceMax`` is forgotten by the next that speaks.
@ReactorActor
public struct ProcessBoard {
    /// A process, and what it said last.
    struct Told: Sendable {
        let id: String
        /// How long ago, by Redis' clock.
        let age: Duration
        let json: [UInt8]
    }

    nonisolated static let silenceMax = Duration.seconds(20)
    /// Most processes that are read.
    private static let countMax = 256
    private static let keys = ["tickloop:processes", "tickloop:processes:told"]

    private let redis: RedisClient

    /// - Parameter redis: A started client; it stays the caller's.
    public init(redis: RedisClient) { self.redis = redis }

    /// Says that a process is there.
    ///
    /// - Parameters:
    ///   - id: Of the process; no other has it.
    ///   - json: How it is.
    func tell(_ id: String, _ json: [UInt8]) async throws(RedisError) {
        let silence = Self.silenceMax.components.seconds * 1000
        _ = try await Self.tellScript.run(
            on: redis,
            keys: Self.keys,
            [.string(id), .bytes(json), .integer(silence)]
        )
    }

    /// Says that a process ends.
    func leave(_ id: String) async throws(RedisError) {
        _ = try await redis.command(["ZREM", .string(Self.keys[0]), .string(id)])
        _ = try await redis.command(["HDEL", .string(Self.keys[1]), .string(id)])
    }

    /// All processes, by their ids.
    func all() async throws(RedisError) -> [Told] {
        let reply = try await Self.readScript.run(on: redis, keys: Self.keys, [.integer(Int64(Self.countMax))])
        guard let parts = reply.array else { throw .unexpectedReply }
        return parts.compactMap { part in
            guard let fields = part.array, fields.count == 3, let id = fields[0].text, let age = fields[1].integer,
                let json = fields[2].bytes
            else { return nil }
            return Told(id: id, age: .milliseconds(max(0, age)), json: json)
        }
        .sorted { $0.id < $1.id }
    }

    /// KEYS: who spoke when, what. ARGV: id, what, milliseconds of silence that are too many.
    private static let tellScript = RedisScript(
        """
        local time = redis.call('TIME')
        local now = time[1] * 1000 + math.floor(time[2] / 1000)
        redis.call('ZADD', KEYS[1], now, ARGV[1])
        redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
        local gone = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now - tonumber(ARGV[3]), 'LIMIT', 0, 100)
        for _, id in ipairs(gone) do
          redis.call('ZREM', KEYS[1], id)
          redis.call('HDEL', KEYS[2], id)
        end
        return 1
        """
    )

    /// KEYS: who spoke when, what. ARGV: most of them.
    private static let readScript = RedisScript(
        """
        local time = redis.call('TIME')
        local now = time[1] * 1000 + math.floor(time[2] / 1000)
        local ids = redis.call('ZRANGE', KEYS[1], 0, tonumber(ARGV[1]) - 1, 'WITHSCORES')
        local told = {}
        for i = 1, #ids, 2 do
          local json = redis.call('HGET', KEYS[2], ids[i])
          if json then told[#told + 1] = { ids[i], now - tonumber(ids[i + 1]), json } end
        end
        return told
        """
    )
}
