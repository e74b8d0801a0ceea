internal import Basics
internal import Reactor
internal import Redis

/// Whether a provider may be asked now, as all processes agree on it in Redis, on its clock.
///
/// - A refusal cools the whole provider down, for longer each time; then one probe is let through, and nothing more
///   until it has an answer.
/// - A budget of calls a second or a minute holds in any second or minute, not only from full to full; that of a day in
///   the days of UTC.
/// - A symbol that the provider does not know is not asked for again for a while.
@ReactorActor
final class ProviderGate {
    /// What is remembered for how long.
    struct Policy: Sendable {
        /// The first cool-down; each further one is twice as long.
        var firstCooldown = Duration.seconds(5)
        var longestCooldown = Duration.seconds(3600)
        /// How long an unknown symbol is one.
        var unknownLifetime = Duration.seconds(3600)
    }

    /// Whether to ask.
    enum Verdict: Hashable, Sendable {
        /// - Parameter isProbe: Its outcome ends the cool-down or renews it.
        case ask(isProbe: Bool)
        case wait(Duration)
        case unknownSymbol
        /// Redis cannot say, so that nobody may ask.
        case away
    }

    /// What is left of a budget, nil where there is no limit, and of a cool-down.
    struct State: Hashable, Sendable {
        var leftPerSecond: Int?
        var leftPerMinute: Int?
        var leftPerDay: Int?
        var cooldown = Duration.zero
    }

    private let name: String
    private let budget: CallBudget
    private let policy: Policy
    /// How long a probe may be without an outcome, until it counts as lost.
    private let probeTime: Duration
    private let redis: RedisClient
    private var random = SystemRandomNumberGenerator()

    init(_ name: String, _ budget: CallBudget, probeTime: Duration, policy: Policy = Policy(), redis: RedisClient) {
        self.name = name
        self.budget = budget
        self.probeTime = probeTime
        self.policy = policy
        self.redis = redis
    }

    private var stateKey: String { "provider:{\(name)}:state" }
    private var callsKey: String { "provider:{\(name)}:calls" }
    private func unknownKey(_ symbol: String) -> String { "provider:{\(name)}:unknown:\(symbol)" }

    // MARK: Asking

    private static let ask = RedisScript(
        """
        local time = redis.call('TIME')
        local now = time[1] * 1000 + math.floor(time[2] / 1000)
        if redis.call('EXISTS', KEYS[3]) == 1 then return {'unknown', 0} end
        local state = redis.call('HMGET', KEYS[1], 'level', 'until', 'probe', 'day', 'count')
        local level = tonumber(state[1]) or 0
        if level > 0 then
            local rest = math.max(tonumber(state[2]) or 0, tonumber(state[3]) or 0) - now
            if rest > 0 then return {'wait', rest} end
        end
        local second, minute, most = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
        local day = math.floor(now / 86400000)
        local count = tonumber(state[4]) == day and tonumber(state[5]) or 0
        if most > 0 and count >= most then return {'wait', (day + 1) * 86400000 - now} end
        local wait = 0
        local function hold(limit, span)
            if limit == 0 then return end
            local oldest = redis.call('ZRANGE', KEYS[2], -limit, -limit, 'WITHSCORES')
            if oldest[2] then wait = math.max(wait, tonumber(oldest[2]) + span - now) end
        end
        hold(second, 1000)
        hold(minute, 60000)
        if wait > 0 then return {'wait', wait} end
        if second > 0 or minute > 0 then
            redis.call('ZADD', KEYS[2], now, now .. ':' .. ARGV[5])
            local span = minute > 0 and 60000 or 1000
            redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now - span)
            redis.call('PEXPIRE', KEYS[2], span)
        end
        if most > 0 then redis.call('HSET', KEYS[1], 'day', day, 'count', count + 1) end
        if level > 0 then
            redis.call('HSET', KEYS[1], 'probe', now + tonumber(ARGV[4]))
            return {'probe', 0}
        end
        return {'ask', 0}
        """
    )

    /// Takes a call out of the budget if there is one.
    func ask(for symbol: String) async -> Verdict {
        let keys = [stateKey, callsKey, unknownKey(symbol)]
        let token = String(random.next() as UInt64, radix: 36)
        let arguments: [RedisArgument] = [
            .integer(Int64(budget.perSecond)), .integer(Int64(budget.perMinute)), .integer(Int64(budget.perDay)),
            .integer(Int64(probeTime.millisecondsRoundedUp)), .string(token),
        ]
        guard let reply = try? await Self.ask.run(on: redis, keys: keys, arguments).array, reply.count == 2,
            let milliseconds = reply[1].integer
        else { return .away }
        return switch reply[0].text {
        case "ask": .ask(isProbe: false)
        case "probe": .ask(isProbe: true)
        case "unknown": .unknownSymbol
        case "wait": .wait(.milliseconds(max(1, milliseconds)))
        default: .away
        }
    }

