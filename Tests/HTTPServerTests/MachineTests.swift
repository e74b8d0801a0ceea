@testable import HTTPServer
import HTTPWire
import Reactor
import TestSupport
import Testing

/// What happens to a connection.
enum ConnectionEvent: Sendable {
    case came(String)
    /// So many bytes of no meaning.
    case cameBytes(Int)
    case inputEnded
    /// The handler of this path has an answer.
    case answered(String)
    /// The handler of this path wants the body.
    case wanted(String)
    /// The answer of this path is another protocol.
    case switched(String)
    /// The answer of this path cannot be completed.
    case aborted(String)
    /// The socket has no room, or has it again.
    case blocked(Bool)
    /// So many bytes of the output were taken.
    case sent(Int)
    case drained
    /// So many seconds went by.
    case passed(Double)
}

/// Plays the owner of a machine, without a socket and in a time of its own, and keeps a record of what is to be done.
private final class Owner {
    final class Token {
        let path: String
        var status: Int?

        init(_ path: String) { self.path = path }
    }

    private var machine: HTTPServerMachine<Token>
    private var now = Instant.origin + .seconds(1000)
    private let window: Int
    private let answersAtOnce: Bool
    private var isBlocked = false
    private var hasEnded = false
    private var tokens: [Token] = []
    private(set) var record: [String] = []

    init(window: Int = 16, answersAtOnce: Bool = false) {
        self.window = window
        self.answersAtOnce = answersAtOnce
        machine = HTTPServerMachine(HTTPServerConfiguration(), now: now) { _ in false }
    }

    func run(_ event: ConnectionEvent) {
        switch event {
        case .came(let text): take(Array(text.utf8))
        case .cameBytes(let count): take([UInt8](repeating: 0x78, count: count))
        case .inputEnded: hasEnded = true
        case .answered(let path): answer(path)
        case .wanted(let path): if machine.wantsBody(token(path)) { note("continue") }
        case .switched(let path): machine.tunnelBegan(token(path))
        case .aborted: machine.end(.cut)
        case .blocked(let isBlocked): self.isBlocked = isBlocked
        case .sent(let count): machine.patience.sent(count, isAll: false, now: now)
        case .drained: machine.patience.drainBegan(now: now)
        case .passed(let seconds):
            now = now + .seconds(seconds)
            timePassed()
        }
        let (wasAtRest, before) = (isAtRest, record)
        let isTimerSet = turnEnds()
        // So it does not matter whether the turn ends for it.
        if wasAtRest, record != before || isTimerSet || !machine.wantsInput(window: window) { note("not at rest") }
    }

    /// Whether nothing is to be done before an answer.
    var isAtRest: Bool { machine.isAtRest(window: window) && !isBlocked && !hasEnded }

    private func note(_ text: String) { record.append(text) }

    private func token(_ path: String) -> Token {
        tokens.last { $0.path == path } ?? Token("no request of this path")
    }

    private func take(_ bytes: [UInt8]) {
        var position = 0
        while machine.isStepDue(unreadBytes: bytes.count - position) {
            let (action, consumed) = machine.step(bytes.span.extracting(position...), window: window, now: now)
            let rest = bytes[position...]
            position += consumed
            switch action {
            case .wait: return
            case .begin(let head): begin(head)
            case .deliver(let range, let token): deliver(rest.dropFirst(range.lowerBound).prefix(range.count), token)
            case .complete(let token):
                note("complete \(token.path)")
                if answersAtOnce { answer(token.path) }
            case .refuse(let reason, let token): refuse(reason, token)
            case .close: return end(.cut)
            }
        }
    }

    private func begin(_ head: RequestHead) {
        let token = Token(head.path)
        tokens.append(token)
        machine.began(token, RequestTerms(head), now: now)
        note("begin \(token.path)")
        if answersAtOnce, !head.framing.hasBytes { answer(token.path) }
    }

    /// Pieces of a body are recorded as one, however they were cut.
    private func deliver(_ bytes: ArraySlice<UInt8>, _ token: Token) {
        let text = bytes.count > 1000 ? "…" : String(decoding: bytes, as: UTF8.self)
        if let last = record.last, last.hasPrefix("body \(token.path) ") {
            record[record.count - 1] = last + text
        } else {
            note("body \(token.path) \(text)")
        }
    }

    private func refuse(_ reason: HTTPRefusal, _ token: Token?) {
        if let token {
            token.status = token.status ?? reason.status.code
        } else {
            machine.refuse(with: HTTPResponse(reason.status))
        }
        write()
    }

    private func answer(_ path: String) {
        token(path).status = 200
        write()
    }

