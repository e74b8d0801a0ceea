internal import COpenSSL

/// One side of one secure connection: ciphertext and plaintext in, plaintext and ciphertext out. It knows no socket.
///
/// Ciphertext that is to be sent gathers in ``output``; whoever owns the socket sends it and calls ``sent(_:)``.
@safe public final class TLSSession {
    /// What ``receive(_:into:)`` did.
    public enum Received: Hashable, Sendable {
        /// So many bytes of plaintext came, at least one.
        case bytes(Int)
        /// Nothing yet.
        case nothing
        /// The other side has said that it sends no more.
        case end
        /// The connection is of no use any more.
        case failed(TLSError)
    }

    /// Most ciphertext that may be given to ``receive(_:into:)`` at once.
    public static let ciphertextMax = 32 * 1024
    /// The least room for plaintext that it needs for that: it may complete a record that has begun before.
    public static let plaintextRoom = ciphertextMax + 17 * 1024

    /// Where ``output`` is written while nothing of it is left over from before: nearly always all of it is sent at
    /// once, and then a session needs no buffer of its own.
    nonisolated(unsafe) private static var spare: [UInt8] = []
    /// A buffer that has grown larger than this is not kept.
    private static let keptBytes = 256 * 1024

    /// Whom we talk to, where we are the client and know a name.
    let host: String?
    /// Where sessions are kept for the next connection; nil on a server.
    let client: TLSClientContext?
    /// Kept alive, because OpenSSL calls it; nil on a client.
    private let server: TLSServerContext?
    private let ssl: OpaquePointer
    /// What is being received, and how much of it was taken.
    private var input = unsafe UnsafeRawBufferPointer(start: nil, count: 0)
    /// What was received and not taken yet: at most what follows the end of a handshake.
    private var rest: [UInt8] = []

    /// Ciphertext to be sent.
    public private(set) var output: [UInt8] = []
    /// How much of ``output`` is sent.
    public private(set) var sentBytes = 0
    /// Whether the handshake is complete.
    public private(set) var isEstablished = false
    /// What made the connection useless.
    public private(set) var failure: TLSError?

    private init(_ context: OpaquePointer, client: TLSClientContext?, host: String?, server: TLSServerContext?) {
        guard let ssl = unsafe SSL_new(context) else { preconditionFailure("OpenSSL has no memory") }
        unsafe self.ssl = ssl
        self.server = server
        self.client = client
        self.host = host
        // Both owned by `ssl`, as one.
        let bio = unsafe BIO_new(SessionBIO.method)
        let me = unsafe Unmanaged.passUnretained(self).toOpaque()
        unsafe BIO_set_data(bio, me)
        unsafe BIO_set_init(bio, 1)
        unsafe SSL_set_bio(ssl, bio, bio)
        unsafe SSL_set_ex_data(ssl, 0, me)
        if client != nil { unsafe SSL_set_connect_state(ssl) } else { unsafe SSL_set_accept_state(ssl) }
    }

    convenience init(_ context: OpaquePointer, client: TLSClientContext, host: String) {
        unsafe self.init(context, client: client, host: host, server: nil)
    }

    convenience init(_ context: OpaquePointer, server: TLSServerContext) {
        unsafe self.init(context, client: nil, host: nil, server: server)
    }

