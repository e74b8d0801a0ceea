import HTTPBodies
import HTTPWire
import Reactor
import TestSupport
import Testing

@testable import Proxy

/// What becomes of those who wait, and of the cache, whatever happens while an answer is on its way.
@Suite struct CacheTaskTests {
    init() { Reactor.runInBackground() }

    enum Step {
        case answered(HTTPStatus, [String])
        case bytes(Int)
        case ended
        case cut
        case clientLeft
        case purged
        case purgedAll
        case purgedOther
        case failed

        static let fresh = Step.answered(.ok, ["Cache-Control: max-age=60"])
        static let sized = Step.answered(.ok, ["Cache-Control: max-age=60", "Content-Length: 5"])
    }

    enum Waiting {
        case shared
        case alone
        case waiting
    }

    /// A task, one that waits for it, and an upstream.
    @ReactorActor
    private final class Stage: HTTPBodySource {
        static let key: CacheKey = "a/x"

        let cache = ResponseCache(byteLimit: 1024 * 1024)
        let task: CacheTask
        lazy var body = HTTPBody(declaredLength: nil, windowBytes: 65_536, source: self)
        var waiting = Waiting.waiting
        var isCancelled = false

        /// - Parameter kept: Fields of what is kept, and stale.
        init(kept: [String]? = nil) throws {
            let head = try TestHeads.request()
            let kept = try kept.map { [cache] in try TestHeads.answer($0, in: cache) }
            if let kept { cache.keep(kept, under: Self.key, asked: 0) }
            let flight = cache.beginFlight(Self.key)
            task = CacheTask(cache, Self.key, head, kept: kept, flight: flight, reason: "uri-miss")
            _ = flight.wait { [unowned self] outcome in
                #expect(waiting == .waiting)
                waiting = if case .shared = outcome { .shared } else { .alone }
            }
        }

        func take(_ step: Step) throws {
            switch step {
            case .answered(let status, let lines):
                let head = try TestHeads.response(status, lines)
                switch task.began(head, head.fields) {
                case .fill: task.fill(from: body)
                case .again: #expect(task.conditions == nil)
                case .pass, .give: task.ended(isWhole: false)
                }
            case .bytes(let count): body.receive([UInt8](repeating: 0x78, count: count))
            case .ended: body.finish()
            case .cut: body.fail(.cut)
            case .clientLeft: task.readerLeft()
            case .purged: cache.purge(Self.key.target, isPrefix: false)
            case .purgedAll: cache.purge("a/", isPrefix: true)
            case .purgedOther: cache.purge("a/y", isPrefix: false)
            case .failed: if task.failed() == nil { task.ended(isWhole: false) }
            }
        }

        func bodyIsAwaited(_ body: HTTPBody) {}
        func bodyWasTaken(_ body: HTTPBody) {}
        func bodyIsUnwanted(_ body: HTTPBody) { isCancelled = true }
    }

    @Test(
        arguments: [
            ([], .waiting, false), ([.fresh], .waiting, false), ([.sized], .shared, false),
            ([.fresh, .bytes(5), .ended], .shared, true), ([.sized, .bytes(5), .ended], .shared, true),
            ([.sized, .clientLeft, .bytes(5), .ended], .shared, true),
            ([.sized, .bytes(1), .cut], .shared, false), ([.fresh, .bytes(1), .cut], .alone, false),
            ([.sized, .purged, .bytes(5), .ended], .shared, false),
            ([.purged, .sized, .bytes(5), .ended], .shared, false),
            ([.answered(.ok, ["Cache-Control: private"])], .alone, false), ([.failed], .alone, false),
            // What each has to ask for.
            ([.answered(.ok, ["Cache-Control: no-cache", "ETag: \"v\"", "Content-Length: 0"])], .alone, false),
            ([.answered(.ok, ["Cache-Control: no-cache", "ETag: \"v\""])], .alone, false),
            ([.answered(.ok, ["Cache-Control: max-age=0", "ETag: \"v\""]), .ended], .alone, true),
            ([.answered(.serviceUnavailable, [])], .alone, false),
        ] as [([Step], Waiting, Bool)]
    )
    @ReactorActor
    func `a miss`(steps: [Step], waiting: Waiting, isKept: Bool) throws {
        let stage = try Stage()
        for step in steps { try stage.take(step) }
        #expect(stage.waiting == waiting)
        #expect(stage.cache.count == (isKept ? 1 : 0))
        #expect(!stage.isCancelled)
    }