    private func write() {
        while let token = machine.turn {
            guard let status = token.status else {
                if machine.takeBidding() { note("continue") }
                return
            }
            let keepsAlive = machine.keepsAlive
            note("\(status) \(token.path)\(keepsAlive ? "" : ", close")")
            machine.answered(keepsAlive: keepsAlive)
        }
        if let response = machine.takeLastWord() { note("\(response.status.code), close") }
    }

    private func timePassed() {
        switch machine.timePassed(now: now) {
        case .wait: break
        case .refuse(let reason, let token): refuse(reason, token)
        case .giveUp(let token, _):
            token.status = 500
            write()
        case .end(let ending): end(ending)
        }
    }

    /// Returns whether the timer is to be set anew.
    private func turnEnds() -> Bool {
        guard !machine.isClosed else { return false }
        if let head = machine.takeHeld() { begin(head) }
        if !machine.isPaused(window: window) { take(machine.takeUnparsed()) }
        if hasEnded { inputEnded() }
        if !isBlocked, let ending = machine.outputSent() { end(ending) }
        return machine.settle(isOutputBlocked: isBlocked, window: window, now: now)
    }

    private func inputEnded() {
        guard !machine.isBehind, !machine.isInputEnded else { return }
        let receiver = machine.receiver
        if machine.inputEnded() { return end(.cut) }
        if let receiver { note("gone \(receiver.path)") }
    }

    private func end(_ ending: HTTPServerMachine<Token>.Ending) {
        note("\(ending)")
        if ending != .linger { _ = machine.close() }
    }
}

@Suite struct MachineTests {
    /// What happens, and what is to be done about it.
    struct Row: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let events: [ConnectionEvent]
        let record: [String]

