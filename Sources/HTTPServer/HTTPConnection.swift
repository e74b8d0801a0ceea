internal import HTTPBodies
internal import HTTPWire
internal import Reactor

/// One connection of a client: bytes in, requests to the handler, answers in order, bytes out.
///
///     open ──last answer given──▶ closing ──output sent──▶ lingering ──client closes or time is up──▶ closed
///
/// Callbacks only change state and mark the connection; ``turnEnds()`` then sends, resumes reading and sets watchers
/// and deadline from the state, in one place. Only a callback of the loop can close the connection, never a call from
/// a handler, so a handler that is being called need not fear for the connection beneath it.
@ReactorActor
final class HTTPConnection {
    enum Phase {
        case open
        /// No more requests; after the output is sent, the connection closes, or lingers first.
        case closing(lingers: Bool)
        /// Everything is sent and the client was told so; what it still sends is dropped, within bounds.
        case lingering
        case closed
    }

    /// What the connection waits for, and so which timeout applies.
    enum Wait {
        /// The first byte of a request.
        case request
        /// The rest of a head.
        case head
        /// More of a body.
        case body
        /// The handler.
        case answer
        /// The client, which must read what was sent.
        case write
        /// The client's close.
        case linger
    }

    /// Bytes dropped while lingering, or of a body that nobody wants, before the connection is cut: more than any
    /// client has in flight that has not yet seen the answer.
    static let droppedLimitBytes = 256 * 1024

    /// Bytes sent in one turn before other connections get theirs: some 100 µs of copying in the kernel.
    private static let turnBudgetBytes = 256 * 1024

    let server: HTTPServer
    let configuration: HTTPServerConfiguration
    /// Whether it is beyond the limit, and only learns so.
    let isRefused: Bool
    private var stream: ByteStream
    private var watcher: IOWatcher?
    private var timer: Timer?

    var phase = Phase.open
    var parser: RequestParser
    /// Requests that are not answered in full, in order.
    var exchanges: [HTTPExchange] = []
    /// The one among the requests whose body is still arriving; its answer may be complete already.
    var receiving: HTTPExchange?
    /// Takes what the client sends once another protocol is spoken.
    var tunnel: HTTPBody?
    /// A request that waits for earlier ones, because it or one of them is not safe to run beside others.
    var held: RequestHead?
    /// The last word on this connection, sent when the requests before it are answered.
    var refusal: HTTPResponse?
    /// Bytes that were read and wait for room in the pipeline.
    var unparsed: [UInt8] = []
    /// Whether the client has finished sending.
    var hasEnded = false
    /// Whether nothing that is read means anything any more.
    var ignoresInput = false
    /// Whether bytes of the read that is being parsed are left.
    var hasMoreInput = false
    private var droppedBytes = 0

    private var output = OutputQueue()
    private var isOutputBlocked = false
    /// Whether the last attempt to send left something.
    private var isOutputLeft = false
    /// What ``HTTPServer/heldBytes`` knows of.
    private var countedBytes = 0
    private var turn = Reactor.now
    private var sentThisTurnBytes = 0

    private var wait = Wait.request
    private var waitStart = Reactor.now
    /// Whether not even the first byte of a request has come.
    private var isFresh = true
    /// How fast the body comes that is received.
    var bodyPace = Pace()
    /// How fast output goes that the socket had no room for.
    private var outputPace = Pace()
    private var isMarked = false

    init(_ stream: consuming ByteStream, server: HTTPServer, isRefused: Bool) {
        let number = stream.number
        self.stream = stream
        self.server = server
        self.isRefused = isRefused
        configuration = server.configuration
        parser = RequestParser(limits: configuration.limits)
        parser.isBodyUnlimited = { [unowned server] head in server.streamsBody(of: head) }
        // Unowned: both are dropped in `close`, before this object can go.
        watcher = IOWatcher(descriptor: number, for: .read) { [unowned self] in becameReady($0) }
        timer = Timer { [unowned self] in timePassed() }
        armTimer()
    }

    var isClosed: Bool {
        if case .closed = phase { true } else { false }
    }

    var peerAddress: SocketAddress? { stream.peerAddress }

    /// The numeric host of the client; asked of the kernel once.
    private(set) lazy var peerHost: String? = peerAddress?.numericHost

    /// Whether nobody on the way can read what is sent.
    var isSecure: Bool { stream.isSecure }

    /// Whether it cannot take requests yet.
    var isHandshaking: Bool { !isClosed && !stream.isEstablished }

    // MARK: Events

    private func becameReady(_ readiness: Readiness) {
        if readiness.contains(.write) { isOutputBlocked = false }
        if readiness.contains(.read) { receive() }
        mark()
    }

