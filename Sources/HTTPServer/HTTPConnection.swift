internal import HTTPBodies
internal import HTTPWire
internal import Reactor

/// One connection of a client: bytes in, requests to the handler, answers in order, bytes out.
///
/// It has the socket, its watcher and the timer, and does what ``HTTPServerMachine`` decides. Callbacks only tell the
/// machine what happened and mark the connection; ``turnEnds()`` then sends, resumes reading and sets watchers and
/// deadline, in one place. Only a callback of the loop can close the connection, never a call from a handler, so a
/// handler that is being called need not fear for the connection beneath it.
@ReactorActor
final class HTTPConnection {
    let server: HTTPServer
    var machine: HTTPServerMachine<HTTPExchange>
    private var stream: ByteStream
    private var watcher: IOWatcher?
    private var timer: Timer?
    private var output = OutputQueue()
    /// What ``HTTPServer/heldBytes`` knows of.
    private var countedBytes = 0
    private var isMarked = false

    init(_ stream: consuming ByteStream, server: HTTPServer, isRefused: Bool) {
        let number = stream.number
        self.stream = stream
        self.server = server
        machine = HTTPServerMachine(
            server.configuration,
            isRefused: isRefused,
            isDraining: server.isDraining,
            now: Reactor.now
        ) { [unowned server] head in server.streamsBody(of: head) }
        // Unowned: both are dropped in `close`, before this object can go.
        watcher = IOWatcher(descriptor: number, for: .read) { [unowned self] in becameReady($0) }
        timer = Timer { [unowned self] in timePassed() }
        armTimer()
    }

    private var isClosed: Bool { machine.isClosed }

    var peerAddress: SocketAddress? { stream.peerAddress }

    /// The numeric host of the client; asked of the kernel once.
    private(set) lazy var peerHost: String? = peerAddress?.numericHost

    /// Whether nobody on the way can read what is sent.
    var isSecure: Bool { stream.isSecure }

    /// Whether it cannot take requests yet.
    var isHandshaking: Bool { !isClosed && !stream.isEstablished }

    // MARK: Events

    private func becameReady(_ readiness: Readiness) {
        if readiness.contains(.write) { output.becameReady() }
        if readiness.contains(.read) { receive() }
        if readiness != .read || !isAtRest { mark() }
    }

    /// Whether nothing is to be done before somebody answers.
    private var isAtRest: Bool {
        output.isEmpty && !stream.hasUnsent && !stream.hasEnded && machine.isAtRest(window: window)
    }

    /// One read a turn: the loop asks again if there is more, after the other connections had theirs.
    private func receive() {
        switch server.readBuffer.read(from: stream) {
        case .bytes(let count): server.readBuffer.withBytes(count) { take($0) }
        case .wouldBlock: break
        case .endOfStream: inputEnded()
        case .failed:
            if isHandshaking { server.handshakeFailed() }
            close()
        }
    }

    private func inputEnded() {
        // What came before is handed over first; the end is still there then.
        guard !machine.isBehind, !machine.isInputEnded else { return }
        let receiver = machine.receiver
        if machine.inputEnded() { close() } else { receiver?.inputEnded() }
    }

    /// Does what this turn caused. Every change of state ends here, by way of ``mark()``.
    func turnEnds() {
        isMarked = false
        guard !isClosed else { return }
        resume()
        // No event would come to say so.
        if stream.hasEnded { inputEnded() }
        let wasPaused = machine.isStepDue() && machine.isPaused(window: window)
        flush()
        guard !isClosed, !giveUpSocket() else { return }
        settle()
        // What was waiting for room in the output has it now, and no event would come to say so.
        if wasPaused, !machine.isPaused(window: window) { mark() }
        countBytes()
    }

    /// Has ``turnEnds()`` called at the end of this turn.
    func mark() {
        guard !isMarked, !isClosed else { return }
        isMarked = true
        server.mark(self)
    }

    /// The memory that waits here for the client: for it to read, or to send the rest.
    private var heldBytes: Int {
        guard !isClosed else { return 0 }
        var bytes = output.heldBytes + stream.unsentBytes + machine.heldBytes
        for request in machine.requests { bytes += request.exchange.heldBytes }
        return bytes
    }

    private func countBytes() {
        let bytes = heldBytes
        guard bytes != countedBytes else { return }
        server.heldBytes += bytes - countedBytes
        countedBytes = bytes
    }

    // MARK: Input

    /// How many requests may be in flight before no more is parsed; none while there is no room for what they cause.
    private var window: Int {
        if !hasRoom || machine.receiver?.input.isFull ?? false { return 0 }
        return output.isLate ? 1 : server.configuration.pipelineLimit
    }

    /// Goes on with what had to wait.
    private func resume() {
        if let head = machine.takeHeld() { begin(head) }
        guard machine.isStepDue(), !machine.isPaused(window: window) else { return }
        let bytes = machine.takeUnparsed()
        take(bytes.span)
    }

    private func take(_ bytes: Span<UInt8>) {
        let now = Reactor.now
        var position = 0
        while machine.isStepDue(unreadBytes: bytes.count - position) {
            let unread = bytes.extracting(position...)
            let (action, consumed) = machine.step(unread, window: window, now: now)
            position += consumed
            switch consume action {
            case .wait: return
            case .begin(let head): begin(head)
            case .deliver(let range, let exchange): exchange.input.receive(unread.extracting(range))
            case .complete(let exchange): exchange.request.body.finish(trailers: machine.trailers)
            case .refuse(let reason, let exchange): refuse(reason, exchange)
            case .close: return close()
            }
        }
    }