        init(_ description: String, _ events: [ConnectionEvent], _ record: [String]) {
            testDescription = description
            self.events = events
            self.record = record
        }
    }

    private static func get(_ path: String, _ fields: String = "") -> String {
        "GET \(path) HTTP/1.1\r\nHost: a\r\n\(fields)\r\n"
    }

    private static let socket = get("/socket", "Connection: Upgrade\r\n")

    private static func post(_ path: String, _ length: Int, _ body: String = "", _ fields: String = "") -> String {
        "POST \(path) HTTP/1.1\r\nHost: a\r\nContent-Length: \(length)\r\n\(fields)\r\n\(body)"
    }

    private static func chunked(_ path: String, _ body: String) -> String {
        "POST \(path) HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\(body)"
    }

    private static let close = "Connection: close\r\n"
    private static let expect = "Expect: 100-continue\r\n"

    private func check(_ row: Row, window: Int = 16) {
        let owner = Owner(window: window)
        for event in row.events { owner.run(event) }
        #expect(owner.record == row.record)
    }

    // MARK: Requests and answers

    private static let pipelining = [
        Row(
            "one after another",
            [.came(get("/a")), .answered("/a"), .came(get("/b")), .answered("/b")],
            ["begin /a", "200 /a", "begin /b", "200 /b"]
        ),
        Row(
            "safe ones run together and are answered in order",
            [.came(get("/a") + get("/b")), .answered("/b"), .answered("/a")],
            ["begin /a", "begin /b", "200 /a", "200 /b"]
        ),
        Row(
            "an unsafe one runs alone",
            [.came(get("/a") + post("/b", 2, "hi") + get("/c")), .answered("/a"), .answered("/b"), .answered("/c")],
            ["begin /a", "200 /a", "begin /b", "body /b hi", "complete /b", "200 /b", "begin /c", "200 /c"]
        ),
        Row(
            "no more than the window run together, and an answer makes room",
            [.came(get("/a") + get("/b") + get("/c") + get("/d") + get("/e")), .answered("/b"), .answered("/a")],
            ["begin /a", "begin /b", "begin /c", "200 /a", "200 /b", "begin /d", "begin /e"]
        ),
        Row(
            "what came waits before what comes",
            [.came(get("/a") + get("/b") + get("/c") + get("/d")), .came(get("/e")), .answered("/a"), .answered("/b")],
            ["begin /a", "begin /b", "begin /c", "200 /a", "begin /d", "200 /b", "begin /e"]
        ),
    ]

    @Test(
        arguments: [
            ([.came(get("/a"))], true), ([.came(get("/a") + get("/b"))], true), ([], false),
            ([.came(get("/a") + get("/b") + get("/c"))], false), ([.came(get("/a")), .answered("/a")], false),
            ([.came(get("/a") + "GET")], false), ([.came(post("/a", 2))], false), ([.came(post("/a", 2, "hi"))], false),
            ([.came(get("/a", close))], false), ([.came(socket)], false), ([.came(get("/a") + post("/b", 0))], false),
            ([.came(get("/a")), .inputEnded], false), ([.came(get("/a")), .blocked(true)], false),
        ] as [([ConnectionEvent], Bool)]
    )
    func `nothing is to be done while whole requests are answered`(events: [ConnectionEvent], isAtRest: Bool) {
        let owner = Owner(window: 3)
        for event in events { owner.run(event) }
        #expect(owner.isAtRest == isAtRest)
    }

    @Test(arguments: pipelining) func `requests run together as far as they may`(row: Row) { check(row, window: 3) }

    private static let endings = [
        Row(
            "the last request of a client that asks for the end",
            [.came(get("/a", close)), .answered("/a")],
            ["begin /a", "200 /a, close", "finish"]
        ),
        Row(
            "more was sent behind it",
            [.came(get("/a", close) + get("/b")), .answered("/a"), .inputEnded],
            ["begin /a", "200 /a, close", "linger", "cut"]
        ),
        Row(
            "more was sent while it was held",
            [
                .came(post("/a", 0) + get("/b", close) + get("/c")),
                .answered("/a"), .answered("/b"),
            ],
            ["begin /a", "200 /a", "begin /b", "200 /b, close", "linger"]
        ),
        Row(
            "an answer that cannot be completed",
            [.came(get("/a") + get("/b")), .aborted("/a"), .answered("/b")],
            ["begin /a", "begin /b", "cut"]
        ),
        Row(
            "output that waits is sent before the end",
            [.came(get("/a", close)), .blocked(true), .answered("/a"), .passed(1), .blocked(false)],
            ["begin /a", "200 /a, close", "finish"]
        ),
        Row(
            "bytes that come while lingering are dropped so far",
            [.came(get("/a") + "GET /\r\n\r\n"), .answered("/a"), .cameBytes(262_000), .cameBytes(1000)],
            ["begin /a", "200 /a", "400, close", "linger", "cut"]
        ),
        Row(
            "time while lingering is bounded",
            [.came("GET /\r\n\r\n"), .passed(1.9), .cameBytes(9), .passed(0.2)],
            ["400, close", "linger", "cut"]
        ),
    ]

    @Test(arguments: endings) func `a connection ends so that its last answer arrives`(row: Row) { check(row) }

    private static let bodies = [
        Row(
            "a client is bidden when its body is wanted",
            [.came(post("/a", 2, "", expect)), .wanted("/a"), .came("hi"), .answered("/a")],
            ["begin /a", "continue", "body /a hi", "complete /a", "200 /a"]
        ),
        Row(
            "a client that was not bidden may send whatever it likes next",
            [.came(post("/a", 2, "", expect)), .answered("/a")],
            ["begin /a", "200 /a, close", "linger"]
        ),
        Row(
            "a client that sends unbidden needs no bidding",
            [.came(post("/a", 2, "h", expect)), .answered("/a"), .came("i")],
            ["begin /a", "body /a h", "200 /a", "body /a i", "complete /a"]
        ),
        Row(
            "bidding has its turn",
            [
                .came(get("/a") + get("/b", expect + "Content-Length: 2\r\n")), .wanted("/b"),
                .answered("/a"), .came("hi"), .answered("/b"),
            ],
            ["begin /a", "begin /b", "200 /a", "continue", "body /b hi", "complete /b", "200 /b"]
        ),
        Row(
            "who is answered before the bidding had its turn was not bidden",
            [
                .came(get("/a") + get("/b", expect + "Content-Length: 2\r\n")), .wanted("/b"), .answered("/b"),
                .answered("/a"),
            ],
            ["begin /a", "begin /b", "200 /a", "200 /b, close", "linger"]
        ),
        Row(
            "the rest of a short body is dropped",
            [.came(post("/a", 2)), .answered("/a"), .came("hi" + get("/b"))],
            ["begin /a", "200 /a", "body /a hi", "complete /a", "begin /b"]
        ),
        Row(
            "the rest of a long one is not waited for",
            [.came(post("/a", 1_000_000)), .answered("/a")],
            ["begin /a", "200 /a, close", "linger"]
        ),
        Row(
            "of one without a length so much is dropped",
            [.came(chunked("/a", "ffff0\r\n")), .answered("/a"), .cameBytes(262_144), .cameBytes(1)],
            ["begin /a", "200 /a", "body /a …x", "linger"]
        ),
        Row(
            "a broken one is answered for its handler",
            [.came(chunked("/a", "2\r\nhello")), .answered("/a")],
            ["begin /a", "body /a he", "400 /a, close", "linger"]
        ),
        Row(
            "a broken one that has its answer has no other",
            [.came(chunked("/a", "")), .answered("/a"), .came("x")],
            ["begin /a", "200 /a", "linger"]
        ),
        Row(
            "a client that stops amid a body is gone for its reader",
            [.came(post("/a", 2, "h")), .inputEnded, .answered("/a")],
            ["begin /a", "body /a h", "gone /a", "200 /a, close", "finish"]
        ),
    ]

    @Test(arguments: bodies) func `bodies are bidden for, dropped and refused`(row: Row) { check(row) }

    private static let protocols = [
        Row(
            "what follows an upgrade waits for it, and is the other protocol's",
            [
                .came(socket + "hello"), .came(" "), .switched("/socket"), .came("world"), .passed(100_000),
                .inputEnded, .answered("/socket"),
            ],
            ["begin /socket", "body /socket hello world", "gone /socket", "200 /socket, close", "finish"]
        ),
        Row(
            "what follows a refused upgrade is a request",
            [.came(socket + get("/b")), .answered("/socket")],
            ["begin /socket", "200 /socket", "begin /b"]
        ),
        Row(
            "a client that leaves before the upgrade",
            [
                .came(socket), .inputEnded, .switched("/socket"),
                .answered("/socket"),
            ],
            ["begin /socket", "200 /socket, close", "finish"]
        ),
    ]

    @Test(arguments: protocols) func `another protocol follows an upgrade only`(row: Row) { check(row) }

    private static let refusals = [
        Row(
            "the last word comes behind the answers before it",
            [.came(get("/a") + get("/b") + "GET /\r\n\r\n" + get("/c")), .answered("/b"), .answered("/a")],
            ["begin /a", "begin /b", "200 /a", "200 /b", "400, close", "linger"]
        ),
        Row(
            "requests in flight are answered after the client has finished sending",
            [.came(get("/a") + get("/b")), .inputEnded, .answered("/b"), .passed(0.9), .answered("/a")],
            ["begin /a", "begin /b", "200 /a", "200 /b, close", "finish"]
        ),
        Row(
            "one that was held is, too",
            [.came(get("/a") + post("/b", 0)), .inputEnded, .answered("/a"), .answered("/b")],
            ["begin /a", "200 /a", "begin /b", "200 /b, close", "finish"]
        ),
        Row("but not after a while", [.came(get("/a")), .passed(5), .inputEnded, .passed(1.1)], ["begin /a", "cut"]),
        Row("nothing is in flight", [.came("GET /"), .inputEnded], ["finish"]),
    ]

    @Test(arguments: refusals) func `nothing overtakes the answers that are owed`(row: Row) { check(row) }

    // MARK: Time

    private static let times = [
        Row("a connection that says nothing", [.passed(9.9), .passed(0.2)], ["finish"]),
        Row(
            "a head has its time from the first byte on",
            [.passed(9), .came("G"), .passed(6), .came("ET /"), .passed(3.9), .came("a"), .passed(0.2)],
            ["408, close", "linger"]
        ),
        Row(
            "so has the next one",
            [
                .came(get("/a")), .answered("/a"), .passed(60), .came("G"), .passed(9.9),
                .came("E"), .passed(0.2),
            ],
            ["begin /a", "200 /a", "408, close", "linger"]
        ),
        Row(
            "a line end too many is no beginning",
            [
                .came(get("/a") + "\r"), .answered("/a"), .came("\n"), .passed(20), .came(get("/b")), .answered("/b"),
                .came("\r\n"), .passed(74.9), .passed(0.2),
            ],
            ["begin /a", "200 /a", "begin /b", "200 /b", "finish"]
        ),
        Row("two of them are a fault", [.came("\r\n"), .came("\r\n")], ["400, close", "linger"]),
        Row(
            "between requests there is more",
            [.came(get("/a")), .answered("/a"), .passed(74.9), .passed(0.2)],
            ["begin /a", "200 /a", "finish"]
        ),
        Row(
            "a body that stops",
            [.came(post("/a", 9, "x")), .passed(29.9), .passed(0.2)],
            ["begin /a", "body /a x", "408 /a, close", "linger"]
        ),
        Row(
            "a body that trickles",
            [
                .came(post("/a", 9, "x")), .passed(29), .came("y"), .passed(0.9), .came("z"),
                .passed(0.2),
            ],
            ["begin /a", "body /a xyz", "408 /a, close", "linger"]
        ),
        Row(
            "a body that comes fast enough",
            [
                .came(post("/a", 1_000_000)), .passed(20), .cameBytes(10_000),
                .passed(29), .cameBytes(10_000), .passed(29),
            ],
            ["begin /a", "body /a ……"]
        ),
        Row(
            "a handler that does not answer",
            [.came(get("/a")), .passed(119), .passed(2)],
            ["begin /a", "500 /a, close", "linger"]
        ),
        Row(
            "a client that does not read",
            [.came(get("/a")), .answered("/a"), .blocked(true), .passed(29), .passed(2)],
            ["begin /a", "200 /a", "cut"]
        ),
        Row(
            "a client that reads a byte now and then",
            [
                .came(get("/a")), .answered("/a"), .blocked(true), .passed(29),
                .sent(1), .passed(2),
            ],
            ["begin /a", "200 /a", "cut"]
        ),
        Row(
            "a client that reads",
            [
                .came(get("/a")), .answered("/a"), .blocked(true), .passed(29), .sent(100_000),
                .passed(29), .blocked(false), .passed(70),
            ],
            ["begin /a", "200 /a"]
        ),
        Row(
            "a server that drains waits less for a request",
            [
                .came(get("/a")), .answered("/a"), .passed(60), .drained,
                .passed(0.4), .passed(0.2),
            ],
            ["begin /a", "200 /a", "finish"]
        ),
        Row(
            "and says with the last answer that it is the last",
            [
                .came(get("/a") + get("/b")), .drained,
                .answered("/a"), .answered("/b"),
            ],
            ["begin /a", "begin /b", "200 /a", "200 /b, close", "linger"]
        ),
    ]

    @Test(arguments: times) func `each thing is waited for as long as it may take`(row: Row) { check(row) }

    // MARK: Cuts

    private static let conversation =
        get("/a") + get("/b", "X: y\r\n") + chunked("/c", "5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nT: 1\r\n\r\n")
        + post("/d", 2, "hi") + get("/e") + "GET /f\r\n\r\n"

    @Test(arguments: [false, true]) func `it does not matter how the network cuts the bytes`(answersAtOnce: Bool) {
        func record(_ pieces: [ArraySlice<UInt8>]) -> [String] {
            let owner = Owner(answersAtOnce: answersAtOnce)
            for piece in pieces { owner.run(.came(String(decoding: piece, as: UTF8.self))) }
            if !answersAtOnce { for path in ["/b", "/a", "/c", "/d", "/e"] { owner.run(.answered(path)) } }
            return owner.record
        }
        let bytes = Array(Self.conversation.utf8)
        let whole = record([bytes[...]])
        #expect(whole.suffix(3) == ["200 /e", "400, close", "linger"])
        #expect(whole.contains("body /c hello world"))
        for cut in 1..<bytes.count { #expect(record([bytes[..<cut], bytes[cut...]]) == whole) }
        #expect(record(bytes.indices.map { bytes[$0...$0] }) == whole)
    }
}