    /// One read a turn: the loop asks again if there is more, after the other connections had theirs.
    private func receive() {
        switch server.readBuffer.read(from: stream) {
        case .bytes(let count):
            if ignoresInput {
                drop(count)
            } else {
                server.readBuffer.withBytes(count) { take($0) }
            }
            // No event would come to say so.
            if stream.hasEnded, !hasEnded { inputEnded() }
        case .wouldBlock: break
        case .endOfStream: inputEnded()
        case .failed:
            if isHandshaking { server.handshakeFailed() }
            close()
        }
    }

    private func drop(_ count: Int) {
        droppedBytes += count
        if droppedBytes > Self.droppedLimitBytes { close() }
    }

    /// Does what this turn caused. Every change of state ends here, by way of ``mark()``.
    func turnEnds() {
        isMarked = false
        guard !isClosed else { return }
        resumeParsing()
        let wasPaused = isPaused
        flush()
        if giveUpSocket() { return }
        settle()
        // What was waiting for room in the output has it now, and no event would come to say so.
        if wasPaused, !isPaused { mark() }
        countBytes()
    }

    /// The memory that waits here for the client: for it to read, or to send the rest.
    private var heldBytes: Int {
        guard !isClosed else { return 0 }
        let ofExchanges = exchanges.reduce(0) { $0 + $1.heldBytes }
        return output.heldBytes + stream.unsentBytes + unparsed.capacity + parser.heldBytes + ofExchanges
    }

    private func countBytes() {
        let bytes = heldBytes
        guard bytes != countedBytes else { return }
        server.heldBytes += bytes - countedBytes
        countedBytes = bytes
    }

    /// Has ``turnEnds()`` called at the end of this turn.
    func mark() {
        guard !isMarked, !isClosed else { return }
        isMarked = true
        server.mark(self)
    }

    // MARK: Output

    /// Whether a streaming handler should go on writing.
    var hasRoom: Bool { output.byteCount < server.outputLimitBytes }

    /// Whether the client has enough to read. Until it has read, asking ahead gains it nothing, and costs memory here.
    var isOutputLate: Bool { isOutputLeft || output.byteCount >= HTTPServer.leastOutputLimitBytes }

    func append(_ write: (inout [UInt8]) -> Void) {
        output.append(write)
        mark()
    }

    func append(_ bytes: [UInt8]) {
        output.append(bytes)
        mark()
    }

    private func flush() {
        if turn != Reactor.now {
            turn = Reactor.now
            sentThisTurnBytes = 0
        }
        if !isAllSent, !isOutputBlocked {
            let before = output.byteCount
            let outcome = output.send(to: stream, budgetBytes: Self.turnBudgetBytes - sentThisTurnBytes)
            sentThisTurnBytes += before - output.byteCount
            if output.byteCount < before {
                progressed(.write, bytes: before - output.byteCount)
                // A long stream is an answer that goes on.
                progressed(.answer)
            }
            switch outcome {
            case .sentAll: outputPace = Pace()
            case .stopped: isOutputBlocked = true
            case .failed: return close()
            }
            isOutputLeft = isOutputBlocked
            if case .streamed(let writer)? = exchanges.first?.answer { writer.roomAppeared() }
        }
        if isAllSent, case .closing(let lingers) = phase { outputEnded(lingers: lingers) }
    }

    /// Whether the kernel has all of the output.
    private var isAllSent: Bool { output.isEmpty && !stream.hasUnsent }

    /// Everything is sent on a connection that closes.
    private func outputEnded(lingers: Bool) {
        // One that is cut short is not finished, and so the client can tell.
        if lingers || hasEnded { stream.finish() }
        guard lingers, !hasEnded else { return close() }
        phase = .lingering
        ignoresInput = true
        unparsed = []
    }

    // MARK: Watching and waiting

    /// Brings the watcher and the deadline in line with the state.
    private func settle() {
        guard !isClosed else { return }
        var interest: Readiness = []
        if !hasEnded, ignoresInput || !isPaused { interest.insert(.read) }
        if isOutputBlocked { interest.insert(.write) }
        if interest.isEmpty { watcher?.stop() } else { watcher?.watch(for: interest) }
        begin(currentWait)
    }

    /// Begins to wait for `wait`, unless it does already.
    func begin(_ wait: Wait) {
        guard wait != self.wait else { return }
        progressed(self.wait)
        self.wait = wait
        isFresh = false
        // These are shorter than what the timer is armed for.
        if wait == .linger || hasEnded { armTimer() }
    }

