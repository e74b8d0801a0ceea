public import HTTPWire
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

    /// Who is told, and how.
    enum Audience {
        case whole(@ReactorActor (Result<HTTPClientResponse, HTTPClientError>) -> Void)
        case pieces(any HTTPClientReceiver)
        case nobody
    }

    let method: HTTPMethod
    let isIdempotent: Bool
    let isProbe: Bool
    let asksForUpgrade: Bool
    /// What stood behind the last chunk of the response, once it has ended; nil for nothing.
    public internal(set) var trailers: HTTPFields?
    var place = Place.nowhere
    var deadline: Instant
    /// When it was given to a connection.
    var sentAt = Instant.origin
    /// Whether it was sent once more already; once is all.
    var isRetried = false

    /// The request from its first byte; of a streamed one, what was written since the kernel took everything.
    private(set) var output: [UInt8]
    /// How many bytes of `output` the kernel has taken.
    private(set) var sentBytes = 0
    /// Whether the kernel has taken any byte, so that the upstream may have acted.
    private(set) var hasSentBytes = false
    /// Whether `output` holds the rest of the request.
    private(set) var isRequestComplete: Bool
    /// Whether `output` has held the whole request all the time, so that it can be sent again from its start.
    private let isReplayable: Bool
    private(set) var isPaused = false

    /// Held until the end, so that a client that nobody else keeps still finishes what it began.
    private var client: HTTPClient?
    private var audience: Audience
    private var head: ResponseHead?
    private var body: [UInt8] = []

    init(
        _ request: HTTPClientRequest,
        isComplete: Bool,
        deadline: Instant,
        isProbe: Bool,
        client: HTTPClient,
        audience: Audience
    ) {
        method = request.method
        isIdempotent = request.isIdempotent
        asksForUpgrade = request.asksForUpgrade
        output = request.bytes
        isRequestComplete = isComplete
        isReplayable = isComplete
        self.deadline = deadline
        self.isProbe = isProbe
        self.client = client
        self.audience = audience
    }

    /// Ends it, because nobody wants the response any more; without effect once it has ended.
    ///
    /// Nobody is called back. The connection is closed, because that is the only way to stop a response; what the
    /// upstream does with a request that it has received is up to it.
    public func cancel() {
        guard let client = client.take() else { return }
        audience = .nobody
        client.cancelled(self)
        place = .ended
    }
}

// MARK: - Streaming

extension HTTPClientExchange {
    /// Adds to the body of a request that was opened incomplete. What was written and not sent is kept in memory: once
    /// ``unsentBytes`` is as large as the caller can afford, it waits for ``HTTPClientReceiver/requestBodyWanted()``.
    ///
    /// Without effect once the response has ended, which may be before the request has.
    ///
    /// - Parameter bytes: With the framing that the request's head announces.
    public func write(_ bytes: Span<UInt8>) {
        precondition(!isRequestComplete, "the request is complete")
        output.append(copying: bytes)
        flush()
    }

    /// Says that the request is complete.
    public func finishRequest() {
        isRequestComplete = true
        flush()
    }

    /// Bytes of the request that the kernel has not taken yet.
    public var unsentBytes: Int { output.count - sentBytes }

    /// Reads no more of the response, so that the upstream stops sending when the kernel's buffers are full.
    public func pause() { setPaused(true) }

    /// Reads on.
    public func resume() { setPaused(false) }

    /// Moves the deadline: a body that makes progress may take as long as it needs. Before the head of the response it
    /// also stands in for ``HTTPClientConfiguration/responseHeadTimeout``.
    public func moveDeadline(to deadline: Instant) {
        self.deadline = deadline
        if case .on(let connection) = place { client?.deadlineMoved(connection, self) }
    }

    private func setPaused(_ isPaused: Bool) {
        self.isPaused = isPaused
        if case .on(let connection) = place { connection.watch() }
    }

    private func flush() {
        if case .on(let connection) = place { connection.write() }
    }
}

// MARK: - From the connection and the client

extension HTTPClientExchange {
    /// Whether it may go out on another connection after this one ended without an answer.
    var mayBeSentAgain: Bool { !isRetried && (isReplayable && isIdempotent || !hasSentBytes) }

    func rewind() { sentBytes = 0 }

    func sent(_ count: Int) {
        hasSentBytes = true
        sentBytes += count
        guard sentBytes == output.count, !isReplayable else { return }
        output.removeAll(keepingCapacity: true)
        sentBytes = 0
        if !isRequestComplete { client?.bodyWanted(self) }
    }

    /// Tells that there is room for more of the request, if there still is.
    func wantBody() {
        guard !isRequestComplete, unsentBytes == 0, case .pieces(let receiver) = audience else { return }
        receiver.requestBodyWanted()
    }

    func receivedInterim(_ head: ResponseHead) {
        if case .pieces(let receiver) = audience { receiver.interimResponseReceived(head) }
    }

    func received(_ head: ResponseHead) {
        if case .pieces(let receiver) = audience { receiver.responseBegan(head) } else { self.head = head }
    }

    func received(_ bytes: Span<UInt8>) {
        if case .pieces(let receiver) = audience {
            receiver.responseBodyReceived(bytes)
        } else {
            body.append(copying: bytes)
        }
    }

    /// The response is complete.
    func succeed() {
        switch end() {
        case .whole(let done):
            guard let head = head.take() else { preconditionFailure("a response has a head") }
            done(.success(HTTPClientResponse(head: head, body: body)))
        case .pieces(let receiver): receiver.responseEnded(nil)
        case .nobody: break
        }
    }

    func fail(_ error: HTTPClientError) {
        switch end() {
        case .whole(let done): done(.failure(error))
        case .pieces(let receiver): receiver.responseEnded(error)
        case .nobody: break
        }
    }

    private func end() -> Audience {
        defer { audience = .nobody }
        place = .ended
        client = nil
        return audience
    }
}