    // MARK: Outcomes

    private static let refused = RedisScript(
        """
        local time = redis.call('TIME')
        local now = time[1] * 1000 + math.floor(time[2] / 1000)
        local state = redis.call('HMGET', KEYS[1], 'level', 'until')
        local level, till = tonumber(state[1]) or 0, tonumber(state[2]) or 0
        -- Of several calls that were under way together the first counts.
        if level > 0 and till > now and ARGV[5] == '0' then return till - now end
        if ARGV[4] == '1' then level = level + 1 end
        if level == 0 then return 0 end
        local rest = math.min(tonumber(ARGV[1]) * 2 ^ math.min(level - 1, 30), tonumber(ARGV[2]))
        local named = tonumber(ARGV[3])
        if named >= 0 then rest = level == 1 and math.max(named, 1000) or math.max(named, rest) end
        redis.call('HSET', KEYS[1], 'level', level, 'until', now + rest, 'probe', 0)
        return rest
        """
    )

    /// The provider has refused to answer.
    ///
    /// - Parameter retryAfter: What it says itself.
    /// - Returns: How long it is left alone.
    func wasRefused(isProbe: Bool, retryAfter: Duration?) async -> Duration {
        await cool(raising: true, isProbe: isProbe, retryAfter: retryAfter) ?? retryAfter ?? policy.firstCooldown
    }

    /// A probe has come to nothing: the provider is left alone for as long again.
    func probeFailed() async { _ = await cool(raising: false, isProbe: true, retryAfter: nil) }

    private func cool(raising: Bool, isProbe: Bool, retryAfter: Duration?) async -> Duration? {
        let arguments: [RedisArgument] = [
            .integer(Int64(policy.firstCooldown.millisecondsRoundedUp)),
            .integer(Int64(policy.longestCooldown.millisecondsRoundedUp)),
            .integer(Int64(retryAfter?.millisecondsRoundedUp ?? -1)), .integer(raising ? 1 : 0),
            .integer(isProbe ? 1 : 0),
        ]
        let rest = try? await Self.refused.run(on: redis, keys: [stateKey], arguments).integer
        return rest.map { .milliseconds(max(1, $0)) }
    }

    /// A probe was answered: the provider may be asked as before.
    func probeSucceeded() async {
        _ = try? await redis.command(["HDEL", .string(stateKey), "level", "until", "probe"])
    }

    /// The provider does not know a symbol.
    func remember(unknown symbol: String) async {
        let lifetime = Int64(policy.unknownLifetime.millisecondsRoundedUp)
        _ = try? await redis.command(["SET", .string(unknownKey(symbol)), "", "PX", .integer(lifetime)])
    }

    // MARK: Looking

    private static let look = RedisScript(
        """
        local time = redis.call('TIME')
        local now = time[1] * 1000 + math.floor(time[2] / 1000)
        local state = redis.call('HMGET', KEYS[1], 'level', 'until', 'day', 'count')
        local count = tonumber(state[3]) == math.floor(now / 86400000) and tonumber(state[4]) or 0
        return {
            redis.call('ZCOUNT', KEYS[2], now - 999, '+inf'), redis.call('ZCOUNT', KEYS[2], now - 59999, '+inf'), count,
            (tonumber(state[1]) or 0) > 0 and math.max(0, (tonumber(state[2]) or 0) - now) or 0
        }
        """
    )

    /// How things stand, for metrics; nil while Redis is away.
    func look(timeout: Duration) async -> State? {
        let reply = try? await Self.look.run(on: redis, keys: [stateKey, callsKey], timeout: timeout)
        guard let numbers = reply?.array?.compactMap(\.integer), numbers.count == 4 else { return nil }
        func left(_ limit: Int, _ used: Int64) -> Int? { limit > 0 ? max(0, limit - Int(used)) : nil }
        return State(
            leftPerSecond: left(budget.perSecond, numbers[0]),
            leftPerMinute: left(budget.perMinute, numbers[1]),
            leftPerDay: left(budget.perDay, numbers[2]),
            cooldown: .milliseconds(numbers[3])
        )
    }
}

extension Duration {
    /// Rounded up.
    var wholeSeconds: Int {
        let (seconds, attoseconds) = components
        return Int(seconds) + (attoseconds > 0 ? 1 : 0)
    }
}
