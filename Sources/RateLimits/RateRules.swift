internal import JSONWire
public import Redis
public import Reactor

/// The rules as all gateways share them, in Redis: what their files say, and what operators have changed since.
@ReactorActor
public struct RateRules {
    /// Most rules that operators may have changed or added.
    nonisolated static let countMax = 64
    /// Told whenever something was changed.
    nonisolated static let channel = "tickloop:limits"
    private static let changes = "tickloop:limits"
    private static let configured = "tickloop:limits:configured"
    private static let reach = "tickloop:limits:reach"

    /// A rule with where it comes from.
    struct Stated: Sendable {
        let rule: RateRule
        /// Whether an operator said so, and not the file.
        let isChange: Bool

        func write(to writer: inout JSONWriter) {
            writer.object { writer in
                rule.write(to: &writer)
                writer.member("source", isChange ? "change" : "configuration")
            }
        }
    }

    private let redis: RedisClient

    /// - Parameter redis: A started client; it stays the caller's.
    public init(redis: RedisClient) { self.redis = redis }

    /// All rules: those of the gateways' files, as the last one of them told, and the changes.
    func all() async throws(RedisError) -> [Stated] {
        let told = try await redis.command(["GET", .string(Self.configured)])
        let changes = try await changes()
        let changed = Set(changes.map(\.name))
        return Self.rules(told.text).changed(by: changes).map { Stated(rule: $0, isChange: changed.contains($0.name)) }
    }

    /// What operators have changed, in the order of the names.
    func changes() async throws(RedisError) -> [RateRule] {
        guard let fields = try await redis.command(["HGETALL", .string(Self.changes)]).fields else {
            throw .unexpectedReply
        }
        return fields.sorted { $0.key < $1.key }.compactMap { Self.rule($0.value.text) }
    }

    /// Changes or adds a rule. False if there are too many.
    func set(_ rule: RateRule) async throws(RedisError) -> Bool {
        try await Self.setScript.run(
            on: redis,
            keys: [Self.changes],
            [.string(rule.name), .bytes(rule.json), .integer(Int64(Self.countMax)), .string(Self.channel)]
        ) == .integer(1)
    }

    /// Takes a change back. False if there was none.
    func reset(_ name: String) async throws(RedisError) -> Bool {
        try await Self.resetScript.run(
            on: redis,
            keys: [Self.changes],
            [.string(name), .string(Self.channel)]
        ) == .integer(1)
    }

    /// What gateways answer to, as the last one of them told; nil before the first.
    func reach() async throws(RedisError) -> RateReach? {
        try await redis.command(["GET", .string(Self.reach)]).text.flatMap { text in
            try? JSONValue(parsing: text, limits: JSONLimits(bytes: 256 * 1024))
        }.flatMap { RateReach($0) }
    }

    /// Tells what a gateway's file says, and what the gateway answers to.
    func tell(configured rules: [RateRule], within reach: RateReach) async throws(RedisError) {
        var writer = JSONWriter(capacity: 128 * rules.count)
        writer.array { writer in
            for rule in rules { writer.object { rule.write(to: &$0) } }
        }
        _ = try await redis.command([
            "MSET", .string(Self.configured), .bytes(writer.take()), .string(Self.reach), .bytes(reach.json),
        ])
    }

    private static func rules(_ text: String?) -> [RateRule] {
        guard let text, let json = try? JSONValue(parsing: text, limits: JSONLimits(bytes: 256 * 1024)) else {
            return []
        }
        return (json.array ?? []).compactMap { RateRule($0) }
    }

    private static func rule(_ text: String?) -> RateRule? {
        text.flatMap { try? JSONValue(parsing: $0, limits: JSONLimits(bytes: 4096)) }.flatMap { RateRule($0) }
    }

    /// KEYS[1]: the changes. ARGV: name, rule, most of them, channel.
    private static let setScript = RedisScript(
        """
        if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 and redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[3]) then
          return 0
        end
        redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
        redis.call('PUBLISH', ARGV[4], ARGV[1])
        return 1
        """
    )

    /// KEYS[1]: the changes. ARGV: name, channel.
    private static let resetScript = RedisScript(
        """
        local count = redis.call('HDEL', KEYS[1], ARGV[1])
        if count == 1 then redis.call('PUBLISH', ARGV[2], ARGV[1]) end
        return count
        """
    )
}
