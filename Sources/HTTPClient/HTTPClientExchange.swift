public import HTTPBodies
internal import HTTPWire
public import Reactor

/// One request on its way, and what has come back.
@ReactorActor
public final class HTTPClientExchange {
    enum Place {
        /// Not sent, or about to be told of its failure.
        case nowhere
        case waiting(RequestID)
        case on(ClientConnection)
        case ended
    }

    /// How long an upstream may think about `Expect: 100-continue`; then it gets the body (RFC 9110 §10.1.1).
    private static let continueTimeout = Duration.seconds(1)
    /// While nobody has taken what one read brought, no more is read.
    private static let windowBytes = 1
    /// A body that is announced to be no longer is waited for with its head.
    private static let shortBodyBytesMax = 16 * 1024

    let method: HTTPMethod
    let isIdempotent: Bool
    let isProbe: Bool
    let asksForUpgrade: Bool
    /// What stood behind the last chunk of the response, once it has ended; nil for nothing.
    var trailers: HTTPFields?
    var place = Place.nowhere
    /// When the upstream must have made its next move.
    private(set) var deadline: Instant
    /// When it was given to a connection.
    var sentAt = Instant.origin
    /// Whether it was sent once more already; once is all.
    var isRetried = false

    /// The request from its first byte; of one with a body that is read, what the kernel has not taken in full.
    private(set) var output: [UInt8]
    /// How many bytes of `output` the kernel has taken.
    private(set) var sentBytes = 0
    /// Whether the kernel has taken any byte, so that the upstream may have acted.
    private(set) var hasSentBytes = false
    /// Whether `output` holds the rest of the request.
    private(set) var isRequestComplete: Bool
    /// Whether `output` has held the whole request all the time, so that it can be sent again from its start.
    private let isReplayable: Bool
    /// What is still to come of the request.
    private var outgoing: HTTPBody?
    private var isPulling = false
    private var awaitsContinue: Bool
    private var continueTimer: Timer?
    /// How long the upstream has for the beginning of its response.
    private let patience: Duration

    /// Held until the end, so that a client that nobody else keeps still finishes what it began.
    private var client: HTTPClient?
    /// nil once it was told.
    private var done: (@ReactorActor (Result<HTTPClientResponse, HTTPClientError>) -> Void)?
    /// Whether the sender is told when the response begins, not when it is complete.
    private let isOpened: Bool
    private let wantsInterim: Bool
    private var silence: Duration?
    private var head: ResponseHead?
    /// What has come of the body, of an opened response in the read that is going on.
    private var body: [UInt8] = []
    /// The body of an opened response that was told of.
    private(set) var rest: HTTPBody?
    /// Of ``HTTPClientConfiguration/shortBodyWait``, once it was needed.
    private(set) var bodyTimer: Timer?
    /// Whether no more of the response is read, because nobody takes it: so the upstream stops sending when the
    /// kernel's buffers are full.
    private(set) var isPaused = false

    init(
        _ request: HTTPClientRequest,
        deadline: Instant,
        silence: Duration?,
        isOpened: Bool,
        isProbe: Bool,
        client: HTTPClient,
        _ done: @escaping @ReactorActor (Result<HTTPClientResponse, HTTPClientError>) -> Void
    ) {
        method = request.method
        isIdempotent = request.isIdempotent
        asksForUpgrade = request.asksForUpgrade
        output = request.bytes
        outgoing = request.body
        awaitsContinue = request.expectsContinue
        wantsInterim = request.wantsInterim
        isRequestComplete = request.body == nil
        isReplayable = request.body == nil && !request.asksForUpgrade
        patience = request.body == nil ? .zero : deadline - Reactor.now
        self.deadline = deadline
        self.silence = silence
        self.isOpened = isOpened
        self.isProbe = isProbe
        self.client = client
        self.done = done
    }

    /// Ends it, because nobody wants the response any more; without effect once it has ended.
    ///
    /// Nobody is called back but who reads the body, with ``HTTPBodyError/unwanted``. The connection is closed, because
    /// that is the only way to stop a response; what the upstream does with a request that it has received is up to it.
    public func cancel() {
        guard let client = client.take() else { return }
        client.cancelled(self)
        let (_, rest) = end()
        rest?.fail(.unwanted)
    }

    /// Behind a 101: tells the upstream what `input` says, in the protocol that both sides speak now. When `input`
    /// ends, so does the exchange.
    ///
    /// - Parameter silence: How long neither side may say anything.
    public func tunnel(_ input: HTTPBody, silence: Duration) {
        precondition(asksForUpgrade, "what follows the request would be taken for HTTP")
        guard client != nil else { return }
        outgoing = input
        isRequestComplete = false
        self.silence = silence
        expect(within: silence)
        client?.bodyWanted(self)
    }

    private func end() -> (
        done: (@ReactorActor (Result<HTTPClientResponse, HTTPClientError>) -> Void)?, rest: HTTPBody?
    ) {
        defer { (done, rest, outgoing, continueTimer, bodyTimer) = (nil, nil, nil, nil, nil) }
        place = .ended
        client = nil
        return (done, rest)
    }

    // MARK: Time

    private func expect(by deadline: Instant) {
        self.deadline = deadline
        if case .on(let connection) = place { client?.deadlineMoved(connection, self) }
    }

    private func expect(within limit: Duration) { expect(by: Reactor.now + limit) }
}

// MARK: - The request

extension HTTPClientExchange {
    /// Whether it may go out on another connection after this one ended without an answer.
    var mayBeSentAgain: Bool { !isRetried && (isReplayable && isIdempotent || !hasSentBytes) }

    /// Bytes of the request that the kernel has not taken yet.
    var unsentBytes: Int { output.count - sentBytes }

    func rewind() { sentBytes = 0 }

