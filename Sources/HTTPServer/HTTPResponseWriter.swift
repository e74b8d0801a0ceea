public import HTTPBodies
public import HTTPWire
public import Reactor

/// The client left, or the server cut the connection; some of the response may have arrived.
public struct HTTPClientGone: Error, Hashable, Sendable {
    init() {}
}

/// Writes the body of one response piece by piece, at the pace of the client.
///
/// `write` with a span never waits; who has much to say waits for ``room()`` in between.
@ReactorActor
public final class HTTPResponseWriter {
    private enum State {
        /// Earlier answers of the connection are not complete.
        case queued
        case started
        case finished
        /// The response cannot be completed.
        case aborted
    }

    /// Bytes that are kept while earlier answers of the connection are not complete.
    private static let queuedLimitBytes = 16 * 1024

    /// A writer without a client.
    static var closed: HTTPResponseWriter { HTTPResponseWriter() }

    let response: HTTPResponse
    let framing: BodyFraming
    /// Set by the connection when it sends the head.
    var isHeadSent = false
    /// Whether the head said that another answer may follow.
    var keepsAlive = false
    private let hasBody: Bool
    private var remainingBytes: Int?
    private var exchange: HTTPExchange?
    private var connection: HTTPConnection?
    private var state = State.queued
    private var queued: [UInt8] = []
    private var onRoom: (() -> Void)?
    private var onDrain: (() -> Void)?
    /// What is being written, to be cancelled when the client leaves.
    private var passed: HTTPBody?

    private init() {
        response = HTTPResponse(.ok)
        framing = .none
        hasBody = false
        state = .aborted
    }

    init(_ response: HTTPResponse, length: Int?, to exchange: HTTPExchange, on connection: HTTPConnection) {
        self.response = response
        let head = exchange.request.head
        framing =
            if response.status == .switchingProtocols {
                .untilClose
            } else if response.status.forbidsBody {
                .none
            } else if let length {
                .length(length)
            } else {
                head.version == .http11 ? .chunked : .untilClose
            }
        hasBody = head.method != .head && framing != .none
        remainingBytes = hasBody ? length : nil
        self.exchange = exchange
        self.connection = connection
    }

    /// Whether nothing that is written reaches the client any more.
    public var isClosed: Bool {
        switch state {
        case .queued, .started: false
        case .finished, .aborted: true
        }
    }

    /// Whether it is time to write more. Writing without room is not refused, but it is the writer's own memory bound
    /// that is broken.
    public var hasRoom: Bool {
        switch state {
        case .queued: queued.count < Self.queuedLimitBytes
        case .started: connection?.hasRoom ?? false
        case .finished, .aborted: false
        }
    }

    /// Sends `bytes` after what was written before, at the end of this turn of the loop.
    public func write(_ bytes: Span<UInt8>) {
        guard takes(bytes.count) else { return }
        append { [framing] buffer in
            if framing == .chunked {
                ChunkedEncoder.appendChunk(bytes, to: &buffer)
            } else {
                buffer.append(copying: bytes)
            }
        }
    }

    /// The same for bytes of one's own, which need not be copied if they are many.
    private func pass(_ piece: [UInt8]) {
        guard case .started = state, framing != .chunked else { return write(piece.span) }
        guard takes(piece.count) else { return }
        connection?.append(piece)
    }

    /// Whether so many bytes are to be sent.
    private func takes(_ count: Int) -> Bool {
        guard !isClosed, hasBody, count > 0 else { return false }
        guard let remainingBytes else { return true }
        // More than was announced would be read as the next response.
        guard count <= remainingBytes else {
            abort()
            return false
        }
        self.remainingBytes = remainingBytes - count
        return true
    }

    /// Calls `then` once there is room, or the response is closed: look at ``isClosed``. May call before this returns.
    public func whenRoom(_ then: @escaping @ReactorActor () -> Void) {
        guard !isClosed, !hasRoom else { return then() }
        precondition(onRoom == nil, "one waiter at a time")
        onRoom = then
    }

    /// Waits until there is room.
    public func room() async throws(HTTPClientGone) {
        if !isClosed, !hasRoom {
            let promise = Promise<Void, Never>()
            whenRoom { promise.succeed(()) }
            _ = await promise.result
        }
        if isClosed { throw HTTPClientGone() }
    }