    private func begin(_ head: consuming RequestHead) {
        let terms = RequestTerms(head)
        let exchange = HTTPExchange(head, on: self)
        machine.began(exchange, terms, now: Reactor.now)
        server.opened(exchange)
        if server.admits(exchange, isRefused: machine.isRefused) {
            server.handle(exchange)
        } else {
            exchange.respond(server.refusal(.overloaded, exchange.request.head.fields))
        }
    }

    /// Answers `reason` in place of the handler of the request that was being read, and closes.
    private func refuse(_ reason: HTTPRefusal, _ exchange: HTTPExchange?) {
        // Its handler learns of it after the answer, which is thus not the handler's to give.
        let notify = exchange?.request.body.failing(reason.bodyError)
        let response = server.refusal(reason, exchange?.request.head.fields ?? machine.refusedFields)
        if let exchange {
            // If its answer is given already, that was the last word.
            exchange.refuse(response)
        } else {
            machine.refuse(with: response)
        }
        writeAnswers()
        notify?()
    }

    // MARK: Output

    /// Whether a streaming handler should go on writing.
    var hasRoom: Bool { output.byteCount < server.outputLimitBytes }

    func append(_ write: (inout [UInt8]) -> Void) {
        output.append(write)
        mark()
    }

    func append(_ bytes: [UInt8]) {
        output.append(bytes)
        mark()
    }

    /// Whether the kernel has all of the output.
    private var isAllSent: Bool { output.isEmpty && !stream.hasUnsent }

    private func flush() {
        if !isAllSent, !output.isBlocked {
            let now = Reactor.now
            guard let sentBytes = output.send(to: stream, turn: now) else { return close() }
            machine.patience.sent(sentBytes, isAll: !output.isBlocked, now: now)
            if case .streamed(let writer)? = machine.oldest?.answer { writer.roomAppeared() }
        }
        if isAllSent, let ending = machine.outputSent() { end(ending) }
    }

    private func end(_ ending: HTTPServerMachine<HTTPExchange>.Ending) {
        if ending != .cut { stream.finish() }
        if ending != .linger { close() }
    }

    /// Ends the connection when what is written is sent, so that the client can tell that its answer is not whole.
    func cut() {
        machine.end(.cut)
        mark()
    }

    // MARK: Watching and waiting

    /// Brings the watcher and the deadline in line with the state.
    private func settle() {
        guard !isClosed else { return }
        let window = window
        var interest: Readiness = []
        if machine.wantsInput(window: window) { interest.insert(.read) }
        if output.isBlocked { interest.insert(.write) }
        if interest.isEmpty { watcher?.stop() } else { watcher?.watch(for: interest) }
        if machine.settle(isOutputBlocked: output.isBlocked, window: window, now: Reactor.now) { armTimer() }
    }

    private func armTimer() { timer?.schedule(at: machine.patience.alarm(now: Reactor.now)) }

    private func timePassed() {
        if machine.patience.deadline <= Reactor.now { lookOnceMore() }
        guard !isClosed else { return }
        switch machine.timePassed(now: Reactor.now) {
        case .wait: break
        case .refuse(let reason, let exchange): refuse(reason, exchange)
        case .giveUp(let exchange, let receiver):
            // A response that has begun cannot be replaced.
            let refusal = server.refusal(.unanswered, exchange.request.head.fields)
            guard exchange.refuse(refusal) else { return close() }
            exchange.clientLeft()
            receiver?.input.fail(.cut)
        case .end(let ending): return end(ending)
        }
        armTimer()
        mark()
    }

    /// Reads before a client is called late: if the loop was, what the client sent in time is still unread.
    private func lookOnceMore() {
        guard machine.patience.isForInput else { return }
        receive()
        mark()
        settle()
    }

    /// The server drains: idle connections have less time from now on, and answers without an end come to one.
    func drainBegan() {
        machine.patience.drainBegan(now: Reactor.now)
        armTimer()
        for request in machine.requests { request.exchange.drainBegan() }
    }

    // MARK: Giving way

    /// How much it costs the others: what it holds, times how long the client has not moved.
    var burden: Double {
        Double(countedBytes) * ((Reactor.now - machine.patience.since) / .milliseconds(1) + 1)
    }

    /// Since when it waits for a request, with nothing else to do; nil when it does not.
    var idleSince: Instant? { output.isEmpty ? machine.idleSince : nil }

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

    /// An answer begins that has no end of its own. Its client may vanish without a word, as those do that lose their
    /// network; what is sent to it then fits into the kernel's buffers for hours, so only the kernel knows.
    func expectSignsOfLife() { stream.limitUnacknowledged(server.configuration.writeTimeout) }

    /// Gives the socket to the answer that goes on without a connection, once its head is sent.
    ///
    /// - Returns: Whether it has.
    private func giveUpSocket() -> Bool {
        guard isAllSent, let exchange = machine.oldest, case .pushed(let push) = exchange.answer, push.isHeadWritten
        else { return false }
        machine.answered(keepsAlive: false)
        server.pushBegan(push)
        push.begin(stream.take(), server)
        // The others were told when the draining began.
        if server.isDraining { push.finish() }
        exchange.detach()
        exchange.input.fail(.unwanted)
        close()
        return true
    }

    /// Ends the connection at once, whatever its state.
    func close() {
        guard !isClosed else { return }
        let abandoned = machine.close()
        watcher = nil
        timer = nil
        // An answer that ends with its connection would pass for whole (RFC 9112 §8).
        if abandoned.first?.exchange.endsWithConnection ?? false { stream.abort() } else { stream.close() }
        output = OutputQueue()
        countBytes()
        for request in abandoned { server.abandoned(request.exchange) }
        server.closed(self)
        for request in abandoned {
            request.exchange.input.fail(.cut)
            request.exchange.clientLeft()
            request.exchange.detach()
        }
    }
}
