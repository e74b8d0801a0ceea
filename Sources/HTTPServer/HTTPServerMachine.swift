internal import HTTPWire
internal import Reactor

/// What of a request decides about its connection.
struct RequestTerms {
    /// Whether it may run beside others.
    let isSafe: Bool
    /// Whether the client means to send another one behind it.
    let keepsAlive: Bool
    let framing: BodyFraming
    let expectsContinue: Bool
    let asksForUpgrade: Bool

    init(_ head: borrowing RequestHead) {
        isSafe = head.method.isSafe
        keepsAlive = head.keepsAlive
        framing = head.framing
        expectsContinue = head.expectsContinue
        asksForUpgrade = head.asksForUpgrade
    }
}

/// Decides what becomes of one connection of a client: which requests are handed over and when, whose answer is next,
/// what is waited for, and how the connection ends.
///
///     open ──last answer given──▶ closing ──output sent──▶ lingering ──client closes or time is up──▶ closed
///
/// Pure: what happened goes in, with the time where it matters, and what to do comes out. It knows no socket, timer or
/// handler, and never looks into an `Exchange`, which stands for a request at the owner of the machine.
///
/// What runs for each request is inlined where a call would be a good part of what it costs; for one that changes
/// nothing the compiler would even copy the machine.
struct HTTPServerMachine<Exchange: AnyObject>: ~Copyable {
    /// How a connection ends once all of its output is sent.
    enum Ending {
        /// At once, so that the client can tell that its answer is not whole.
        case cut
        /// With the word that it is the end.
        case finish
        /// The same, but what the client still sends is read and dropped for a while, within bounds: closing at once
        /// would make the kernel send a reset, which can overtake and destroy the answer.
        case linger
    }

    private enum Phase {
        case open
        /// No more is to be said.
        case closing(Ending)
        /// Everything is sent and the client was told so.
        case lingering
        case closed
    }

    /// What the bytes mean that the client sends.
    private enum Input {
        case requests
        /// A request that must wait for those in flight, and what is behind it for that one.
        indirect case held(RequestHead)
        case body(Body)
        /// They wait for the newest request to be answered, because they may belong to another protocol.
        case withheld
        /// Another protocol, which the answer of this request speaks.
        case tunnel(Exchange)
        /// Nothing any more.
        case ignored(droppedBytes: Int)
        /// The client has finished sending.
        case ended
    }

    /// A body that is being received. The answer of its request may be complete already.
    private struct Body {
        let exchange: Exchange
        let lengthBytes: Int?
        /// Whether another request may follow.
        let keepsAlive: Bool
        var bidding: Bidding
        var receivedBytes = 0

        /// Whether the rest is short enough to be read and dropped.
        var canDropRest: Bool {
            // A client that waits for 100 Continue may now send the body or the next request: who knows which.
            guard case .needless = bidding else { return false }
            return (lengthBytes ?? 0) - receivedBytes <= HTTPServerMachine.droppedLimitBytes
        }
    }

    /// Whether the client is to be told that it should send its body.
    private enum Bidding {
        /// It sends anyway.
        case needless
        /// It waits, and nobody wants the body yet.
        case unasked
        /// When the answers before are complete.
        case due
    }

    /// A request that is not answered in full.
    struct Request {
        let exchange: Exchange
        let isSafe: Bool
        let keepsAlive: Bool
        let hasBody: Bool
    }

    /// Bytes dropped while nothing means anything, or of a body that nobody wants, before the connection is cut: more
    /// than any client has in flight that has not yet seen the answer.
    static var droppedLimitBytes: Int { 256 * 1024 }

    /// Whether it is beyond the limit of connections, and only learns so.
    let isRefused: Bool
    private var phase = Phase.open
    private var parser: RequestParser
    private var input = Input.requests
    /// Bytes that were read and wait for room in the pipeline.
    private var unparsed: [UInt8] = []
    /// Whether bytes of the read that is being parsed are left.
    private var hasMoreInput = false
    /// In order: all of them safe, or a single one.
    private(set) var requests: [Request] = []
    /// The last word on this connection, for when the requests are answered.
    private var refusal: HTTPResponse?
    var patience: Patience

    /// - Parameter isBodyUnlimited: See ``RequestParser/isBodyUnlimited``.
    init(
        _ configuration: HTTPServerConfiguration,
        isRefused: Bool = false,
        isDraining: Bool = false,
        now: Instant,
        isBodyUnlimited: @escaping (RequestHead) -> Bool
    ) {
        self.isRefused = isRefused
        parser = RequestParser(limits: configuration.limits)
        parser.isBodyUnlimited = isBodyUnlimited
        patience = Patience(configuration, isDraining: isDraining, now: now)
    }

    // MARK: State