    @Test(
        arguments: [
            // Its reader reads nothing, so that the upstream must wait.
            ([.bytes(70_000), .bytes(400_000)], false), ([.bytes(70_000), .clientLeft], true),
            ([.clientLeft, .bytes(70_000)], true), ([.bytes(70_000), .bytes(400_000), .clientLeft], true),
        ] as [([Step], Bool)]
    )
    @ReactorActor
    func `an answer that grows too large`(steps: [Step], isCancelled: Bool) throws {
        let stage = try Stage()
        for step in [.fresh] + steps { try stage.take(step) }
        #expect(stage.waiting == .alone)
        #expect(stage.isCancelled == isCancelled)
        stage.body.finish()
        #expect(stage.cache.count == 0)
    }

    @Test(
        arguments: [
            (["max-age=60"], [.answered(.notModified, ["Cache-Control: max-age=60"])], .shared, true),
            (["max-age=60"], [.purged, .answered(.notModified, ["Cache-Control: max-age=60"])], .shared, false),
            (["max-age=60"], [.answered(.notModified, ["Cache-Control: no-cache"])], .alone, true),
            (["max-age=60"], [.answered(.notModified, ["Set-Cookie: a=1"])], .alone, false),
            (["max-age=60"], [.answered(.notModified, ["Cache-Control: private"])], .alone, false),
            (["max-age=60"], [.answered(.notModified, ["Vary: *"])], .alone, false),
            // About what is not kept: asked again.
            (["max-age=60"], [.answered(.notModified, ["ETag: \"w\""])], .waiting, false),
            (["max-age=60"], [.answered(.notModified, ["ETag: \"w\""]), .sized], .shared, false),
            (["max-age=60"], [.answered(.notModified, ["ETag: \"w\""]), .sized, .bytes(5), .ended], .shared, true),
            (["max-age=60"], [.answered(.notModified, ["ETag: \"w\""]), .failed], .alone, false),
            (["max-age=60"], [.sized, .bytes(5), .ended], .shared, true),
            (["max-age=60"], [.answered(.ok, ["Cache-Control: private"])], .alone, false),
            (["max-age=60"], [.answered(.serviceUnavailable, [])], .alone, true),
            (["max-age=60"], [.failed], .alone, true),
            (["max-age=60, stale-if-error=9999999999"], [.failed], .shared, true),
            (["max-age=60, stale-if-error=9999999999"], [.answered(.serviceUnavailable, [])], .shared, true),
            // What was forgotten meanwhile stands in for nothing.
            (["max-age=60, stale-if-error=9999999999"], [.purged, .failed], .alone, false),
            (["max-age=60, stale-if-error=9999999999"], [.purgedAll, .failed], .alone, false),
            (
                ["max-age=60, stale-if-error=9999999999"], [.purged, .answered(.serviceUnavailable, [])], .alone, false
            ),
            (["max-age=60, stale-if-error=9999999999"], [.purgedOther, .failed], .shared, true),
        ] as [([String], [Step], Waiting, Bool)]
    )
    @ReactorActor
    func `what is kept is stale`(kept: [String], steps: [Step], waiting: Waiting, isKept: Bool) throws {
        let stage = try Stage(kept: ["ETag: \"v\""] + kept.map { "Cache-Control: \($0)" })
        for step in steps { try stage.take(step) }
        #expect(stage.waiting == waiting)
        #expect(stage.cache.count == (isKept ? 1 : 0))
    }

