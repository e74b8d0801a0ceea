internal import Basics
internal import JSONWire
internal import Prices
internal import Reactor
internal import Redis

/// The latest prices in Redis, and who is fetching one: of all processes that miss one at a time, one asks its
/// provider, and the others are told what came of it.
///
/// A flight is the key `price-flight:{SYMBOL}:{PROVIDER}`. While it is under way its value is `wait:TOKEN`, and expires
/// should its process die; then it is `done:TOKEN:RESULT` for a moment, for those who waited for that token. Who comes
/// later begins a flight of their own.
@ReactorActor
final class PriceFlights {
    /// How long a result can be fetched by those who wait.
    private static let resultLifetime = Duration.seconds(5)
    /// How often those who wait look.
    private static let lookEvery = Duration.milliseconds(15)

    private let redis: RedisClient
    private var random = SystemRandomNumberGenerator()

    init(_ redis: RedisClient) { self.redis = redis }

    /// What to do about a price.
    enum Start: Hashable, Sendable {
        case kept(LatestPrice)
        /// Ask the provider, and ``end(_:_:_:_:lifetime:)`` with this token.
        case lead(token: String)
        /// Somebody else asks.
        case follow(token: String)
    }

    private static func cacheKey(_ symbol: Symbol, _ provider: String) -> String { "price:\(symbol):\(provider)" }
    private static func flightKey(_ symbol: Symbol, _ provider: String) -> String {
        "price-flight:\(symbol):\(provider)"
    }

    /// In one step, so that the time that is left is that of this price.
    private static let read = RedisScript(
        """
        local kept = redis.call('GET', KEYS[1])
        if kept then return {kept, redis.call('PTTL', KEYS[1])} end
        """
    )

    /// The price that is kept.
    func kept(_ symbol: Symbol, _ provider: String) async throws(RedisError) -> LatestPrice? {
        let reply = try await Self.read.run(on: redis, keys: [Self.cacheKey(symbol, provider)])
        return Self.price(reply.array)
    }

    /// What stands at the end of a reply: a price, and the time that it is kept for. Nil if it is not ours.
    private static func price(_ parts: [RedisReply]?) -> LatestPrice? {
        guard let parts, parts.count >= 2, let bytes = parts[parts.count - 2].bytes,
            let left = parts[parts.count - 1].integer, left >= 0
        else { return nil }
        return LatestPrice(kept: bytes, for: .milliseconds(left), at: Reactor.now)
    }

    private static let start = RedisScript(
        """
        local kept = redis.call('GET', KEYS[1])
        if kept then return {'kept', kept, redis.call('PTTL', KEYS[1])} end
        local flight = redis.call('GET', KEYS[2])
        if flight and string.sub(flight, 1, 5) == 'wait:' then return {'follow', string.sub(flight, 6)} end
        redis.call('SET', KEYS[2], 'wait:' .. ARGV[1], 'PX', ARGV[2])
        return {'lead', ARGV[1]}
        """
    )

    /// Begins a flight, unless there is a price or a flight already.
    ///
    /// - Parameter lease: How long it may take.
    func start(_ symbol: Symbol, _ provider: String, lease: Duration) async throws(RedisError) -> Start {
        let keys = [Self.cacheKey(symbol, provider), Self.flightKey(symbol, provider)]
        let token = String(random.next() as UInt64, radix: 36)
        let arguments: [RedisArgument] = [.string(token), .integer(Int64(lease.millisecondsRoundedUp))]
        let reply = try await Self.start.run(on: redis, keys: keys, arguments).array ?? []
        switch (reply.first?.text, reply.last) {
        case ("kept", _):
            // What is not ours is in the way until it is replaced.
            return Self.price(reply).map { .kept($0) } ?? .lead(token: token)
        case ("follow", let other?): return .follow(token: other.text ?? "")
        default: return .lead(token: token)
        }
    }

    private static let end = RedisScript(
        """
        if ARGV[4] ~= '' and tonumber(ARGV[5]) > 0 then redis.call('SET', KEYS[1], ARGV[4], 'PX', ARGV[5]) end
        if redis.call('GET', KEYS[2]) == 'wait:' .. ARGV[1] then
            redis.call('SET', KEYS[2], 'done:' .. ARGV[1] .. ':' .. ARGV[2], 'PX', ARGV[3])
        end
        """
    )

    /// Ends a flight: keeps its price, and tells those who wait.
    func end(_ symbol: Symbol, _ provider: String, token: String, _ result: FlightResult, lifetime: Duration) async {
        let keys = [Self.cacheKey(symbol, provider), Self.flightKey(symbol, provider)]
        var kept: [UInt8] = []
        if case .price(let price) = result { kept = price.kept(for: lifetime, at: Reactor.now) }
        let arguments: [RedisArgument] = [
            .string(token), .bytes(result.encoded(at: Reactor.now)),
            .integer(Int64(Self.resultLifetime.millisecondsRoundedUp)),
            .bytes(kept),
            .integer(Int64(lifetime.millisecondsRoundedUp)),
        ]
        _ = try? await Self.end.run(on: redis, keys: keys, arguments)
    }

    /// Waits for another's flight.
    ///
    /// - Returns: Nil when it has ended without a word.
    func follow(
        _ symbol: Symbol,
        _ provider: String,
        token: String,
        deadline: Instant
    ) async throws(RedisError) -> FlightResult? {
        let key = Self.flightKey(symbol, provider)
        while Reactor.now < deadline {
            guard let value = try await redis.command(["GET", .string(key)]).text else { return nil }
            let done = "done:\(token):"
            if value.hasPrefix(done) { return FlightResult(encoded: value.dropFirst(done.count), at: Reactor.now) }
            guard value == "wait:\(token)" else { return nil }
            try? await Reactor.sleep(for: Self.lookEvery)
        }
        return .failure(.unreachable(reason: "no answer in time", isTimeout: true))
    }
}

enum FlightResult: Hashable, Sendable {
    case price(LatestPrice)
    /// Never a price.
    case failure(QuoteOutcome)
    /// There was a price, and it could not be stored.
    case notStored

    /// As those who wait in other processes read it, a moment later.
    func encoded(at now: Instant) -> [UInt8] {
        switch self {
        case .price(let price): Array("price ".utf8) + price.kept(for: .zero, at: now)
        case .notStored: Array("not_stored".utf8)
        case .failure(.refused(let retryAfter)): Array("refused \(retryAfter.millisecondsRoundedUp)".utf8)
        case .failure(.malformed(let reason)): Array("malformed \(reason)".utf8)
        case .failure(.unreachable(let reason, let isTimeout)):
            Array("\(isTimeout ? "timeout" : "unreachable") \(reason)".utf8)
        case .failure(let outcome): Array(outcome.kind.rawValue.utf8)
        }
    }

    init?(encoded text: Substring, at now: Instant) {
        let word = text.prefix { $0 != " " }
        let rest = String(text.dropFirst(word.count + 1))
        switch word {
        case "price":
            guard let price = LatestPrice(kept: Array(rest.utf8), for: .zero, at: now) else { return nil }
            self = .price(price)
        case "not_stored": self = .notStored
        case "refused": self = .failure(.refused(retryAfter: .milliseconds(Int64(rest) ?? 1000)))
        case "malformed": self = .failure(.malformed(reason: rest))
        case "timeout": self = .failure(.unreachable(reason: rest, isTimeout: true))
        case "unreachable": self = .failure(.unreachable(reason: rest, isTimeout: false))
        case "unknown_symbol": self = .failure(.unknownSymbol)
        case "no_data": self = .failure(.noData)
        default: return nil
        }
    }
}