    /// What was waited for made progress: its time starts anew.
    func progressed(_ wait: Wait, bytes: Int = 0) {
        guard wait == self.wait else { return }
        switch wait {
        case .body: bodyPace.moved(bytes, after: Reactor.now - waitStart)
        case .write: outputPace.moved(bytes, after: Reactor.now - waitStart)
        case .request, .head, .answer, .linger: break
        }
        waitStart = Reactor.now
    }

    private var currentWait: Wait {
        if case .lingering = phase { return .linger }
        if isOutputBlocked { return .write }
        if receiving != nil, !isPaused, !hasEnded { return .body }
        if !exchanges.isEmpty || held != nil { return .answer }
        if !parser.isBetweenRequests { return .head }
        return .request
    }

    private var deadline: Instant {
        let limit =
            switch wait {
            case .request where server.isDraining: configuration.drainIdleTimeout
            case .request: isFresh ? configuration.headTimeout : configuration.keepAliveTimeout
            case .head: configuration.headTimeout
            case .body: bodyPace.patience(configuration.bodyTimeout, configuration.slowestBytesPerSecond)
            // Whoever passes a tunnel on judges its silence.
            case .answer where tunnel != nil && !hasEnded: Duration.seconds(1 << 30)
            case .answer: hasEnded ? configuration.halfClosedTimeout : configuration.answerTimeout
            case .write: outputPace.patience(configuration.writeTimeout, configuration.slowestBytesPerSecond)
            case .linger: configuration.lingerTimeout
            }
        return waitStart + limit
    }

    /// Lets the timer fire at the deadline, or earlier: a deadline that is set later is at least the shortest timeout
    /// away from then, so that a timer armed no further ahead than that never misses one. No request touches the timer.
    func armTimer() {
        let shortest = configuration.shortestTimeout
        let ahead = server.isDraining ? min(shortest, configuration.drainIdleTimeout) : shortest
        timer?.schedule(at: min(deadline, Reactor.now + ahead))
    }

    private func timePassed() {
        if deadline <= Reactor.now { lookOnceMore() }
        guard !isClosed else { return }
        guard deadline <= Reactor.now else { return armTimer() }
        switch wait {
        case .request:
            stream.finish()
            return close()
        case .write, .linger: return close()
        case .answer where hasEnded: return close()
        case .head: refuse(.headTimedOut)
        case .body:
            refuse(.bodyTimedOut, bodyError: .timedOut)
        case .answer:
            refuseUnanswered()
        }
        waitStart = Reactor.now
        armTimer()
        mark()
    }

    /// Reads before a client is called late: if the loop was, what the client sent in time is still unread.
    private func lookOnceMore() {
        switch wait {
        case .request, .head, .body:
            receive()
            mark()
            settle()
        case .answer, .write, .linger: break
        }
    }

    /// The server drains: idle connections have less time from now on, and answers without an end come to one.
    func drainBegan() {
        progressed(.request)
        armTimer()
        for exchange in exchanges { exchange.drainBegan() }
    }

    // MARK: Giving way

    /// How much it costs the others: what it holds, times how long the client has not moved.
    var burden: Double { Double(countedBytes) * ((Reactor.now - waitStart) / .milliseconds(1) + 1) }

    /// Since when it waits for a request, with nothing else to do; nil when it does not.
    var idleSince: Instant? {
        guard case .open = phase, wait == .request, output.isEmpty else { return nil }
        return waitStart
    }

    /// Closes, because the place is needed for somebody else, unless a request has come meanwhile.
    ///
    /// - Returns: Whether it is closed.
    func giveWay() -> Bool {
        let since = idleSince
        lookOnceMore()
        guard !isClosed, idleSince == since else { return isClosed }
        close()
        return true
    }

    // MARK: End

    /// Gives the socket to the answer that goes on without a connection, once its head is sent.
    ///
    /// - Returns: Whether it has.
    private func giveUpSocket() -> Bool {
        guard case .open = phase, isAllSent, case .pushed(let push)? = exchanges.first?.answer, push.isHeadWritten
        else { return false }
        let exchange = exchanges.removeFirst()
        server.pushBegan(push)
        push.begin(stream.take(), server)
        exchange.detach()
        close()
        return true
    }

    /// Ends the connection at once, whatever its state.
    func close() {
        guard !isClosed else { return }
        phase = .closed
        watcher = nil
        timer = nil
        stream.close()
        output.clear()
        unparsed = []
        held = nil
        refusal = nil
        let abandoned = exchanges
        exchanges = []
        let body = receiving?.request.body
        receiving = nil
        countBytes()
        for exchange in abandoned { server.abandoned(exchange) }
        server.closed(self)
        body?.fail(.cut)
        tunnel.take()?.fail(.cut)
        for exchange in abandoned {
            exchange.clientLeft()
            exchange.detach()
        }
    }
}