    private static let monday = "Last-Modified: Mon, 07 Nov 1994 08:49:37 GMT"
    private static let tuesday = "Last-Modified: Tue, 08 Nov 1994 08:49:37 GMT"

    @Test(
        arguments: [
            ([monday], [monday], true), ([monday], [], true), ([monday], [tuesday], false),
            ([monday], ["ETag: \"v\""], false), ([monday], [monday, "ETag: \"v\""], true),
            (["ETag: \"v\""], [tuesday], false), (["ETag: \"v\"", monday], ["ETag: W/\"v\"", tuesday], true),
            (["ETag: \"v\"", monday], ["ETag: \"w\"", monday], false),
        ] as [([String], [String], Bool)]
    )
    @ReactorActor
    func `a 304 is about what has its tag, or its time where that has none`(
        kept: [String],
        said: [String],
        isMeant: Bool
    ) throws {
        let stage = try Stage(kept: kept)
        try stage.take(.answered(.notModified, said + ["Cache-Control: max-age=60"]))
        #expect(stage.waiting == (isMeant ? .shared : .waiting))
        #expect((stage.task.conditions == nil) == !isMeant)
    }

    @Test(arguments: [Step.ended, .cut, .purged]) @ReactorActor
    func `whoever comes while an answer of known length comes reads along`(last: Step) async throws {
        let stage = try Stage()
        try stage.take(.sized)
        let flight = try #require(stage.cache.flight(Stage.key))
        var isShared: Bool?
        let left = flight.wait { _ in Issue.record("left before") }
        _ = flight.wait { outcome in isShared = if case .shared = outcome { true } else { false } }
        flight.leave(left)
        try await eventually("the answer") { isShared != nil }
        #expect(isShared == true)
        try stage.take(.bytes(5))
        try stage.take(last)
        #expect(stage.cache.flight(Stage.key) == nil)
    }

    @Test @ReactorActor func `a 304 without a date is of now`() throws {
        let stage = try Stage(kept: ["ETag: \"v\"", "Date: Sun, 06 Nov 1994 08:49:37 GMT"])
        try stage.take(.answered(.notModified, ["Cache-Control: max-age=60"]))
        let kept = try #require(stage.cache.answer(to: TestHeads.request(), Stage.key))
        #expect(kept.ttl > 0)
        #expect(kept.fields["date"].flatMap { HTTPDate.parse($0) }.map { $0 >= Clock.seconds - 60 } == true)
    }

    @Test(arguments: [("08:49:38", true), ("08:49:37", false)]) @ReactorActor
    func `a 304 does not tell which of two bodies of one second is kept`(time: String, isStrong: Bool) throws {
        let modified = "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT"
        let stage = try Stage(kept: [modified, "Date: Sun, 06 Nov 1994 \(time) GMT"])
        try stage.take(.answered(.notModified, ["Cache-Control: max-age=60", modified]))
        let kept = try #require(stage.cache.answer(to: TestHeads.request(), Stage.key))
        #expect(kept.isModificationStrong == isStrong)
    }

    @Test @ReactorActor func `what a 304 says in Vary counts, for the request that it answers`() throws {
        let stage = try Stage(kept: ["ETag: \"v\""])
        try stage.take(.answered(.notModified, ["Vary: X-Key"]))
        #expect(stage.cache.answer(to: try TestHeads.request(), Stage.key)?.fields["vary"] == "X-Key")
        let other = try #require(stage.cache.answer(to: TestHeads.request(["X-Key: 1"]), Stage.key))
        #expect(other.fields["vary"] == nil)
    }

    @Test @ReactorActor func `what a 304 says to one client is not said to another who asks at the same time`() throws {
        let stage = try Stage(kept: ["ETag: \"v\""])
        let kept = try #require(stage.cache.answer(to: TestHeads.request(), Stage.key))
        try stage.take(.answered(.notModified, ["Set-Cookie: a=1"]))
        #expect(!kept.fields.contains("set-cookie"))
    }
}

