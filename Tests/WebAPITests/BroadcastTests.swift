import HTTPServer
import HTTPWire
import Reactor
import TestSupport
import Testing

@testable import WebAPI

@Suite struct BroadcastTests {
    init() { Reactor.runInBackground() }

    /// Serves a broadcast at `/news?topics=a,b`, and all of it at `/all`.
    @ReactorActor
    private final class NewsServer {
        let broadcast: Broadcast
        let server: HTTPServer
        private(set) var endpoint = Endpoint.tcp(host: "127.0.0.1", port: 0)

        init(limit: Int = 100, topicsMax: Int = 20_000) async throws {
            let broadcast = Broadcast(limit: limit, topicsMax: topicsMax)
            self.broadcast = broadcast
            let documentation = RouteDocumentation(
                "News",
                in: .operations,
                answers: [.events("News.", example: ServerSentEvent(data: "1".utf8))]
            )
            func route(
                _ path: PathTemplate,
                _ topics: @escaping @ReactorActor @Sendable (RequestContext) -> [String]?
            ) -> Route {
                Operation<Int>(.get, path, documentation) { _ in 0 }
                    .answeredDirectly { _, context throws(APIError) in
                        let after = context.head.fields["Last-Event-ID"].flatMap { Int64($0) }
                        try broadcast.open(context, topics: topics(context), after: after)
                    }
            }
            server = HTTPServer(
                handler: WebService(
                    routes: [
                        route("/news") { context in
                            let query = context.head.queryBytes.map { String(decoding: $0, as: UTF8.self) } ?? ""
                            return query.split(separator: ",").map { String($0) }
                        }, route("/all") { _ in nil },
                    ],
                    requestTimeout: .seconds(20),
                    takesDeadlineFromCaller: false
                )
            )
            endpoint = try await server.listen(on: endpoint)
        }

        func listen(_ target: String, after id: Int? = nil) async throws -> TestEventStream {
            let stream = try await TestEventStream(target, on: endpoint, lastEventID: id.map { "\($0)" })
            try await eventually("its beginning") {
                _ = stream.isEnded
                return stream.retry != nil
            }
            return stream
        }
    }

    private func event(_ number: Int, _ topic: String, _ text: String = "") -> BroadcastEvent {
        BroadcastEvent("news", of: topic, number: Int64(number), data: "\(topic)\(number)\(text)".utf8)
    }

    @ReactorActor
    private func take(_ count: Int, of stream: TestEventStream) async throws -> [String] {
        var texts: [String] = []
        while texts.count < count {
            let event = try await stream.next()
            texts.append("\(event.type) \(event.id) \(event.data)")
        }
        return texts
    }

    @Test @ReactorActor func `a client gets the newest of its topics, then what happens to them, in order`()
        async throws
    {
        let news = try await NewsServer()
        defer { news.server.close() }
        news.broadcast.begin([event(3, "b"), event(7, "a"), event(5, "c")], position: 9)
        let stream = try await news.listen("/news?a,b,d")
        defer { stream.close() }
        #expect(stream.head["content-type"] == "text/event-stream")
        #expect(stream.head["x-accel-buffering"] == "no")
        #expect(try await take(2, of: stream) == ["news 3 b3", "news 7 a7"])
        for (number, topic) in [(10, "c"), (11, "d"), (12, "a"), (13, "a")] {
            news.broadcast.publish(event(number, topic))
        }
        #expect(try await take(3, of: stream) == ["news 11 d11", "news 12 a12", "news 13 a13"])
        #expect(news.broadcast.counters.late == 0)
    }

    @Test @ReactorActor func `a client that returns gets every event that it missed, and the rest as it happens`()
        async throws
    {
        let news = try await NewsServer()
        defer { news.server.close() }
        news.broadcast.begin([event(5, "a")], position: 5)
        for number in 6...400 { news.broadcast.publish(event(number, number.isMultiple(of: 2) ? "a" : "b")) }
        let stream = try await news.listen("/news?a", after: 99)
        defer { stream.close() }
        #expect(try await take(151, of: stream).first == "news 100 a100")
        news.broadcast.publish(event(401, "b"))
        news.broadcast.publish(event(402, "a"))
        #expect(try await take(1, of: stream) == ["news 402 a402"])
        // Nothing is known before 5, but nothing has happened to this topic either.
        let quiet = try await news.listen("/news?d", after: 1)
        defer { quiet.close() }
        news.broadcast.publish(event(403, "d"))
        #expect(try await take(1, of: quiet) == ["news 403 d403"])
    }

