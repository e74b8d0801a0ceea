import HTTPServer
import HTTPWire
import Reactor
import Testing

@testable import WebAPI

@Suite struct AnswerCacheTests {
    private let start = Instant.now

    @Test func `an answer is given until its time is over, counted from when it was asked for`() {
        var cache = AnswerCache(timeToLive: .milliseconds(100), byteLimit: 10_000)
        cache.insert([1], for: "a", askedAt: start, now: start + .milliseconds(40))
        #expect(cache.body(of: "a", now: start + .milliseconds(99)) == [1])
        #expect(cache.body(of: "a", now: start + .milliseconds(100)) == nil)
        #expect(cache.body(of: "b", now: start) == nil)
    }

    @Test func `an answer that took longer than its life is not kept`() {
        var cache = AnswerCache(timeToLive: .milliseconds(100), byteLimit: 10_000)
        cache.insert([1], for: "a", askedAt: start, now: start + .milliseconds(100))
        #expect(cache.count == 0)
    }

    @Test func `switched off it keeps nothing`() {
        var cache = AnswerCache(timeToLive: .zero, byteLimit: 10_000)
        cache.insert([1], for: "a", askedAt: start, now: start)
        #expect(!cache.isEnabled)
        #expect(cache.count == 0)
    }

    @Test func `a newer answer replaces the older and outlives its place in the queue`() {
        var cache = AnswerCache(timeToLive: .milliseconds(100), byteLimit: 10_000)
        cache.insert([1], for: "a", askedAt: start, now: start)
        cache.insert([2], for: "a", askedAt: start + .milliseconds(60), now: start + .milliseconds(60))
        cache.insert([3], for: "b", askedAt: start + .milliseconds(110), now: start + .milliseconds(110))
        #expect(cache.body(of: "a", now: start + .milliseconds(110)) == [2])
        #expect(cache.count == 2)
    }

    @Test func `memory stays within its bound, the oldest going first`() {
        var cache = AnswerCache(timeToLive: .seconds(60), byteLimit: 2_000)
        for number in 0..<1_000 {
            cache.insert([UInt8](repeating: 0, count: 100), for: "key \(number)", askedAt: start, now: start)
            #expect(cache.byteCount <= 2_000)
        }
        #expect(cache.body(of: "key 999", now: start) != nil)
        #expect(cache.body(of: "key 0", now: start) == nil)
        cache.insert([UInt8](repeating: 0, count: 3_000), for: "too large", askedAt: start, now: start)
        #expect(cache.body(of: "too large", now: start) == nil)
        #expect(cache.body(of: "key 999", now: start) != nil)
        #expect([cache.hits, cache.misses] == [2, 2])
        #expect(cache.evictions == 1000 - cache.count)
    }

    @Test func `expired answers leave with the next insertion`() {
        var cache = AnswerCache(timeToLive: .milliseconds(100), byteLimit: 1_000_000)
        for number in 0..<500 { cache.insert([1], for: "\(number)", askedAt: start, now: start) }
        let later = start + .seconds(1)
        cache.insert([2], for: "new", askedAt: later, now: later)
        #expect(cache.count == 1)
        #expect(cache.evictions == 0)
        #expect(cache.body(of: "new", now: later) == [2])
    }

    @Test func `an answer grows older, and says so`() {
        var cache = AnswerCache(timeToLive: .seconds(60), byteLimit: 10_000)
        let answer = KeptAnswer([1], fields: [("X-Cache", "HIT")], age: 7, now: start)
        cache.insert(answer, for: CacheKey("a"), askedAt: start, now: start)
        for (milliseconds, age) in [(0, "7"), (999, "7"), (1000, "8"), (1500, "8"), (59_999, "66")] {
            let again = cache.answer(to: CacheKey("a"), now: start + .milliseconds(milliseconds))?.response
            #expect(again?.fields.values("age") == [age])
            #expect(again?.fields["x-cache"] == "HIT")
        }
    }
}

extension AnswerCache {
    fileprivate mutating func insert(_ body: [UInt8], for key: String, askedAt: Instant, now: Instant) {
        insert(KeptAnswer(body, now: now), for: CacheKey(key), askedAt: askedAt, now: now)
    }

    fileprivate mutating func body(of key: String, now: Instant) -> [UInt8]? {
        guard case .bytes(let bytes)? = answer(to: CacheKey(key), now: now)?.response.body else { return nil }
        return bytes
    }
}

extension CacheKey {
    fileprivate init(_ text: String) { self.init(Array(text.utf8)[...]) }
}