extension CacheTaskTests {
    @Test @ReactorActor func `a 304 says anew what it says, but how long the body is and how it is coded`() throws {
        let cache = ResponseCache(byteLimit: 1024)
        let kept = try TestHeads.answer(["Content-Type: text/plain", "Content-Encoding: gzip", "X-A: 1"], in: cache)
        let update: HTTPFields = [
            "Content-Type": "text/html", "Content-Encoding": "br", "Content-Length": "9", "X-A": "2",
        ]
        let answer = kept.freshened(by: update, to: try TestHeads.request(), requestedAt: 0, receivedAt: 0)
        #expect(answer.fields.values("content-type") == ["text/html"])
        #expect(answer.fields.values("content-encoding") == ["gzip"])
        #expect(answer.fields.values("content-length") == ["0"])
        #expect(answer.fields.values("x-a") == ["2"])
    }

    @Test(
        arguments: [
            ("Location: http://a:80/y", 0), ("Content-Location: http://a/y", 0), ("Location: https://a:443/y", 0),
            ("Location: /y", 0), ("Location: http://a:443/y", 1), ("Location: http://b/y", 1),
        ]
    )
    @ReactorActor
    func `a port that goes without saying makes no other place`(line: String, isKept: Int) throws {
        let cache = ResponseCache(byteLimit: 1024 * 1024)
        var parser = RequestParser(limits: HTTPLimits())
        let text = Array("POST /x HTTP/1.1\r\nHost: A:80\r\n\r\n".utf8)
        guard case .deliverHead(let head) = try parser.step(text.span).action else { throw TestHeads.NoHead() }
        let key = CacheKey(head, isSecure: false)
        #expect(key == "a/x")
        #expect(CacheKey(head, isSecure: true).target == "a:80/x")
        cache.keep(try TestHeads.answer([], in: cache), under: "a/y", asked: 0)
        let task = CacheTask(cache, key, head, mayStore: false, reason: "method")
        let response = try TestHeads.response(.created, [line])
        _ = task.began(response, response.fields)
        #expect(cache.count == isKept)
    }
}

/// Heads as they come from the wire.
enum TestHeads {
    struct NoHead: Error {}

    static func request(_ lines: [String] = [], method: String = "GET") throws -> RequestHead {
        var parser = RequestParser(limits: HTTPLimits())
        let text = "\(method) /x HTTP/1.1\r\nHost: a\r\n" + lines.map { "\($0)\r\n" }.joined() + "\r\n"
        let bytes = Array(text.utf8)
        guard case .deliverHead(let head) = try parser.step(bytes.span).action else { throw NoHead() }
        return head
    }

    /// - Parameter lines: Chunks follow if none is about the length.
    static func response(_ status: HTTPStatus, _ lines: [String]) throws -> ResponseHead {
        var parser = ResponseParser(limits: HTTPLimits())
        parser.expectResponse(to: .get)
        let framing = lines.contains { $0.hasPrefix("Content-Length") } ? [] : ["Transfer-Encoding: chunked"]
        let text = "HTTP/1.1 \(status.code) X\r\n" + (lines + framing).map { "\($0)\r\n" }.joined() + "\r\n"
        let bytes = Array(text.utf8)
        guard case .deliverHead(let head) = try parser.step(bytes.span).action else { throw NoHead() }
        return head
    }

    /// A whole answer without a body, from long ago unless said otherwise.
    @ReactorActor
    static func answer(_ lines: [String], in cache: ResponseCache, receivedAt: Int = 0) throws -> CachedAnswer {
        let head = try response(.ok, lines + ["Content-Length: 0"])
        let answer = CachedAnswer(
            head,
            head.fields,
            to: try request(),
            requestedAt: receivedAt,
            receivedAt: receivedAt,
            weights: cache.weights
        )
        answer.end(.complete)
        return answer
    }
}
