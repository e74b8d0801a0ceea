internal import HTTPWire
internal import JSONWire
package import Metrics
public import Reactor
public import Redis
public import WebAPI

/// Limits the requests of each client to one route, counted in Redis for all processes together.
///
/// While Redis is away each process counts for itself.
@ReactorActor
public final class RateLimiter: RouteLimit {
    /// How long a request waits for Redis before it is counted here.
    private static let redisTimeout = Duration.milliseconds(250)
    /// Clients that are counted here.
    private static let clientsMax = 10_000

    /// What the limiter has done since it was made.
    public struct Counters: Hashable, Sendable {
        private static let requests = Metric.counter(
            "tickloop_rate_limit_requests_total",
            "Valid requests to routes that are limited, by what became of them.",
            labels: "outcome"
        )

        @Counter(Self.requests, "allowed") package var allowed = 0
        @Counter(Self.requests, "refused") package var refused = 0
        @Counter(
            "tickloop_rate_limit_taken_back_total",
            "Of those that were allowed, requests that the next hop found to be invalid, and that do not count."
        )
        package var takenBack = 0
        @Counter(
            "tickloop_rate_limit_counted_here_total",
            "Requests that this process counted alone, because Redis did not answer."
        )
        package var countedHere = 0
    }

    /// What the limiter has done.
    public private(set) var counters = Counters()
    /// How much is allowed.
    public let policy: RatePolicy

    /// The same in every process.
    let name: String
    private let redis: RedisClient
    private let trusted: [AddressRange]
    private var windows: SlidingWindows

    /// - Parameters:
    ///   - name: Of what is limited, the same in every process.
    ///   - trusted: Proxies that are believed about whom they forward.
    public init(_ name: String, _ policy: RatePolicy, redis: RedisClient, trusted: [AddressRange]) {
        self.name = name
        self.policy = policy
        self.redis = redis
        self.trusted = trusted
        windows = SlidingWindows(policy, clientsMax: Self.clientsMax)
    }

    /// Counts a request, unless it is one too many.
    public func admit(_ context: RequestContext, then: @escaping @ReactorActor (RouteAdmission) -> Void) {
        let client = ClientAddress.key(
            peer: context.peerAddress,
            forwarded: context.head.fields.values("x-forwarded-for"),
            trusted: trusted
        )
        count(client) { [self] verdict in
            then(tell(verdict) { [self] in takeBack(verdict, of: client) })
        }
    }

    /// Counts a request of a client, unless it is one too many.
    func count(_ client: String, then: @escaping @ReactorActor (RateVerdict) -> Void) {
        guard redis.isReady else { return then(countHere(client)) }
        Self.script.run(on: redis, keys: [key(client)], timeout: Self.redisTimeout) { [policy] command in
            command.append(policy.requests)
            command.append(policy.seconds * 1_000_000)
        } then: { [self] outcome in
            then(Self.verdict(outcome) ?? countHere(client))
        }
    }

    /// Counts a request no longer.
    func takeBack(_ verdict: RateVerdict, of client: String) {
        counters.takenBack += 1
        switch verdict.place {
        case nil: break
        case .here(let at): windows.takeBack(client, at)
        case .redis(let member): redis.command(["ZREM", .string(key(client)), .string(member)]) { _ in }
        }
    }

    private func key(_ client: String) -> String { "rate:{\(name)}:\(client)" }

    private func countHere(_ client: String) -> RateVerdict {
        counters.countedHere += 1
        return windows.admit(client, now: Reactor.now)
    }

    // MARK: Redis