    func sent(_ count: Int) {
        hasSentBytes = true
        sentBytes += count
        guard sentBytes == output.count, !isReplayable else { return }
        output.removeAll(keepingCapacity: true)
        sentBytes = 0
        if outgoing != nil { client?.bodyWanted(self) }
    }

    /// Reads on in the request's body, if the upstream has taken everything before.
    func pull() {
        guard let outgoing, !isPulling, unsentBytes == 0 else { return }
        guard !awaitsContinue else { return waitForContinue() }
        isPulling = true
        // How fast the sender is, is not the upstream's fault. In a tunnel both are silent then.
        if !asksForUpgrade { expect(by: .distantFuture) }
        outgoing.read { [self] result in
            isPulling = false
            // Without it the exchange has ended.
            guard self.outgoing != nil else { return }
            switch result {
            case .success(let piece?): give(piece)
            case .success(nil): requestEnded(trailers: outgoing.trailers)
            case .failure(let error): requestBroke(error)
            }
        }
    }

    private var isInChunks: Bool { !asksForUpgrade && outgoing?.declaredLength == nil }

    private func give(_ piece: [UInt8]) {
        expect(within: silence ?? patience)
        if isInChunks {
            ChunkedEncoder.appendChunk(piece.span, to: &output)
        } else if output.isEmpty {
            output = piece
        } else {
            output += piece
        }
        flush()
    }

    private func requestEnded(trailers: HTTPFields?) {
        guard !asksForUpgrade else {
            // Nobody can tell one end to go on without the other in a protocol that is not known here.
            rest?.finish()
            return cancel()
        }
        if isInChunks { ChunkedEncoder.appendEnd(trailers: trailers, to: &output) }
        outgoing = nil
        isRequestComplete = true
        expect(within: rest == nil ? patience : silence ?? patience)
        flush()
    }

    private func requestBroke(_ error: HTTPBodyError) {
        // After an early answer the rest does not matter; that of the answer still comes.
        if error == .unwanted, !asksForUpgrade {
            outgoing = nil
            return expect(within: silence ?? patience)
        }
        let done = done
        cancel()
        done?(.failure(.cancelled))
    }

    private func flush() {
        if case .on(let connection) = place { connection.write() }
    }

    private func waitForContinue() {
        guard continueTimer == nil, head == nil else { return }
        // Unowned: dropped at the end.
        let timer = Timer { [unowned self] in goOn() }
        timer.schedule(after: Self.continueTimeout)
        continueTimer = timer
    }

    private func goOn() {
        awaitsContinue = false
        continueTimer = nil
        pull()
    }
}

// MARK: - The response

extension HTTPClientExchange {
    func receivedInterim(_ head: ResponseHead) {
        guard head.status != .continue else { return goOn() }
        if wantsInterim { done?(.success(HTTPClientResponse(head))) }
    }

    func received(_ head: ResponseHead) {
        self.head = head
        continueTimer = nil
    }

    func received(_ bytes: Span<UInt8>) { body.append(copying: bytes) }

    /// Everything was taken out of what was read at once, and the response goes on.
    func readEnded() {
        guard isOpened, case .on(let connection) = place else { return }
        if let rest {
            if !body.isEmpty { rest.receive(takeBody()) }
        } else if let head {
            guard !waitsForBody(head) else { return }
            begin(head, connection)
        }
        // Without it the sender has cancelled.
        guard let rest else { return }
        guard rest.isFull else {
            if let silence { expect(within: silence) }
            return
        }
        isPaused = true
        // The upstream is not to blame for a reader that does not read.
        if silence != nil { expect(by: .distantFuture) }
        connection.watch()
    }

    /// Whether the rest of a short response may still come in time to be told of with its head.
    private func waitsForBody(_ head: ResponseHead) -> Bool {
        guard case .length(let count) = head.framing, count <= Self.shortBodyBytesMax, let client else { return false }
        if let bodyTimer { return bodyTimer.isScheduled }
        // Unowned: dropped at the end.
        let timer = Timer { [unowned self] in readEnded() }
        timer.schedule(after: client.configuration.shortBodyWait)
        bodyTimer = timer
        return true
    }

    private func begin(_ head: ResponseHead, _ connection: ClientConnection) {
        let length: Int? = if case .length(let count) = head.framing { count } else { nil }
        let rest = HTTPBody(declaredLength: length, windowBytes: Self.windowBytes, source: connection)
        self.rest = rest
        if !body.isEmpty { rest.receive(takeBody()) }
        done.take()?(.success(HTTPClientResponse(head, rest: rest)))
    }

    private func takeBody() -> [UInt8] {
        var taken: [UInt8] = []
        swap(&taken, &body)
        return taken
    }

    /// There is room for more of the response.
    func bodyWasTaken() {
        guard isPaused, case .on(let connection) = place else { return }
        isPaused = false
        if let silence { expect(within: silence) }
        connection.watch()
    }

    /// The response is complete.
    func succeed() {
        let (done, rest) = end()
        if let rest {
            if !body.isEmpty { rest.receive(takeBody()) }
            return rest.finish(trailers: trailers)
        }
        guard let head = head.take() else { preconditionFailure("a response has a head") }
        if isOpened, head.framing == .chunked || head.framing == .untilClose {
            done?(.success(HTTPClientResponse(head, rest: HTTPBody(takeBody(), trailers: trailers))))
        } else {
            done?(.success(HTTPClientResponse(head, body: takeBody())))
        }
    }

    func fail(_ error: HTTPClientError) {
        let limits = client?.configuration.responseLimits ?? HTTPLimits()
        let (done, rest) = end()
        if let rest { rest.fail(HTTPBodyError(error, limits: limits)) } else { done?(.failure(error)) }
    }
}
