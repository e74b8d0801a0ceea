internal import HTTPClient
internal import HTTPWire
public import Reactor

/// The answers that the routes with `cache = true` share; see README.md.
@ReactorActor
public final class ResponseCache {
    /// Answers of one target that differ by what `Vary` names; the oldest goes when there are more.
    private static let variantsMax = 16

    /// Most bytes of one answer: no answer drives out many others.
    let answerBytesMax: Int
    private var store: ScanResistantStore<CacheKey, [CachedAnswer]>
    /// Requests under way whose answers others wait for, by what they ask.
    private var flights: [CacheKey: CacheFlight] = [:]
    /// Targets that are asked for anew beside their use.
    private var refreshing: Set<CacheKey> = []
    /// Targets that were forgotten of late, the last one at the end, and when, as numbers that grow.
    private var forgotten: [(target: CacheTarget, number: Int)] = []
    /// The number of what was forgotten last.
    private(set) var lastForgotten = 0
    /// What was asked for before this one was may be any that was forgotten.
    private var lastOfUnknown = 0
    /// Most targets in ``forgotten``.
    private static let forgottenMax = 256
    /// Of all answers, also of those that are not kept yet, or not any more.
    let weights = AnswerWeights()

    /// By what became of requests; for metrics.
    private var counts = [Int](repeating: 0, count: CacheOutcome.allCases.count)

    /// - Parameter byteLimit: Most bytes that are kept.
    init(byteLimit: Int) {
        answerBytesMax = byteLimit / 16
        store = ScanResistantStore(byteLimit: byteLimit)
    }

    var byteCount: Int { store.byteCount }
    /// Targets of which something is kept.
    var count: Int { store.count }
    /// Targets that were dropped to make room.
    var evictions: Int { store.evictions }

    func note(_ outcome: CacheOutcome) { counts[outcome.rawValue] += 1 }

    func count(_ outcome: CacheOutcome) -> Int { counts[outcome.rawValue] }

    // MARK: Looking

    func answer(to head: RequestHead, _ key: CacheKey) -> CachedAnswer? {
        guard let variants = store.value(key) else { return nil }
        // Nearly always all of a target differ by the same fields: what the request says there is read once.
        var asked: CacheVariant?
        return variants.last { answer in
            let names = answer.vary.names
            if asked?.names != names { asked = CacheVariant(names, of: head) }
            return asked == answer.vary
        }
    }

    /// Whether anything is kept of what a request asks for, though perhaps not for this one.
    func hasVariants(_ key: CacheKey) -> Bool { store.value(key) != nil }

    // MARK: Keeping

    /// Whether there is room for an answer that begins.
    ///
    /// Not for one that ends with its connection: nobody can tell whether that is its end.
    func mayFill(_ head: ResponseHead) -> Bool {
        guard head.framing != .untilClose else { return false }
        let bytes = if case .length(let count) = head.framing { count } else { 0 }
        return bytes <= answerBytesMax && mayGrow(by: bytes)
    }

    /// Whether there is room beside what is kept: for answers on their way, and for those that a slow client reads
    /// though they are kept no longer. What finds none goes from the upstream to its client at the client's pace.
    func mayGrow(by bytes: Int = 0) -> Bool { weights.bytes + bytes <= store.byteCount + store.byteLimit / 2 }

    /// Keeps an answer, unless its target was forgotten while it was on its way: it may say what was so before.
    ///
    /// - Parameter asked: ``lastForgotten`` when it was asked for.
    func keep(_ answer: CachedAnswer, under key: CacheKey, asked: Int) {
        guard !hasForgotten(key.target, since: asked) else { return }
        var variants = (store.value(key) ?? []).filter { $0.vary != answer.vary }
        variants.append(answer)
        if variants.count > Self.variantsMax { variants.removeFirst() }
        store.insert(variants, bytes: variants.reduce(key.byteCount) { $0 + $1.bytes }, for: key)
    }

    /// Whether a target was forgotten since, or may have been.
    ///
    /// - Parameter asked: ``lastForgotten`` at the time.
    func hasForgotten(_ target: CacheTarget, since asked: Int) -> Bool {
        let since = forgotten.reversed().prefix { $0.number > asked }
        return asked < lastOfUnknown || since.contains { $0.target == target }
    }