    var isClosed: Bool {
        if case .closed = phase { true } else { false }
    }

    /// Whether the client has finished sending.
    var isInputEnded: Bool {
        if case .ended = input { true } else { false }
    }

    /// The request whose answer is written next, or is being written.
    var oldest: Exchange? { requests.first?.exchange }

    /// Who takes what the client sends now, in place of the parser.
    var receiver: Exchange? {
        switch input {
        case .body(let body): body.exchange
        case .tunnel(let exchange): exchange
        case .requests, .held, .withheld, .ignored, .ended: nil
        }
    }

    /// What stood behind the last chunk of the body that is complete.
    var trailers: HTTPFields? { parser.trailers }

    /// The fields of a request that was refused for what its head says.
    var refusedFields: HTTPFields? { parser.refusedFields }

    /// Whether some of what came has still to be handed over.
    var isBehind: Bool {
        if case .held = input { true } else { !unparsed.isEmpty }
    }

    /// Whether there is something to parse. Also with no bytes: the parser may owe the end of a body.
    func isStepDue(unreadBytes: Int = 0) -> Bool {
        unreadBytes > 0 || !unparsed.isEmpty || !parser.isBetweenRequests
    }

    /// The memory that bytes take up which wait for room in the pipeline, or for the rest of a head.
    var heldBytes: Int { unparsed.capacity + parser.heldBytes }

    /// Since when it waits for a request, with nothing else to do; nil when it does not.
    var idleSince: Instant? {
        guard case .open = phase, case .request = patience.wait else { return nil }
        return patience.since
    }

    /// Whether all that came are requests without bodies, which are being answered: nothing that is read, watched or
    /// waited for changes by them.
    @inline(__always)
    func isAtRest(window: Int) -> Bool {
        guard case .requests = input, case .answer = patience.wait, unparsed.isEmpty, parser.isBetweenRequests,
            requests.count < window
        else { return false }
        return !requests.contains { $0.hasBody }
    }

    /// Whether nothing more is parsed until something else is done.
    ///
    /// - Parameter window: So many requests may be in flight, as far as the output and whoever reads a body have room.
    func isPaused(window: Int) -> Bool {
        if requests.count >= window { return true }
        return switch input {
        case .held, .withheld: true
        case .requests, .body, .tunnel, .ignored, .ended: false
        }
    }

    /// Whether the socket is to be read.
    func wantsInput(window: Int) -> Bool {
        switch input {
        case .requests, .body, .tunnel: requests.count < window
        // One read at most, so that a client that leaves is noticed.
        case .withheld: unparsed.isEmpty
        case .held, .ended: false
        case .ignored: true
        }
    }

    // MARK: Endings

    /// No more is to be said.
    mutating func end(_ ending: Ending) {
        guard case .open = phase else { return }
        phase = .closing(ending)
        ignoreInput()
    }

    /// All of the output is sent.
    ///
    /// - Returns: What to do if that was the last of it. The connection stays after ``Ending/linger``.
    mutating func outputSent() -> Ending? {
        guard case .closing(let ending) = phase else { return nil }
        guard case .linger = ending else { return ending }
        guard !isInputEnded else { return .finish }
        phase = .lingering
        return .linger
    }

    /// Nothing that the client sends means anything any more.
    ///
    /// - Returns: Who was the ``receiver``.
    @discardableResult
    mutating func ignoreInput() -> Exchange? {
        let receiver = receiver
        switch input {
        case .requests, .held, .body, .withheld, .tunnel: input = .ignored(droppedBytes: unparsed.count)
        case .ignored, .ended: break
        }
        unparsed = []
        return receiver
    }

    /// The connection is closed.
    ///
    /// - Returns: The requests that are not answered in full.
    mutating func close() -> [Request] {
        phase = .closed
        input = .ended
        unparsed = []
        refusal = nil
        var abandoned: [Request] = []
        swap(&abandoned, &requests)
        return abandoned
    }
}

// MARK: - From bytes to requests

extension HTTPServerMachine {
    /// What to do with what the client sent.
    enum InputAction {
        /// Nothing, until more comes or there is room for it.
        case wait
        /// A request begins: hand it over, after ``began(_:_:now:)``.
        case begin(RequestHead)
        /// A piece of a body, or of another protocol: offsets into the bytes given to this step.
        case deliver(Range<Int>, Exchange)
        /// The body is complete.
        case complete(Exchange)
        /// Answer in place of the handler: the request whose body was being received, or else by ``refuse(with:)``.
        case refuse(HTTPRefusal, Exchange?)
        /// Close at once: too much came that nobody wants.
        case close
    }

