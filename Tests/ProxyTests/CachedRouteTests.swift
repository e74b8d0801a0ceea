import HTTPWire
import Reactor
import Testing

@testable import Proxy

/// Whether a request is answered from the cache, waits, or goes to the upstream.
@Suite struct CachedRouteTests {
    init() { Reactor.runInBackground() }

    enum Decided {
        case given
        case givenAndRefreshed
        case waits
        case asked
        case failed
    }

    private static let key: CacheKey = "a/x"

    /// - Parameter kept: What the kept answer says of how it may be used, a second after it came; nil for none.
    @ReactorActor
    private func decide(_ lines: [String], method: String = "GET", kept: String?) throws -> Decided {
        let cache = ResponseCache(byteLimit: 1024 * 1024)
        if let kept {
            let lines = ["Cache-Control: \(kept)", "Age: 1"]
            cache.keep(
                try TestHeads.answer(lines, in: cache, receivedAt: Clock.seconds),
                under: Self.key,
                asked: 0
            )
        }
        let head = try TestHeads.request(lines, method: method)
        switch CachedRoute(cache: cache).decide(head, Self.key, mayWait: true) {
        case .give(_, _, let refreshes): return refreshes ? .givenAndRefreshed : .given
        case .wait: return .waits
        case .ask: return .asked
        case .fail: return .failed
        }
    }

    @Test(
        arguments: [
            ([], "max-age=60", .given), ([], "max-age=0", .asked), ([], nil, .asked),
            ([], "max-age=0, stale-while-revalidate=60", .givenAndRefreshed),
            (["Cache-Control: no-store"], "max-age=60", .asked),
            (["Connection: upgrade", "Upgrade: a"], "max-age=60", .asked),
            (["Cache-Control: only-if-cached"], "max-age=60", .given),
            (["Cache-Control: only-if-cached"], "max-age=0", .failed),
            (["Cache-Control: only-if-cached"], nil, .failed),
            (["Cache-Control: only-if-cached, no-store"], "max-age=60", .given),
            (["Cache-Control: no-store", "Cache-Control: only-if-cached"], nil, .failed),
            (["Cache-Control: only-if-cached, no-store"], "max-age=0", .failed),
            (["Cache-Control: only-if-cached, no-store, max-stale"], "max-age=0", .given),
            (["Cache-Control: only-if-cached, no-store, no-cache"], "max-age=60", .failed),
            // Nothing is asked for on its behalf.
            (["Cache-Control: only-if-cached, no-store"], "max-age=0, stale-while-revalidate=60", .given),
            (["Cache-Control: only-if-cached"], "max-age=0, stale-while-revalidate=60", .given),
            (["Cache-Control: only-if-cached", "Connection: upgrade", "Upgrade: a"], "max-age=60", .given),
            (["Cache-Control: only-if-cached", "Content-Length: 1"], "max-age=60", .failed),
            (["Cache-Control: only-if-cached", "Authorization: a"], "max-age=60", .failed),
            (["Cache-Control: only-if-cached", "Authorization: a"], "max-age=60, public", .given),
        ] as [([String], String?, Decided)]
    )
    @ReactorActor
    func `what becomes of a request`(lines: [String], kept: String?, decided: Decided) throws {
        #expect(try decide(lines, kept: kept) == decided)
    }

    @Test(
        arguments: [
            ("GET", [], nil, "uri-miss"), ("HEAD", [], nil, "uri-miss"), ("POST", [], "max-age=60", "method"),
            ("GET", ["X-A: 1"], "max-age=60", "vary-miss"), ("HEAD", ["X-A: 1"], "max-age=60", "vary-miss"),
            ("GET", [], "max-age=0", "stale"), ("HEAD", [], "max-age=0", "stale"),
            ("GET", [], "max-age=60, no-cache", "stale"), ("GET", ["Authorization: a"], "max-age=60", "request"),
            ("GET", ["Cache-Control: no-cache"], "max-age=60", "request"),
            ("GET", ["Cache-Control: max-age=0"], "max-age=60", "request"),
            ("HEAD", ["Cache-Control: min-fresh=120"], "max-age=60", "request"),
            ("GET", ["Cache-Control: no-cache"], "max-age=0", "stale"),
            ("GET", ["Cache-Control: no-store"], "max-age=60", "request"),
        ] as [(String, [String], String?, String)]
    )
    @ReactorActor
    func `why the upstream is asked`(method: String, lines: [String], kept: String?, reason: String) throws {
        let cache = ResponseCache(byteLimit: 1024 * 1024)
        if let kept {
            let said = ["Cache-Control: \(kept)", "Age: 1", "Vary: X-A", "ETag: \"v\""]
            let answer = try TestHeads.answer(said, in: cache, receivedAt: Clock.seconds)
            cache.keep(answer, under: Self.key, asked: 0)
        }
        let head = try TestHeads.request(lines, method: method)
        guard case .ask(let task) = CachedRoute(cache: cache).decide(head, Self.key, mayWait: true) else {
            Issue.record("not asked")
            return
        }
        let response = try TestHeads.response(.notFound, ["Cache-Control: no-store"])
        guard case .pass(let cacheStatus) = task.began(response, response.fields) else {
            Issue.record("not passed")
            return
        }
        #expect(cacheStatus == "tickloop; fwd=\(reason); fwd-status=404")
    }

    @Test(
        arguments: [("HEAD", .given), ("OPTIONS", .failed), ("POST", .asked), ("FROB", .asked)] as [(String, Decided)]
    )
    @ReactorActor
    func `who wants only what is kept still changes what he changes`(method: String, decided: Decided) throws {
        for words in ["only-if-cached", "only-if-cached, no-store"] {
            #expect(try decide(["Cache-Control: \(words)"], method: method, kept: "max-age=60") == decided)
        }
    }
}