    /// One member for each request that counts, by Redis' own clock in microseconds; two in one microsecond are told
    /// apart by their number.
    ///
    /// KEYS[1]: the window of a client. ARGV: most requests, microseconds of the window. Returns whether it is allowed,
    /// how many remain, the microseconds until the oldest no longer counts, and the member that stands for this one.
    private static let script = RedisScript(
        """
        local time = redis.call('TIME')
        local now = time[1] * 1000000 + time[2]
        local limit, window = tonumber(ARGV[1]), tonumber(ARGV[2])
        redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now - window))
        local count = redis.call('ZCARD', KEYS[1])
        local allowed, member = 0, ''
        if count < limit then
          allowed = 1
          local text = string.format('%.0f', now)
          local number = 0
          while redis.call('ZADD', KEYS[1], 'NX', text, text .. '-' .. number) == 0 do number = number + 1 end
          member = text .. '-' .. number
          count = count + 1
          redis.call('PEXPIRE', KEYS[1], math.ceil(window / 1000))
        end
        local reset = 0
        local oldest = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
        if oldest[2] then reset = tonumber(oldest[2]) + window - now end
        return { allowed, limit - count, reset, member }
        """
    )

    private static func verdict(_ outcome: borrowing RedisOutcome) -> RateVerdict? {
        guard case .success(let reply) = outcome.copied(), let parts = reply.array, parts.count == 4,
            let allowed = parts[0].integer, let remaining = parts[1].integer, let reset = parts[2].integer,
            let member = parts[3].text
        else { return nil }
        return RateVerdict(
            isAllowed: allowed == 1,
            remaining: Int(remaining),
            reset: .microseconds(reset),
            place: allowed == 1 ? .redis(member) : nil
        )
    }

    // MARK: Answers

    private func tell(
        _ verdict: RateVerdict,
        takeBack: @escaping @ReactorActor @Sendable () -> Void
    ) -> RouteAdmission {
        let reset = verdict.resetSeconds
        let fields: [(name: String, value: String)] = [
            ("RateLimit-Limit", String(policy.requests)), ("RateLimit-Remaining", String(verdict.remaining)),
            ("RateLimit-Reset", String(reset)),
            ("RateLimit-Policy", "\"default\";q=\(policy.requests);w=\(policy.seconds)"),
            ("RateLimit", "\"default\";r=\(verdict.remaining);t=\(reset)"),
        ]
        if verdict.isAllowed {
            counters.allowed += 1
            return RouteAdmission(fields: fields, takeBack: takeBack)
        }
        counters.refused += 1
        return RouteAdmission(fields: fields, refusal: refusal(after: reset))
    }

    private nonisolated func refusal(after seconds: Int) -> APIError {
        APIError(
            .rateLimited,
            "Rate limit exceeded: \(policy.requests) per \(policy.windowWords)",
            retryAfterSeconds: seconds
        )
    }

    /// What callers may know.
    public nonisolated var additions: RouteAdditions {
        RouteAdditions(
            answerFields: [
                AnswerField(
                    "RateLimit-Limit",
                    "Requests that one client may make in \(policy.windowWords).",
                    .integer(in: 1...Int.max),
                    example: .integer(policy.requests),
                    isAlwaysThere: false
                ),
                AnswerField(
                    "RateLimit-Remaining",
                    "Requests that it may make at once.",
                    .integer(in: 0...Int.max),
                    example: .integer(policy.requests - 1),
                    isAlwaysThere: false
                ),
                AnswerField(
                    "RateLimit-Reset",
                    "Seconds until the oldest request that counts no longer does.",
                    .integer(in: 1...Int.max),
                    example: .integer(policy.seconds),
                    isAlwaysThere: false
                ),
                AnswerField(
                    "RateLimit-Policy",
                    "The same limit: `q` requests in `w` seconds.",
                    example: .string("\"default\";q=\(policy.requests);w=\(policy.seconds)"),
                    isAlwaysThere: false
                ),
                AnswerField(
                    "RateLimit",
                    "What is left of it: `r` requests at once, one more in `t` seconds.",
                    example: .string("\"default\";r=\(policy.requests - 1);t=\(policy.seconds)"),
                    isAlwaysThere: false
                ),
            ],
            errors: [refusal(after: policy.seconds)]
        )
    }
}

extension RateLimiter: Measured {
    package func collect(into page: inout MetricsPage) {
        page.labelled("route", name) { $0.add(counters) }
    }
}