    deinit {
        // Or it would be no good for another connection; RFC 5246 §7.2.1 has been more lenient than OpenSSL since.
        if isEstablished { unsafe SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN) }
        unsafe SSL_free(ssl)
    }

    /// Whether the other side has said that it sends no more.
    public var hasEnded: Bool { unsafe SSL_get_shutdown(ssl) & SSL_RECEIVED_SHUTDOWN != 0 && failure == nil }

    /// The socket has ended, without a word before it.
    public func cut() { if failure == nil { failure = .truncated } }

    /// Whether ``output`` has bytes to be sent.
    public var hasOutput: Bool { !output.isEmpty }
    /// How many.
    public var outputBytes: Int { output.count - sentBytes }

    /// The version that was agreed upon, such as `TLSv1.3`.
    public var version: String { unsafe String(cString: SSL_get_version(ssl)) }
    /// Whether the handshake went on where an earlier connection ended.
    public var isResumed: Bool { unsafe SSL_session_reused(ssl) == 1 }

    /// Lets `body` set what is particular to this session before its handshake.
    @unsafe func configure(_ body: (OpaquePointer) -> Void) { unsafe body(ssl) }

    /// Has the client's first message written.
    public func start() { _ = handshake() }

    /// Takes ciphertext, at most ``ciphertextMax`` bytes of it.
    ///
    /// - Parameter plaintext: Has room for ``plaintextRoom`` bytes.
    @unsafe public func receive(
        _ ciphertext: UnsafeRawBufferPointer,
        into plaintext: UnsafeMutableRawBufferPointer
    ) -> Received {
        precondition(ciphertext.count <= Self.ciphertextMax && plaintext.count >= Self.plaintextRoom)
        if !rest.isEmpty {
            unsafe rest.append(contentsOf: ciphertext)
            let all = rest
            rest = []
            return unsafe all.withUnsafeBytes { unsafe take($0, into: plaintext) }
        }
        return unsafe take(ciphertext, into: plaintext)
    }

    @unsafe private func take(
        _ ciphertext: UnsafeRawBufferPointer,
        into plaintext: UnsafeMutableRawBufferPointer
    ) -> Received {
        unsafe input = ciphertext
        defer {
            unsafe rest.append(contentsOf: input)
            unsafe input = UnsafeRawBufferPointer(start: nil, count: 0)
        }
        if let failure = handshake() {
            self.failure = failure
            return .failed(failure)
        }
        guard isEstablished else { return .nothing }
        var count = 0
        while count < plaintext.count {
            OpenSSLErrors.clear()
            var read = 0
            let room = unsafe UnsafeMutableRawBufferPointer(rebasing: plaintext[count...])
            let result = unsafe SSL_read_ex(ssl, room.baseAddress, room.count, &read)
            if result == 1 {
                count += read
                // To ask once more would find nothing: all that came is taken.
                if unsafe input.isEmpty && SSL_has_pending(ssl) == 0 { return .bytes(count) }
                continue
            }
            switch unsafe SSL_get_error(ssl, result) {
            case _ where count > 0: return .bytes(count)
            case SSL_ERROR_WANT_READ: return .nothing
            case SSL_ERROR_ZERO_RETURN: return .end
            default:
                let failure = unsafe TLSError(of: ssl)
                self.failure = failure
                return .failed(failure)
            }
        }
        return .bytes(count)
    }

    /// Goes on with the handshake.
    private func handshake() -> TLSError? {
        guard !isEstablished else { return nil }
        OpenSSLErrors.clear()
        let result = unsafe SSL_do_handshake(ssl)
        if result == 1 {
            isEstablished = true
            if isResumed { client?.resumptions += 1 }
            return nil
        }
        return unsafe SSL_get_error(ssl, result) == SSL_ERROR_WANT_READ ? nil : TLSError(of: ssl)
    }

    /// Encrypts all of `plaintext` into ``output``. Only once the handshake is complete.
    @unsafe public func send(_ plaintext: UnsafeRawBufferPointer) -> TLSError? {
        guard plaintext.count > 0 else { return nil }
        OpenSSLErrors.clear()
        var written = 0
        let result = unsafe SSL_write_ex(ssl, plaintext.baseAddress, plaintext.count, &written)
        return unsafe result == 1 && written == plaintext.count ? nil : TLSError(of: ssl)
    }

    /// Says that no more will be sent.
    public func finish() {
        guard isEstablished else { return }
        OpenSSLErrors.clear()
        _ = unsafe SSL_shutdown(ssl)
    }

    /// The first `count` bytes of what waits in ``output`` are sent.
    public func sent(_ count: Int) {
        sentBytes += count
        guard sentBytes == output.count else { return }
        sentBytes = 0
        guard output.capacity <= Self.keptBytes else {
            output = []
            return
        }
        output.removeAll(keepingCapacity: true)
        if unsafe Self.spare.capacity < output.capacity { unsafe swap(&output, &Self.spare) }
        output = []
    }

    // MARK: OpenSSL's side

    /// OpenSSL wants up to `count` bytes.
    fileprivate func read(into buffer: UnsafeMutableRawPointer, _ count: Int) -> Int {
        let taken = unsafe min(count, input.count)
        guard taken > 0, let start = unsafe input.baseAddress else { return 0 }
        unsafe buffer.copyMemory(from: start, byteCount: taken)
        unsafe input = UnsafeRawBufferPointer(rebasing: input[taken...])
        return taken
    }

    /// OpenSSL has bytes to be sent.
    fileprivate func write(_ bytes: UnsafeRawBufferPointer) {
        if output.isEmpty, output.capacity == 0 { unsafe swap(&output, &Self.spare) }
        unsafe output.append(contentsOf: bytes)
    }
}

/// How OpenSSL reads from and writes to a ``TLSSession``.
private enum SessionBIO {
    nonisolated(unsafe) static let method: OpaquePointer? = {
        let method = unsafe BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "TLSSession")
        unsafe BIO_meth_set_read(method, read)
        unsafe BIO_meth_set_write(method, write)
        unsafe BIO_meth_set_ctrl(method, control)
        return unsafe method
    }()

    private static func session(_ bio: OpaquePointer?) -> TLSSession? {
        guard let data = unsafe BIO_get_data(bio) else { return nil }
        return unsafe Unmanaged<TLSSession>.fromOpaque(data).takeUnretainedValue()
    }

    private static let read: @convention(c) (OpaquePointer?, UnsafeMutablePointer<CChar>?, CInt) -> CInt = {
        bio,
        buffer,
        count in
        unsafe copenssl_clear_retry(bio)
        guard let buffer = unsafe buffer, count > 0, let session = unsafe session(bio) else { return 0 }
        let taken = unsafe session.read(into: UnsafeMutableRawPointer(buffer), Int(count))
        if taken > 0 { return CInt(taken) }
        unsafe copenssl_retry_read(bio)
        return -1
    }

    private static let write: @convention(c) (OpaquePointer?, UnsafePointer<CChar>?, CInt) -> CInt = {
        bio,
        bytes,
        count in
        unsafe copenssl_clear_retry(bio)
        guard let bytes = unsafe bytes, count > 0, let session = unsafe session(bio) else { return 0 }
        unsafe session.write(UnsafeRawBufferPointer(start: bytes, count: Int(count)))
        return count
    }

    private static let control: @convention(c) (OpaquePointer?, CInt, Int, UnsafeMutableRawPointer?) -> Int = {
        _,
        command,
        _,
        _ in
        command == BIO_CTRL_FLUSH ? 1 : 0
    }
}