    @Test(arguments: [4, 999]) @ReactorActor
    func `a client whose last event is not known begins anew, and is told so`(id: Int) async throws {
        let news = try await NewsServer()
        defer { news.server.close() }
        news.broadcast.begin([event(5, "a")], position: 5)
        news.broadcast.publish(event(6, "b"))
        let stream = try await news.listen("/news?a,b", after: id)
        defer { stream.close() }
        let texts = try await take(3, of: stream)
        #expect(texts == ["reset \(id) {}", "news 5 a5", "news 6 b6"])
    }

    @Test @ReactorActor func `of more topics than are kept, those without news for longest are forgotten`()
        async throws
    {
        let news = try await NewsServer(topicsMax: 8)
        defer { news.server.close() }
        news.broadcast.begin((1...8).map { event($0, "t\($0)") }, position: 8)
        let all = try await news.listen("/all")
        defer { all.close() }
        #expect(try await take(9, of: all).last == "current 8 {}")
        let one = try await news.listen("/news?t1")
        defer { one.close() }
        #expect(try await take(1, of: one) == ["news 1 t11"])
        // Who listens hears of each, however many there were before.
        for number in 9...40 { news.broadcast.publish(event(number, "t\(number)")) }
        #expect(try await take(32, of: all) == (9...40).map { "news \($0) t\($0)\($0)" })
        let late = try await news.listen("/all")
        defer { late.close() }
        let texts = try await take(9, of: late)
        #expect(texts.first == "news 1 t11")
        #expect(texts.suffix(2) == ["news 40 t4040", "current 40 {}"])
        // A topic with a listener is not forgotten.
        news.broadcast.publish(event(41, "t1"))
        #expect(try await take(1, of: one) == ["news 41 t141"])
    }

    @Test @ReactorActor func `a client that returns and lacks what was forgotten begins anew`() async throws {
        let news = try await NewsServer(topicsMax: 8)
        defer { news.server.close() }
        news.broadcast.begin([], position: 0)
        for number in 1...20 { news.broadcast.publish(event(number, "t\(number)")) }
        for number in 21...20_000 { news.broadcast.publish(event(number, "a")) }
        let stream = try await news.listen("/news?t5", after: 4)
        defer { stream.close() }
        #expect(try await take(1, of: stream) == ["reset 4 {}"])
        // Of the topics of this one nothing has happened since.
        let other = try await news.listen("/news?t5", after: 19)
        defer { other.close() }
        news.broadcast.publish(event(20_001, "t5"))
        #expect(try await take(1, of: other) == ["news 20001 t520001"])
    }

    @Test @ReactorActor func `who reads slowly gets the newest of each topic and loses no topic`() async throws {
        let news = try await NewsServer()
        defer { news.server.close() }
        news.broadcast.begin([], position: 0)
        let stream = try await news.listen("/news?a,b")
        defer { stream.close() }
        stream.setReading(false)
        let text = String(repeating: "x", count: 4000)
        var number = 0
        while news.broadcast.counters.late < 2000, number < 100_000 {
            number += 1
            news.broadcast.publish(event(number, number == 1000 ? "b" : "a", text))
            if number.isMultiple(of: 50) { await Reactor.yield() }
        }
        #expect(news.broadcast.counters.late >= 2000)
        stream.setReading(true)
        var last = 0
        var count = 0
        var topics: Set<Character> = []
        while last < number {
            let event = try await stream.next()
            #expect(Int(event.id) ?? 0 > last)
            last = Int(event.id) ?? 0
            count += 1
            if let topic = event.data.first { topics.insert(topic) }
        }
        #expect(count <= number - 1900)
        #expect(topics == ["a", "b"])
        // It is told of each event again.
        for _ in 1...3 {
            number += 1
            news.broadcast.publish(event(number, "a"))
        }
        #expect(try await take(3, of: stream).last == "news \(number) a\(number)")
    }