    /// Takes one step through what was read.
    ///
    /// - Parameter unread: Bytes that came and were not consumed by an earlier step.
    /// - Returns: The action, and how many bytes are used up, or kept here: with `wait`, all of them.
    @inline(__always)
    mutating func step(_ unread: Span<UInt8>, window: Int, now: Instant) -> (action: InputAction, consumed: Int) {
        hasMoreInput = false
        switch input {
        case .requests, .held, .body, .withheld, .tunnel: break
        case .ignored(var droppedBytes):
            droppedBytes += unread.count
            input = .ignored(droppedBytes: droppedBytes)
            return (droppedBytes > Self.droppedLimitBytes ? .close : .wait, unread.count)
        case .ended: return (.wait, unread.count)
        }
        guard !isPaused(window: window), unparsed.isEmpty else {
            unparsed.append(copying: unread)
            return (.wait, unread.count)
        }
        if case .tunnel(let exchange) = input { return (.deliver(unread.indices, exchange), unread.count) }
        do throws(HTTPParseError) {
            let (action, consumed) = try parser.step(unread)
            hasMoreInput = consumed < unread.count
            switch consume action {
            case .needMoreBytes: return (.wait, consumed)
            case .deliverBody(let range): return (received(range, now: now), consumed)
            case .finishRequest: return (bodyEnded(), consumed)
            case .deliverHead(let head):
                guard let last = requests.last, !last.isSafe || !head.method.isSafe else {
                    return (.begin(head), consumed)
                }
                input = .held(head)
                unparsed.append(copying: unread.extracting(consumed...))
                return (.wait, unread.count)
            }
        } catch {
            hasMoreInput = !unread.isEmpty
            return (.refuse(.malformed(error), ignoreInput()), unread.count)
        }
    }

    /// Takes out what has to be parsed before anything else that comes.
    mutating func takeUnparsed() -> [UInt8] {
        var bytes: [UInt8] = []
        swap(&bytes, &unparsed)
        return bytes
    }

    /// Takes out the request that waited for others, once they are answered.
    mutating func takeHeld() -> RequestHead? {
        guard case .held(let head) = input, requests.isEmpty else { return nil }
        input = .requests
        return head
    }

    /// A request is in flight, as `exchange`.
    @inline(__always)
    mutating func began(_ exchange: Exchange, _ terms: RequestTerms, now: Instant) {
        patience.turn(to: .answer, now: now)
        let hasBody = terms.framing.hasBytes
        requests.append(
            Request(exchange: exchange, isSafe: terms.isSafe, keepsAlive: terms.keepsAlive, hasBody: hasBody)
        )
        guard case .requests = input else { return }
        if hasBody {
            let length: Int? = if case .length(let count) = terms.framing { count } else { nil }
            let bidding = terms.expectsContinue ? Bidding.unasked : .needless
            input = .body(Body(exchange: exchange, lengthBytes: length, keepsAlive: terms.keepsAlive, bidding: bidding))
            patience.bodyBegan()
        } else if terms.asksForUpgrade {
            // Here, and not by whoever passes the request on: that may be later, when more is parsed.
            input = .withheld
        } else if !terms.keepsAlive {
            ignoreInput()
        }
    }

    private mutating func received(_ range: Range<Int>, now: Instant) -> InputAction {
        guard case .body(var body) = input else { preconditionFailure("a body comes behind its head") }
        patience.received(range.count, now: now)
        body.receivedBytes += range.count
        body.bidding = .needless
        input = .body(body)
        if body.receivedBytes > Self.droppedLimitBytes, !requests.contains(where: { $0.exchange === body.exchange }) {
            end(.linger)
        }
        return .deliver(range, body.exchange)
    }

    private mutating func bodyEnded() -> InputAction {
        guard case .body(let body) = input else { preconditionFailure("a body ends that has begun") }
        if body.keepsAlive { input = .requests } else { ignoreInput() }
        return .complete(body.exchange)
    }

    /// Has `response` sent behind the answers to the requests in flight, as the last word.
    mutating func refuse(with response: HTTPResponse) { refusal = response }

    /// The client has finished sending, and nothing ``isBehind``. It may still read: answers that come soon are sent.
    ///
    /// - Returns: Whether the connection is to be closed; else whoever was the ``receiver`` is to be told.
    mutating func inputEnded() -> Bool {
        input = .ended
        unparsed = []
        if case .lingering = phase { return true }
        if requests.isEmpty { end(.finish) }
        return false
    }

    /// The answer of `exchange` has begun, and what follows is for it.
    mutating func tunnelBegan(_ exchange: Exchange) {
        switch input {
        case .withheld: input = .tunnel(exchange)
        case .ignored, .ended: break
        case .requests, .held, .body, .tunnel: preconditionFailure("what follows the request has been taken for HTTP")
        }
    }
}

// MARK: - From answers to bytes