    /// Forgets what is kept of a target, however it was asked.
    ///
    /// - Returns: Whether anything was.
    @discardableResult
    func invalidate(_ target: CacheTarget) -> Bool {
        lastForgotten += 1
        if forgotten.count == Self.forgottenMax { lastOfUnknown = forgotten.removeFirst().number }
        forgotten.append((target, lastForgotten))
        var isFound = false
        for key in [CacheKey(target: target, isSecure: false), CacheKey(target: target, isSecure: true)] {
            // Who comes from now on asks for itself.
            flights[key] = nil
            if store.remove(key) { isFound = true }
        }
        return isFound
    }

    /// Whatever is on its way is not kept.
    private func forgetUnknown() {
        lastForgotten += 1
        lastOfUnknown = lastForgotten
        forgotten = []
        flights = [:]
    }

    // MARK: Merging

    func flight(_ key: CacheKey) -> CacheFlight? { flights[key] }

    /// Makes those who ask the same wait for this request's answer.
    func beginFlight(_ key: CacheKey) -> CacheFlight {
        let flight = CacheFlight()
        flights[key] = flight
        return flight
    }

    /// From now on others ask for themselves.
    func endFlight(_ key: CacheKey, _ flight: CacheFlight) {
        if flights[key] === flight { flights[key] = nil }
    }

    /// Whether this one is to ask for a target anew; others are doing it if not.
    func beginRefresh(_ key: CacheKey) -> Bool { refreshing.insert(key).inserted }

    func endRefresh(_ key: CacheKey) { refreshing.remove(key) }

    // MARK: Purging

    /// Forgets a target, or all that begin like it.
    ///
    /// - Returns: How much was forgotten.
    @discardableResult
    func purge(_ target: CacheTarget, isPrefix: Bool) -> Int {
        guard isPrefix else { return invalidate(target) ? 1 : 0 }
        forgetUnknown()
        return store.keys.filter { target.isPrefix(of: $0.target) && store.remove($0) }.count
    }

    /// Forgets everything: what other routes answer may be something else.
    func removeAll() {
        forgetUnknown()
        store.removeAll()
    }
}

/// What became of a request on a route with a cache; for metrics and `Cache-Status`.
enum CacheOutcome: Int, CaseIterable {
    /// Given as it was kept.
    case hit
    /// Given though stale, and asked for anew beside it.
    case stale
    /// Given because the upstream failed.
    case staleOnError
    /// Kept, and found right by the upstream.
    case validated
    /// Waited for somebody else's answer.
    case merged
    /// Asked for, and kept.
    case stored
    /// Asked for, and not kept.
    case passed

    /// For metrics.
    var label: String {
        switch self {
        case .hit: "hit"
        case .stale: "stale"
        case .staleOnError: "stale_on_error"
        case .validated: "validated"
        case .merged: "merged"
        case .stored: "stored"
        case .passed: "passed"
        }
    }
}

/// A request whose answer others wait for.
@ReactorActor
final class CacheFlight {
    enum Outcome {
        /// The answer is for everybody, though perhaps not complete.
        case shared(CachedAnswer)
        /// It is not, or came to nothing: each asks for itself.
        case alone
    }

    private var waiting = Waiting<Outcome>()
    private var outcome: Outcome?

    /// How many wait; for tests.
    var waitingCount: Int { waiting.count }

    /// Calls once, later: when it lands, or soon if it has.
    ///
    /// - Returns: For ``leave(_:)``.
    func wait(_ then: @escaping @ReactorActor (Outcome) -> Void) -> Int {
        let number = waiting.add(then)
        if let outcome { Reactor.post { [self] in waiting.take(number)?(outcome) } }
        return number
    }

    /// Does not call any more.
    func leave(_ number: Int) { waiting.remove(number) }

    func land(_ outcome: Outcome) {
        guard self.outcome == nil else { return }
        self.outcome = outcome
        for waiter in waiting.takeAll() { waiter(outcome) }
    }
}

/// Those who wait for something, in their order; who leaves is forgotten at once, with all that he holds.
struct Waiting<News> {
    typealias Callback = @ReactorActor (News) -> Void

    private var callbacks: [Int: Callback] = [:]
    private var last = 0

    var count: Int { callbacks.count }

    /// - Returns: The number by which ``remove(_:)`` knows it.
    mutating func add(_ callback: @escaping Callback) -> Int {
        last += 1
        callbacks[last] = callback
        return last
    }

    mutating func remove(_ number: Int) { callbacks[number] = nil }

    mutating func take(_ number: Int) -> Callback? { callbacks.removeValue(forKey: number) }

    mutating func takeAll() -> [Callback] {
        defer { callbacks = [:] }
        return callbacks.sorted { $0.key < $1.key }.map(\.value)
    }
}