    @Test @ReactorActor func `a thousand clients are told of each event once, also while others come and leave`()
        async throws
    {
        let news = try await NewsServer(limit: 2000)
        defer { news.server.close() }
        news.broadcast.begin([event(1, "a")], position: 1)
        var streams: [TestEventStream] = []
        for _ in 0..<1000 { streams.append(try await TestEventStream("/news?a", on: news.endpoint)) }
        defer { for stream in streams { stream.close() } }
        for number in 2...6 {
            news.broadcast.publish(event(number, "a"))
            for _ in 0..<20 { streams.remove(at: number * 7).close() }
            streams.append(try await TestEventStream("/news?a", on: news.endpoint))
        }
        for stream in streams {
            var last = 0
            var ids: [Int] = []
            while last < 6 {
                last = Int(try await stream.next().id) ?? 0
                ids.append(last)
            }
            #expect(ids == Array((ids.first ?? 1)...6))
        }
        try await eventually("those that left") { news.broadcast.count == streams.count }
        #expect(news.server.counters.openStreams == streams.count)
        #expect(news.server.counters.openConnections == streams.count)
    }

    @Test @ReactorActor func `a listener to everything is told when it knows the newest of all, also when it returns`()
        async throws
    {
        let news = try await NewsServer()
        defer { news.server.close() }
        news.broadcast.begin((1...300).map { event($0, "t\($0)") }, position: 300)
        let all = try await news.listen("/all")
        defer { all.close() }
        let texts = try await take(301, of: all)
        #expect(texts.dropLast() == (1...300).map { "news \($0) t\($0)\($0)" }[...])
        #expect(texts.last == "current 300 {}")
        news.broadcast.publish(event(301, "new"))
        #expect(try await take(1, of: all) == ["news 301 new301"])
        let again = try await news.listen("/all", after: 300)
        defer { again.close() }
        #expect(try await take(2, of: again) == ["news 301 new301", "current 301 {}"])
        let late = try await news.listen("/all", after: 10)
        defer { late.close() }
        #expect(try await take(1, of: late) == ["reset 10 {}"])
    }

    @Test @ReactorActor func `numbers that go back are another series, and every client begins anew`() async throws {
        let news = try await NewsServer()
        defer { news.server.close() }
        news.broadcast.begin([event(50, "a")], position: 50)
        let stream = try await news.listen("/news?a,b")
        defer { stream.close() }
        #expect(try await take(1, of: stream) == ["news 50 a50"])
        news.broadcast.begin([event(3, "a"), event(4, "b")], position: 4)
        #expect(try await take(3, of: stream) == ["reset 50 {}", "news 3 a3", "news 4 b4"])
        // A gap is none for who is there: the newest of each topic follow.
        news.broadcast.begin([event(9, "a")], position: 9)
        #expect(try await take(1, of: stream) == ["news 9 a9"])
    }

    @Test @ReactorActor func `HEAD opens none, one too many is refused, and an old client gets no chunks`() async throws
    {
        let news = try await NewsServer(limit: 1)
        defer { news.server.close() }
        news.broadcast.begin([event(1, "a")], position: 1)
        #expect(try await request("HEAD", "/news?a", on: news.endpoint)["content-type"] == "text/event-stream")
        #expect(news.broadcast.count == 0)
        let old = try await TestSocket(to: news.endpoint)
        old.send("GET /news?a HTTP/1.0\r\nHost: a\r\n\r\n")
        let answer = try await old.take(through: "data: a1\n\n")
        #expect(answer.contains("\r\n\r\nretry: "))
        #expect(!answer.contains("chunked"))
        #expect(try await request("GET", "/news?a", on: news.endpoint).status == 503)
        old.close()
        try await eventually("the end of the stream") { news.broadcast.count == 0 }
    }

    @Test @ReactorActor func `draining ends every stream in order`() async throws {
        let news = try await NewsServer()
        defer { news.server.close() }
        news.broadcast.begin([event(1, "a")], position: 1)
        let streams = [try await news.listen("/news?a"), try await news.listen("/all")]
        await news.server.drain(within: .seconds(20))
        for stream in streams {
            try await eventually("the end") { stream.isEnded }
            #expect(stream.isComplete)
        }
        #expect(news.broadcast.count == 0)
        #expect(news.server.counters.openConnections == 0)
    }

