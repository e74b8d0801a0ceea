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
        let answer: KeptAnswer
        let expires: Instant
        /// Which insertion this is, so that an old place in the queue does not evict a newer entry of the same key.
        let sequence: UInt64
    }

    private struct Place {
        let key: CacheKey
        let sequence: UInt64
    }

    /// How long an answer may be given, counted from the moment its computation was asked for; zero keeps nothing.
    let timeToLive: Duration
    /// Most bytes of keys and bodies together.
    let byteLimit: Int

    private var entries: [CacheKey: Entry] = [:]
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
    mutating func answer(to key: CacheKey, now: Instant) -> KeptAnswer? {
        guard isEnabled else { return nil }
        guard let entry = entries[key], entry.expires > now else {
            misses += 1
            return nil
        }
        hits += 1
        entry.answer.growOlder(now)
        return entry.answer
    }

    /// Keeps an answer whose computation was asked for at `askedAt`: whatever was committed before is in it.
    mutating func insert(_ answer: KeptAnswer, for key: CacheKey, askedAt: Instant, now: Instant) {
        let key = key.copied
        let cost = Self.cost(key, answer)
        guard isEnabled, askedAt + timeToLive > now, cost <= byteLimit else { return }
        remove(key)
        nextSequence += 1
        entries[key] = Entry(answer: answer, expires: askedAt + timeToLive, sequence: nextSequence)
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

    private mutating func remove(_ key: CacheKey) {
        guard let entry = entries.removeValue(forKey: key) else { return }
        byteCount -= Self.cost(key, entry.answer)
    }

    /// What an entry weighs; 128 bytes stand for the dictionary's and the queue's own share.
    private static func cost(_ key: CacheKey, _ answer: KeptAnswer) -> Int {
        key.byteCount + answer.bodyBytes + 128
    }
}

/// What an answer is kept under: bytes where they lie in the head of a request, so that looking for one copies nothing.
struct CacheKey: Hashable {
    private let bytes: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) { self.bytes = bytes }

    var byteCount: Int { bytes.count }

    /// The same without the rest of the head.
    var copied: CacheKey { CacheKey(Array(bytes)[...]) }

    func hash(into hasher: inout Hasher) {
        // Eight bytes at a time, as a hasher takes as long for one.
        var word: UInt64 = 0
        var position = 0
        for byte in bytes {
            word = word << 8 | UInt64(byte)
            position += 1
            guard position % 8 == 0 else { continue }
            hasher.combine(word)
            word = 0
        }
        hasher.combine(word)
        hasher.combine(position)
    }
}

/// An answer as it is given again, head and all: what does not change is not made anew each time.
final class KeptAnswer {
    private static let ageField = "Age"

    private(set) var response: HTTPResponse
    /// What names it, on a route whose answers are named.
    let tag: EntityTag
    let bodyBytes: Int
    /// How many seconds old it was when it came, and when that was; nil where it does not say.
    private let age: (seconds: Int, at: Instant)?
    /// When what it says of its age is not true any more.
    private var olderAt = Instant.distantFuture

    /// - Parameters:
    ///   - fields: What it says of itself beside its media type.
    ///   - age: Its seconds; `Age` says them, and those since.
    init(_ body: [UInt8], fields: [(name: String, value: String)] = [], age: Int? = nil, now: Instant) {
        response = HTTPResponse(json: body)
        for field in fields { response.fields.append(field.name, field.value) }
        tag = EntityTag(of: body)
        bodyBytes = body.count
        self.age = age.map { ($0, now) }
        guard let age else { return }
        response.fields.append(Self.ageField, String(age))
        olderAt = now + .seconds(1)
    }

    /// Has it say how old it is by now.
    func growOlder(_ now: Instant) {
        guard now >= olderAt, let age else { return }
        let seconds = (now - age.at).wholeSeconds
        response.fields[Self.ageField] = String(age.seconds + seconds)
        olderAt = age.at + .seconds(seconds + 1)
    }

    /// The seconds that an answer says it is old.
    static func age(_ fields: HTTPFields) -> Int? { fields[ageField].flatMap { Int($0) } }
}

extension Duration {
    fileprivate var wholeSeconds: Int { Int(components.seconds) }
}

/// The answers of one relayed route that may be given again.
@ReactorActor
public final class RelayCache {
    /// Says of an answer whether it was kept.
    nonisolated static let cacheField = "X-Cache"

    private var cache: AnswerCache
    private let isEnabled: Bool
    private let versionField: String?
    private let tellsAge: Bool
    /// The version that all kept answers are of, and when the last answer of it came.
    private var version: (text: String, seenAt: Instant)?

    /// - Parameters:
    ///   - timeToLive: How long an answer may be given, counted from when it was asked for; zero keeps nothing.
    ///   - byteLimit: Most bytes of keys and bodies together.
    ///   - versionField: The header field in which the next hop says of which version of the data an answer is. Only
    ///     answers that have it are kept, only of the newest version that was seen, and what is given again has it,
    ///     too, with `X-Cache: HIT`.
    ///   - tellsAge: Whether the next hop says in `X-Cache` where an answer is from, and in `Age` how old it is. Only
    ///     those that are fresh there, `HIT` or `MISS`, are kept; what is given again says `HIT`, and its age by then.
    public init(timeToLive: Duration, byteLimit: Int, versionField: String? = nil, tellsAge: Bool = false) {
        cache = AnswerCache(timeToLive: timeToLive, byteLimit: byteLimit)
        isEnabled = cache.isEnabled
        self.versionField = versionField
        self.tellsAge = tellsAge
    }

    /// A kept answer. The query as it came is the key: one that is cached was checked when it came first.
    func answer(to context: RequestContext) -> KeptAnswer? {
        guard isEnabled else { return nil }
        return cache.answer(to: CacheKey(context.query), now: Reactor.now)
    }

    /// Keeps the body of an answer of 200.
    func keep(_ body: [UInt8], _ fields: HTTPFields, of context: RequestContext, askedAt: Instant) {
        guard isEnabled, isOfNewestVersion(fields, askedAt: askedAt), let answer = kept(body, fields) else {
            return
        }
        cache.insert(answer, for: CacheKey(context.query), askedAt: askedAt, now: Reactor.now)
    }

    /// The answer as it is given again; nil if it must not be.
    private func kept(_ body: [UInt8], _ fields: HTTPFields) -> KeptAnswer? {
        let now = Reactor.now
        let hit = (Self.cacheField, "HIT")
        if tellsAge {
            guard let source = fields[Self.cacheField], source == "HIT" || source == "MISS",
                let age = KeptAnswer.age(fields)
            else { return nil }
            return KeptAnswer(body, fields: [hit], age: age, now: now)
        }
        guard let versionField, let version else { return KeptAnswer(body, now: now) }
        return KeptAnswer(body, fields: [hit, (versionField, version.text)], now: now)
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
