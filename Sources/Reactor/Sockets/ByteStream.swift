internal import Glibc
public import TLS

/// A connected socket, plain or secure, TCP or Unix-domain: the one place that reads, writes and closes it.
///
/// Reading and writing never block. A secure stream makes its handshake while it is read: until then nothing is read
/// from it, and it takes nothing to write.
///
/// What it may still have to send of its own accord is ``hasUnsent``: its owner watches for room while that is true,
/// and then calls ``flush()``.
public struct ByteStream: ~Copyable {
    /// The least room that ``read(into:)`` needs on a secure stream.
    public static let readBytes = 64 * 1024

    /// Most plaintext that is encrypted before it is sent.
    private static let writeBytes = 64 * 1024

    /// A secure stream that has more than this to send of its own accord answers somebody who does not read.
    private static let unsentBytesMax = 256 * 1024

    /// What was read from a secure stream, before anything else is: one buffer for all of them.
    nonisolated(unsafe) private static let ciphertext = UnsafeMutableRawBufferPointer.allocate(
        byteCount: TLSSession.ciphertextMax,
        alignment: 16
    )

    /// The socket's number, for watchers; no socket once the stream is closed.
    public let number: CInt
    private var descriptor: FileDescriptor?
    private var tls: TLSSession?

    /// Takes a socket.
    ///
    /// - Parameter session: Makes the stream secure. A client's sends its first message with ``start()``.
    public init(_ descriptor: consuming FileDescriptor, session: TLSSession? = nil) {
        number = descriptor.number
        self.descriptor = consume descriptor
        tls = session
    }

    private init(number: CInt, _ descriptor: consuming FileDescriptor?, _ tls: TLSSession?) {
        self.number = number
        self.descriptor = consume descriptor
        self.tls = tls
    }

    /// A stream that was closed: to hold the place of one.
    public static var closed: ByteStream { ByteStream(number: -1, nil, nil) }

    /// Gives the socket to another owner. What is done here afterwards fails, as if it were closed.
    public mutating func take() -> ByteStream {
        let taken = ByteStream(number: number, descriptor.take(), tls)
        tls = nil
        return taken
    }

    /// Lets the kernel keep no more for the other side than so many bytes beyond those that are on their way to it.
    public func limitUnsent(_ byteCount: Int) { Sockets.limitUnsent(number, byteCount) }

    /// Breaks the connection when the other side has not acknowledged for so long what is on its way to it.
    public func limitUnacknowledged(_ limit: Duration) { Sockets.limitUnacknowledged(number, limit) }

    /// Closes the socket. What is read and written afterwards fails.
    public mutating func close() {
        descriptor = nil
        tls = nil
    }

    /// Closes the socket so that the other side takes it for a break and not for an end. What is on its way to it may
    /// be lost. On a Unix-domain socket there is no such difference.
    public mutating func abort() {
        if descriptor != nil { Sockets.resetWhenClosed(number) }
        close()
    }

    /// Whether plaintext is exchanged with nobody else.
    public var isSecure: Bool { tls != nil }

    /// Whether the handshake, if there is one, is complete.
    public var isEstablished: Bool { tls?.isEstablished ?? true }

    /// What made the stream fail, where it was not the socket.
    public var failure: TLSError? { tls?.failure }

    /// Whether the other side has said that it sends no more, which no read may tell any more.
    public var hasEnded: Bool { tls?.hasEnded ?? false }

    /// Whether a secure stream has something to send that was not taken by the socket.
    public var hasUnsent: Bool { tls?.hasOutput ?? false }

    /// How many bytes that is.
    public var unsentBytes: Int { tls?.outputBytes ?? 0 }

    /// The other side's address.
    public var peerAddress: SocketAddress? { descriptor == nil ? nil : try? Sockets.peerAddress(number) }

    /// Reads what is there.
    ///
    /// - Parameter buffer: Has room for ``readBytes`` bytes, if the stream is secure.
    @unsafe public func read(into buffer: UnsafeMutableRawBufferPointer) -> IOResult {
        guard descriptor != nil else { return .failed(SystemError(.read, errno: EBADF)) }
        guard let tls else { return unsafe Sockets.read(number, into: buffer) }
        guard tls.outputBytes <= Self.unsentBytesMax else { return .failed(SystemError(.read, errno: ENOBUFS)) }
        switch unsafe Sockets.read(number, into: Self.ciphertext) {
        case .bytes(let count):
            let came = unsafe UnsafeRawBufferPointer(rebasing: Self.ciphertext[..<count])
            let received = unsafe tls.receive(came, into: buffer)
            // Answers of the handshake, or an alert that says what is wrong.
            _ = flush()
            return Self.result(received)
        case .endOfStream:
            tls.cut()
            return .failed(SystemError(.read, errno: ECONNRESET))
        case .wouldBlock: return .wouldBlock
        case .failed(let error): return .failed(error)
        }
    }

    private static func result(_ received: TLSSession.Received) -> IOResult {
        switch received {
        case .bytes(let count): .bytes(count)
        case .nothing: .wouldBlock
        case .end: .endOfStream
        case .failed: .failed(SystemError(.read, errno: EPROTO))
        }
    }

    /// Writes what there is room for.
    @unsafe public func write(_ bytes: UnsafeRawBufferPointer) -> IOResult {
        guard descriptor != nil else { return .failed(SystemError(.write, errno: EBADF)) }
        guard let tls else { return unsafe Sockets.write(number, bytes) }
        let before = flush()
        guard case .bytes = before, tls.isEstablished else {
            if case .failed = before { return before }
            return .wouldBlock
        }
        let count = min(bytes.count, Self.writeBytes)
        guard unsafe tls.send(UnsafeRawBufferPointer(rebasing: bytes[..<count])) == nil else {
            return .failed(SystemError(.write, errno: EPROTO))
        }
        if case .failed(let error) = flush() { return .failed(error) }
        return .bytes(count)
    }

    /// Sends what a secure stream has to send.
    ///
    /// - Returns: `bytes(0)` when nothing is left.
    @discardableResult
    public func flush() -> IOResult {
        guard let tls else { return .bytes(0) }
        while tls.hasOutput {
            let result = unsafe tls.output.withUnsafeBytes { output in
                unsafe Sockets.write(number, UnsafeRawBufferPointer(rebasing: output[tls.sentBytes...]))
            }
            guard case .bytes(let count) = result else { return result }
            tls.sent(count)
        }
        return .bytes(0)
    }

    /// Has a client's first message sent.
    public func start() {
        tls?.start()
        flush()
    }

    /// Says that no more bytes will be sent; the other side may still send.
    public func finish() {
        guard descriptor != nil else { return }
        tls?.finish()
        flush()
        Sockets.shutdownWrite(number)
    }
}