extension HTTPServerMachine {
    /// The request whose answer is to be written, as far as it is there.
    var turn: Exchange? {
        if case .open = phase { oldest } else { nil }
    }

    /// There is no such request: if that was all, the connection comes to its end.
    ///
    /// - Returns: What is to be written last, if there is something.
    mutating func takeLastWord() -> HTTPResponse? {
        guard case .open = phase else { return nil }
        switch input {
        case .requests, .held, .body, .withheld, .tunnel: return nil
        // The client asked to close, or was refused.
        case .ignored: end(.linger)
        case .ended: end(.finish)
        }
        return refusal.take()
    }

    /// Whether another answer may follow the one to the oldest request.
    @inline(__always)
    var keepsAlive: Bool {
        guard let oldest = requests.first, oldest.keepsAlive, !isRefused else { return false }
        switch input {
        case .ignored, .ended: return requests.count > 1 || refusal != nil
        case .body(let body) where body.exchange === oldest.exchange && !body.canDropRest: return false
        case .held: return true
        case .requests, .body, .withheld, .tunnel: break
        }
        // While draining, the last of the requests that are here carries the word that no more are taken.
        return !patience.isDraining || requests.count > 1 || hasMoreInput || !unparsed.isEmpty
    }

    /// The oldest request is answered in full.
    mutating func answered(keepsAlive: Bool) {
        // Mostly it is the only one.
        let request = requests.count == 1 ? requests.removeLast() : requests.removeFirst()
        if !keepsAlive { end(request.keepsAlive || isMoreSent ? .linger : .finish) }
        if case .withheld = input, requests.isEmpty { input = .requests }
    }

    /// Whether the client has sent more than what is parsed, or may be doing so.
    private var isMoreSent: Bool {
        switch input {
        case .ignored(droppedBytes: 0), .ended: hasMoreInput
        case .requests, .held, .body, .withheld, .tunnel, .ignored: true
        }
    }

    /// The handler of `exchange` wants its body.
    ///
    /// - Returns: Whether the client is to be bidden to send it now.
    mutating func wantsBody(_ exchange: Exchange) -> Bool {
        guard case .body(var body) = input, body.exchange === exchange, body.bidding != .needless else { return false }
        let isDue = oldest === exchange
        body.bidding = isDue ? .needless : .due
        input = .body(body)
        return isDue
    }

    /// Whether the client is to be bidden now to send the body of the oldest request, which was asked for before.
    mutating func takeBidding() -> Bool {
        guard case .body(let body) = input, case .due = body.bidding else { return false }
        return wantsBody(body.exchange)
    }
}

// MARK: - Time

extension HTTPServerMachine {
    /// What to do because time has passed.
    enum TimeAction {
        case wait
        /// Answer in place of the handler, as for ``InputAction/refuse(_:_:)``.
        case refuse(HTTPRefusal, Exchange?)
        /// Give up on the handler of the first; nothing more comes of the body of the second.
        case giveUp(Exchange, Exchange?)
        /// Close now.
        case end(Ending)
    }

    /// Finds out what is waited for.
    ///
    /// - Returns: Whether the timer is to be set anew.
    @inline(__always)
    mutating func settle(isOutputBlocked: Bool, window: Int, now: Instant) -> Bool {
        patience.turn(to: wait(isOutputBlocked, window), now: now)
    }

    private func wait(_ isOutputBlocked: Bool, _ window: Int) -> Patience.Wait {
        if case .lingering = phase { return .linger }
        if isOutputBlocked { return .write }
        switch input {
        case .ended: return .lastAnswer
        case .tunnel: return .tunnel
        case .body where !isPaused(window: window): return .body
        case .held: return .answer
        case .requests, .body, .withheld, .ignored: break
        }
        if !requests.isEmpty { return .answer }
        return parser.isBetweenRequests ? .request : .head
    }

    /// The time may have come at which what is waited for is late.
    mutating func timePassed(now: Instant) -> TimeAction {
        guard patience.deadline <= now else { return .wait }
        let wait = patience.wait
        patience.startAnew(now: now)
        switch wait {
        case .request: return .end(.finish)
        case .head: return .refuse(.headTimedOut, ignoreInput())
        case .body: return .refuse(.bodyTimedOut, ignoreInput())
        case .answer:
            guard let oldest else { return .end(.cut) }
            return .giveUp(oldest, ignoreInput())
        case .tunnel: return .wait
        case .lastAnswer, .write, .linger: return .end(.cut)
        }
    }
}

extension HTTPMethod {
    /// Whether the request is essentially read-only (RFC 9110 §9.2.1), and so may run beside others (RFC 9112 §9.3.2).
    fileprivate var isSafe: Bool {
        switch self {
        case .get, .head, .options, .trace: true
        default: false
        }
    }
}
