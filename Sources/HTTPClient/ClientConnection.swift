internal import HTTPWire
internal import Reactor

/// One connection to the upstream, which carries one request at a time.
///
/// It watches for bytes as long as it lives, busy or not: that costs no system call per request, and it is how an idle
/// connection that the upstream closes is noticed before it is used again.
@ReactorActor
final class ClientConnection {
    let id: ConnectionID
    private unowned let client: HTTPClient
    private var descriptor: FileDescriptor?
    private var watcher: IOWatcher?
    private var parser: ResponseParser
    private(set) var exchange: HTTPClientExchange?
    private var sentBytes = 0
    /// Whether the upstream takes no more bytes. What it said before is still read (RFC 9112 §9.5).
    private var isWriteBroken = false
    private var keepsAlive = false

    init(_ id: ConnectionID, _ descriptor: consuming FileDescriptor, client: HTTPClient) {
        self.id = id
        self.client = client
        parser = ResponseParser(limits: client.configuration.responseLimits)
        let number = descriptor.number
        self.descriptor = consume descriptor
        watcher = IOWatcher(descriptor: number, for: .read) { [unowned self] in ready($0) }
    }

    /// Whether any byte of the request was given to the kernel, and so perhaps to the upstream.
    var hasSentBytes: Bool { sentBytes > 0 }

    /// Whether nothing has come from the upstream while nothing was asked, not even its end of the connection.
    var isQuiet: Bool {
        guard let number = descriptor?.number else { return false }
        return ClientSocket.isQuiet(number)
    }

    /// Closes the connection and forgets its request. Nothing is called back.
    func close() {
        watcher = nil
        descriptor = nil
        exchange = nil
    }

    /// Sends the request of `exchange` and waits for its response.
    func start(_ exchange: HTTPClientExchange) {
        self.exchange = exchange
        exchange.place = .on(self)
        exchange.sentAt = Reactor.now
        sentBytes = 0
        parser.expectResponse(to: exchange.request.method)
        write()
    }

    // MARK: Writing

    private func write() {
        guard let exchange, let number = descriptor?.number, let watcher, !isWriteBroken else { return }
        let bytes = exchange.request.bytes
        guard sentBytes < bytes.count else { return watcher.watch(for: .read) }
        switch ClientSocket.write(number, bytes, from: sentBytes) {
        case .bytes(let count):
            sentBytes += count
            watcher.watch(for: sentBytes < bytes.count ? [.read, .write] : .read)
        case .wouldBlock:
            watcher.watch(for: [.read, .write])
        case .endOfStream, .failed:
            // The reader tells, in a later turn, perhaps after a response that explains it.
            isWriteBroken = true
            watcher.watch(for: .read)
        }
    }

    // MARK: Reading

    private func ready(_ readiness: Readiness) {
        if readiness.contains(.write) { write() }
        guard readiness.contains(.read), let number = descriptor?.number else { return }
        // One read each time: if there is more, the next turn is told so, and the others get theirs in between.
        switch ClientSocket.receive(number) {
        case .bytes(let count):
            let bytes = ClientSocket.received
            take(bytes.span.extracting(0..<count))
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
        var offset = 0
        do {
            while true {
                let unread = bytes.extracting(offset...)
                let (action, consumed) = try parser.step(unread)
                offset += consumed
                switch action {
                case .needMoreBytes: return
                case .deliverInterim: break
                case .deliverHead(let head):
                    keepsAlive = head.keepsAlive
                    exchange.headReceived(head)
                    client.responseBegan(self)
                case .deliverBody(let range):
                    exchange.bodyReceived(unread.extracting(range))
                case .finishResponse:
                    return finish(hasUnreadBytes: offset < bytes.count)
                }
            }
        } catch {
            end(with: HTTPClientError(error))
        }
    }

    private func streamEnded() {
        guard exchange != nil else { return client.connectionEnded(self) }
        guard !parser.isBeforeFirstByte else { return lost() }
        do {
            keepsAlive = false
            if case .finishResponse = try parser.connectionEnded() { finish(hasUnreadBytes: false) }
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

    private func finish(hasUnreadBytes: Bool) {
        guard let exchange = exchange.take() else { return }
        // An upstream that answers before it has read the request would take the rest of it for the next one.
        let isRequestSent = sentBytes == exchange.request.bytes.count
        client.responseEnded(self, exchange, isReusable: keepsAlive && isRequestSent && !hasUnreadBytes)
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