    @Test @ReactorActor func `a stream behind earlier answers waits for its turn, and what follows it is dropped`()
        async throws
    {
        let news = try await NewsServer()
        defer { news.server.close() }
        news.broadcast.begin([event(1, "a")], position: 1)
        let client = try await TestSocket(to: news.endpoint)
        defer { client.close() }
        let get = "HTTP/1.1\r\nHost: a\r\n\r\n"
        client.send("GET /nothing \(get)GET /news?a \(get)GET /nothing \(get)")
        #expect(try await client.takeResponse().status == 404)
        #expect(try await client.takeResponse(to: "HEAD").status == 200)
        _ = try await client.take(through: "data: a1\n\n")
        news.broadcast.publish(event(2, "a"))
        _ = try await client.take(through: "data: a2\n\n")
        #expect(news.server.counters.openRequests == 0)
    }
}

@Suite struct ServerSentEventReaderTests {
    private func read(_ text: String, by count: Int) throws -> [ReceivedEvent] {
        var reader = ServerSentEventReader()
        var events: [ReceivedEvent] = []
        let bytes = Array(text.utf8)
        for start in stride(from: 0, to: bytes.count, by: count) {
            let part = Array(bytes[start..<min(start + count, bytes.count)])
            try reader.read(part.span) { events.append($0) }
        }
        return events
    }

    @Test(arguments: [1, 2, 7, 1000]) func `events are read as the standard says, however they are cut`(count: Int)
        throws
    {
        let text = """
            : comment\nretry: 10\n\nevent: price\r\nid: 7\r\ndata: one\r\ndata:two\r\n\r\ndata\n\n
            event: lost\n\nid: 8\rdata: x\r\rnonsense: 1\ndata:  y\n\ndata: not complete\n
            """
        #expect(
            try read(text, by: count) == [
                ReceivedEvent(type: "price", id: "7", data: Array("one\ntwo".utf8)),
                ReceivedEvent(type: "message", id: "7", data: []),
                ReceivedEvent(type: "message", id: "8", data: Array("x".utf8)),
                ReceivedEvent(type: "message", id: "8", data: Array(" y".utf8)),
            ]
        )
    }

    @Test func `what our own writer makes is read`() throws {
        let event = ServerSentEvent("price", id: "12", data: "a\nb\r\nc".utf8)
        let text = String(decoding: event.bytes, as: UTF8.self)
        #expect(try read(text, by: 3) == [ReceivedEvent(type: "price", id: "12", data: Array("a\nb\nc".utf8))])
    }

    @Test func `what has no end is not kept for ever`() {
        let line = String(repeating: "x", count: 70_000)
        #expect(throws: ServerSentEventReader.TooLong.self) { try read("data: \(line)", by: 1000) }
        let lines = String(repeating: "data: 0123456789\n", count: 7000)
        #expect(throws: ServerSentEventReader.TooLong.self) { try read(lines, by: 1000) }
    }
}

@Suite struct RecentEventsTests {
    private struct Element: Numbered, Hashable { let number: Int64 }

    @Test func `what is kept is a whole stretch, and what is not is known`() {
        var recent = RecentEvents<Element>(after: 10, countMax: 4)
        #expect(recent.elements(after: 10, atMost: 9) == [])
        #expect(recent.elements(after: 9, atMost: 9) == nil)
        for number in stride(from: Int64(12), through: 40, by: 2) { recent.append(Element(number: number)) }
        let kept = recent.elements(after: recent.floor, atMost: 99).map { $0.map(\.number) } ?? []
        #expect(kept == Array(stride(from: recent.floor + 2, through: 40, by: 2)))
        #expect((4..<8).contains(kept.count))
        #expect(recent.elements(after: recent.floor - 1, atMost: 1) == nil)
        #expect(recent.elements(after: 37, atMost: 9)?.map(\.number) == [38, 40])
        #expect(recent.elements(after: 36, atMost: 1)?.map(\.number) == [38])
        #expect(recent.elements(after: 99, atMost: 1) == [])
    }
}
