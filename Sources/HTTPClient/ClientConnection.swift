internal import HTTPBodies
internal import HTTPWire
internal import Reactor

/// One connection to the upstream, which carries one request at a time.
///
/// It watches for bytes as long as it lives, busy or not: that costs no system call per request, and it is how an idle
/// connection that the upstream closes is noticed before it is used again.
@ReactorActor
final class ClientConnection {
    /// What was read last. One buffer for all connections, because what is read is parsed before anything else is.
    private static var received = [UInt8](repeating: 0, count: ClientSocket.receiveBytes)

    let id: ConnectionID
    private(set) var exchange: HTTPClientExchange?
    private unowned let client: HTTPClient
    private var stream: ByteStream
    private var watcher: IOWatcher?
    private var parser: ResponseParser
    /// Whether the upstream takes no more bytes. What it said before is still read (RFC 9112 §9.5).
    private var isWriteBroken = false
    private var keepsAlive = false

    init(_ id: ConnectionID, _ stream: consuming ByteStream, client: HTTPClient) {
        self.id = id
        self.client = client
        parser = ResponseParser(limits: client.configuration.responseLimits)
        let number = stream.number
        self.stream = stream
        watcher = IOWatcher(descriptor: number, for: .read) { [unowned self] in ready($0) }
    }

    /// Whether nothing has come from the upstream while nothing was asked, not even its end of the connection.
    var isQuiet: Bool {
        ClientSocket.receive(stream, into: &Self.received) == .wouldBlock
    }

    /// Closes the connection and forgets its request. Nothing is called back.
    func close() {
        watcher = nil
        stream.close()
        exchange = nil
    }

    /// Has the request of `exchange` sent, and waits for its response.
    func start(_ exchange: HTTPClientExchange) {
        self.exchange = exchange
        exchange.place = .on(self)
        parser.expectResponse(to: exchange.method, mayUpgrade: exchange.asksForUpgrade)
        client.started(self)
    }
}

// MARK: - Writing

extension ClientConnection {
    /// Writes what there is room for, and waits for room if that was not all.
    func write() {
        guard let exchange, !isWriteBroken, exchange.unsentBytes > 0 else { return }
        switch ClientSocket.write(stream, exchange.output, from: exchange.sentBytes) {
        case .bytes(let count):
            exchange.sent(count)
        case .wouldBlock:
            break
        case .endOfStream, .failed:
            // The reader tells, in a later turn, perhaps after a response that explains it.
            isWriteBroken = true
        }
        watch()
    }

    /// Waits for what can happen next.
    func watch() {
        guard let watcher, let exchange else { return }
        var interest: Readiness = exchange.isPaused ? [] : .read
        if exchange.unsentBytes > 0 || stream.hasUnsent, !isWriteBroken { interest.insert(.write) }
        if interest.isEmpty { watcher.stop() } else { watcher.watch(for: interest) }
    }
}

// MARK: - Reading

extension ClientConnection {
    private func ready(_ readiness: Readiness) {
        if readiness.contains(.write) {
            stream.flush()
            write()
            watch()
        }
        guard readiness.contains(.read), watcher != nil else { return }
        // One read each time: if there is more, the next turn is told so, and the others get theirs in between.
        switch ClientSocket.receive(stream, into: &Self.received) {
        case .bytes(let count):
            let bytes = Self.received
            take(bytes.span.extracting(first: count))
            // No event would come to say so.
            if stream.hasEnded { streamEnded() }
        case .wouldBlock: break
        case .endOfStream: streamEnded()
        case .failed: lost()
        }
    }

    private func take(_ bytes: Span<UInt8>) {
        guard let exchange else {
            // Nobody asked: the answer to nothing, or a 408 before the connection is closed.
            return client.connectionEnded(self)
        }
        var unread = bytes
        do {
            // The sender may have cancelled at each of the calls.
            while self.exchange === exchange {
                let (action, consumed) = try parser.step(unread)
                switch action {
                case .needMoreBytes: return exchange.readEnded()
                case .deliverInterim(let head): exchange.receivedInterim(head)
                case .deliverHead(let head):
                    keepsAlive = head.keepsAlive
                    client.responseBegan(self)
                    exchange.received(head)
                case .deliverBody(let range):
                    exchange.received(unread.extracting(range))
                case .finishResponse:
                    exchange.trailers = parser.trailers
                    return finish(exchange, hasUnreadBytes: consumed < unread.count)
                }
                unread = unread.extracting(consumed...)
            }
        } catch {
            end(with: HTTPClientError(error))
        }
    }

    private func streamEnded() {
        guard let exchange else { return client.connectionEnded(self) }
        guard !parser.isBeforeFirstByte else { return lost() }
        do {
            keepsAlive = false
            if case .finishResponse = try parser.connectionEnded() { finish(exchange, hasUnreadBytes: false) }
        } catch {
            end(with: HTTPClientError(error))
        }
    }

    /// The connection broke, or was closed without an answer.
    private func lost() {
        guard let exchange = exchange.take() else { return client.connectionEnded(self) }
        client.connectionLost(self, exchange, isBeforeFirstByte: parser.isBeforeFirstByte)
    }

    private func end(with error: HTTPClientError) {
        guard let exchange = exchange.take() else { return }
        client.responseRefused(self, exchange, error)
    }

    private func finish(_ exchange: HTTPClientExchange, hasUnreadBytes: Bool) {
        self.exchange = nil
        // An upstream that answers before it has read the request would take the rest of it for the next one.
        let isRequestSent = exchange.isRequestComplete && exchange.unsentBytes == 0
        client.responseEnded(self, exchange, isReusable: keepsAlive && isRequestSent && !hasUnreadBytes)
    }
}

// MARK: - Bodies

extension ClientConnection: HTTPBodySource {
    func bodyIsAwaited(_: HTTPBody) {}

    func bodyWasTaken(_ body: HTTPBody) {
        guard let exchange, exchange.rest === body else { return }
        exchange.bodyWasTaken()
    }

    func bodyIsUnwanted(_ body: HTTPBody) {
        guard let exchange, exchange.rest === body else { return }
        exchange.cancel()
    }
}

extension HTTPClientError {
    /// What a refused response means for its request.
    init(_ error: HTTPParseError) {
        switch error {
        case .headTooLarge, .tooManyFields, .bodyTooLarge: self = .responseTooLarge
        case .prematureEnd: self = .connectionLost(mayHaveBeenProcessed: true)
        default: self = .malformedResponse(error)
        }
    }
}
