internal import DequeModule
internal import HTTPServer
internal import HTTPWire
package import Metrics
public import Reactor

/// Answers that may be given again for a short time.
///
/// Every entry lives equally long, so the order of insertion is also the order of expiry: one queue serves both the
/// bound on memory and the bound on age, and there is nothing to scan. Reading does not prolong an entry's life,
/// because its age is what is promised.
struct AnswerCache {
    private struct Entry {
        let body: [UInt8]
        let expires: Instant
        /// Which insertion this is, so that an old place in the queue does not evict a newer entry of the same key.
        let sequence: UInt64
    }

    private struct Place {
        let key: String
        let sequence: UInt64
    }

    /// How long an answer may be given, counted from the moment its computation was asked for; zero keeps nothing.
    let timeToLive: Duration
    /// Most bytes of keys and bodies together.
    let byteLimit: Int

    private var entries: [String: Entry] = [:]
    private var queue = Deque<Place>()
    private var nextSequence: UInt64 = 0

    /// What was found, what was not, and what was dropped to make room.
    private(set) var (hits, misses, evictions) = (0, 0, 0)
    /// Bytes of the keys and bodies that are kept.
    private(set) var byteCount = 0

    init(timeToLive: Duration, byteLimit: Int) {
        self.timeToLive = timeToLive
        self.byteLimit = byteLimit
    }

    var isEnabled: Bool { timeToLive > .zero }

    /// The number of answers that are kept, expired ones included until their place comes up.
    var count: Int { entries.count }

    /// The answer to `key` if it is young enough.
    mutating func answer(to key: String, now: Instant) -> [UInt8]? {
        guard isEnabled else { return nil }
        guard let entry = entries[key], entry.expires > now else {
            misses += 1
            return nil
        }
        hits += 1
        return entry.body
    }

    /// Keeps an answer whose computation was asked for at `askedAt`: whatever was committed before is in it.
    mutating func insert(
        _ body: [UInt8],
        for key: String,
        askedAt: Instant,
        now: Instant
    ) {
        let cost = Self.cost(key, body)
        guard isEnabled, askedAt + timeToLive > now, cost <= byteLimit else { return }
        remove(key)
        nextSequence += 1
        entries[key] = Entry(body: body, expires: askedAt + timeToLive, sequence: nextSequence)
        queue.append(Place(key: key, sequence: nextSequence))
        byteCount += cost
        evict(now: now)
    }

    /// Drops everything.
    mutating func removeAll() {
        entries = [:]
        queue = []
        byteCount = 0
    }

    /// Drops what has expired, then the oldest until the rest fits.
    private mutating func evict(now: Instant) {
        while let place = queue.first {
            if let entry = entries[place.key], entry.sequence == place.sequence {
                guard entry.expires <= now || byteCount > byteLimit else { break }
                if entry.expires > now { evictions += 1 }
                remove(place.key)
            }
            queue.removeFirst()
        }
    }

    private mutating func remove(_ key: String) {
        guard let entry = entries.removeValue(forKey: key) else { return }
        byteCount -= Self.cost(key, entry.body)
    }

    /// What an entry weighs; 128 bytes stand for the dictionary's and the queue's own share.
    private static func cost(_ key: String, _ body: [UInt8]) -> Int { key.utf8.count + body.count + 128 }
}

/// The answers of one relayed route that may be given again.
@ReactorActor
public final class RelayCache {
    /// Says of an answer whether it was kept.
    nonisolated static let cacheField = "X-Cache"

    private var cache: AnswerCache
    private let versionField: String?
    /// The version that all kept answers are of, and when the last answer of it came.
    private var version: (text: String, seenAt: Instant)?

    /// - Parameters:
    ///   - timeToLive: How long an answer may be given, counted from when it was asked for; zero keeps nothing.
    ///   - byteLimit: Most bytes of keys and bodies together.
    ///   - versionField: The header field in which the next hop says of which version of the data an answer is. Only
    ///     answers that have it are kept, only of the newest version that was seen, and what is given again has it,
    ///     too, with `X-Cache: HIT`.
    public init(timeToLive: Duration, byteLimit: Int, versionField: String? = nil) {
        cache = AnswerCache(timeToLive: timeToLive, byteLimit: byteLimit)
        self.versionField = versionField
    }

    /// A kept answer. The query as it came is the key: one that is cached was checked when it came first.
    func answer(to context: RequestContext) -> HTTPResponse? {
        guard cache.isEnabled, let body = cache.answer(to: context.head.query ?? "", now: Reactor.now) else {
            return nil
        }
        var response = HTTPResponse(json: body)
        if let versionField, let version {
            response.fields.append(Self.cacheField, "HIT")
            response.fields.append(versionField, version.text)
        }
        return response
    }

    /// Keeps the body of an answer of 200.
    func keep(_ body: [UInt8], _ fields: HTTPFields, of context: RequestContext, askedAt: Instant) {
        guard cache.isEnabled, isOfNewestVersion(fields, askedAt: askedAt) else { return }
        cache.insert(body, for: context.head.query ?? "", askedAt: askedAt, now: Reactor.now)
    }

    /// Whether an answer may stand beside what is kept; what is older than it is dropped.
    ///
    /// Versions are numbers that grow, unless somebody has gone back to a copy of the data: then only the order of the
    /// answers tells which is newer.
    private func isOfNewestVersion(_ fields: HTTPFields, askedAt: Instant) -> Bool {
        guard let versionField else { return true }
        guard let text = fields[versionField], let number = Int(text) else { return false }
        if let version, version.text != text {
            guard askedAt > version.seenAt || number > Int(version.text) ?? 0 else { return false }
            cache.removeAll()
        }
        version = (text, Reactor.now)
        return true
    }
}

extension Metric {
    /// For every cache, in the scope of its name.
    package static let cacheLookups = counter(
        "tickloop_cache_lookups_total",
        "Questions to a cache, by result; none while it is switched off.",
        labels: "result"
    )
}

extension RelayCache: Measured {
    package func collect(into page: inout MetricsPage) {
        page.add(.cacheLookups, cache.hits, ["hit"])
        page.add(.cacheLookups, cache.misses, ["miss"])
        page.counter(
            "tickloop_cache_evictions_total",
            "Entries dropped before their time to make room.",
            cache.evictions
        )
        page.gauge(
            "tickloop_cache_entries",
            "Entries that are kept.",
            cache.count
        )
        page.gauge(
            "tickloop_cache_bytes",
            "Size of what is kept.",
            cache.byteCount
        )
    }
}