    /// Calls `then` once, when the server begins to drain, at once if it has: the answer should come to its end then,
    /// because what is left at the end of the draining is cut. Kept until the response is closed.
    public func whenDraining(_ then: @escaping @ReactorActor () -> Void) {
        precondition(onDrain == nil, "one callback")
        guard let connection, !isClosed else { return }
        if connection.server.isDraining { then() } else { onDrain = then }
    }

    /// Sends `bytes` and waits until there is room for more.
    public func write(_ bytes: [UInt8]) async throws(HTTPClientGone) {
        write(bytes.span)
        try await room()
    }

    /// Completes the response. If fewer bytes were written than announced, it is aborted instead.
    ///
    /// - Parameter trailers: Sent behind the last chunk; lost if the response is not in chunks.
    public func finish(trailers: HTTPFields? = nil) {
        guard !isClosed else { return }
        guard (remainingBytes ?? 0) == 0 else { return abort() }
        if hasBody, framing == .chunked { append { ChunkedEncoder.appendEnd(trailers: trailers, to: &$0) } }
        let wasQueued = if case .queued = state { true } else { false }
        state = .finished
        if !wasQueued { complete() }
    }

    /// Cuts the connection, so that the client sees that the response is not whole.
    public func abort() {
        guard !isClosed else { return }
        state = .aborted
        // Unless it has begun, the connection learns of it when this answer's turn comes.
        if let connection, let exchange { connection.aborted(exchange) }
        runOnRoom()
    }

    private func append(_ write: (inout [UInt8]) -> Void) {
        if case .queued = state {
            write(&queued)
        } else {
            connection?.append(write)
        }
    }

    private func complete() {
        guard let connection, let exchange else { return }
        connection.completed(exchange)
    }

    private func runOnRoom() {
        let callback = onRoom
        onRoom = nil
        callback?()
    }

    // MARK: Passing on

    /// Writes what comes of `body`, at the pace of the client, and completes the response with its end and trailers.
    /// Where the body breaks off, so does the response. A client that leaves cancels the body.
    ///
    /// - Parameter ended: Called once, with why the body was not written to its end; nil if it was. May be called
    ///   before this returns.
    public func write(_ body: HTTPBody, then ended: @escaping @ReactorActor (HTTPBodyError?) -> Void = { _ in }) {
        guard !isClosed else {
            body.cancel()
            return ended(.unwanted)
        }
        passed = body
        body.read { [self] result in
            switch result {
            case .success(let piece?):
                pass(piece)
                if hasRoom { write(body, then: ended) } else { whenRoom { [self] in write(body, then: ended) } }
            case .success(nil):
                passed = nil
                finish(trailers: body.trailers)
                ended(nil)
            case .failure(let error):
                passed = nil
                abort()
                ended(error)
            }
        }
    }

    // MARK: The connection's side

    /// The memory of what was written while earlier answers are not complete.
    var heldBytes: Int { queued.capacity }

    /// What was written while earlier answers were not complete. From now on bytes go to the connection.
    func start() -> [UInt8] {
        if case .queued = state { state = .started }
        var bytes: [UInt8] = []
        swap(&bytes, &queued)
        return bytes
    }

    /// Whether the response is written in full.
    var isComplete: Bool {
        if case .finished = state { true } else { false }
    }

    /// Whether the response can never be complete.
    var isAborted: Bool {
        if case .aborted = state { true } else { false }
    }

    /// Output has drained.
    func roomAppeared() {
        if hasRoom { runOnRoom() }
    }

    /// Ends an answer that would go on, as the server does when it drains: whoever writes it is told, so that he writes
    /// no more and forgets it.
    public func endEarly() { if onDrain == nil { finish() } else { drainBegan() } }

    /// The server drains.
    func drainBegan() {
        let callback = onDrain
        onDrain = nil
        callback?()
    }

    /// The answer is complete, or the connection is closed.
    func detach() {
        connection = nil
        exchange = nil
        queued = []
        onDrain = nil
        if !isClosed { state = .aborted }
        runOnRoom()
        passed.take()?.cancel()
    }
}