@Suite struct PatienceTests {
    private let start = Instant.origin + .seconds(1000)

    @Test(arguments: [
        (Patience.Wait.head, 10.0), (.body, 30), (.answer, 120), (.lastAnswer, 1), (.write, 30), (.linger, 2),
    ])
    func `each wait has its time, and a timer that is armed once misses none`(wait: Patience.Wait, seconds: Double) {
        var patience = Patience(HTTPServerConfiguration(), now: start)
        #expect(patience.deadline == start + .seconds(10))
        let alarm = patience.alarm(now: start)
        let now = start + .seconds(1)
        let isSooner = patience.turn(to: wait, now: now)
        #expect(patience.deadline == now + .seconds(seconds))
        #expect(isSooner || alarm <= patience.deadline)
        let isSoonerAgain = patience.turn(to: wait, now: now + .seconds(1))
        #expect(!isSoonerAgain && patience.since == now)
        patience.turn(to: .request, now: now)
        #expect(patience.deadline == now + .seconds(75))
        patience.drainBegan(now: now)
        #expect(patience.deadline == now + .milliseconds(500))
        #expect(patience.alarm(now: now) == patience.deadline)
    }

    @Test func `what was used up of a pace is kept until the next body`() {
        var patience = Patience(HTTPServerConfiguration(), now: start)
        patience.bodyBegan()
        patience.turn(to: .body, now: start)
        patience.turn(to: .answer, now: start + .seconds(20))
        patience.turn(to: .body, now: start + .seconds(50))
        #expect(patience.deadline == start + .seconds(60))
        patience.received(2560, now: start + .seconds(50))
        #expect(patience.deadline == start + .seconds(70))
        patience.bodyBegan()
        #expect(patience.deadline == start + .seconds(80))
    }
}
