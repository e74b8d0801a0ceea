internal import CHiredis
internal import Glibc
internal import Reactor

/// Receives what happens on a ``HiredisContext``.
@ReactorActor
protocol HiredisContextDelegate: AnyObject {
    /// The socket is connected. Not called from inside hiredis.
    func connected()
    /// The oldest command was answered. Called from inside hiredis: closing is allowed, and takes effect afterwards.
    func replied(_ reply: borrowing RedisReplyView)
    /// A subscription was confirmed, or brought a message. Called from inside hiredis, as ``replied(_:)``.
    func published(_ message: borrowing RedisReplyView)
    /// The connection is gone, for another reason than ``HiredisContext/close()``. Not called from inside hiredis.
    func disconnected(_ fault: RedisFault)
}

/// One asynchronous hiredis connection on the loop; no other code calls hiredis.
///
/// What hiredis 0.14.1 gets wrong or leaves out, and what is done here about it:
///
/// - Freeing a context inside `onConnect` crashes, and `onDisconnect` is not called after a refused connect. Neither
///   callback is used: after each call into hiredis the flags tell that the connection was made, and the `cleanup`
///   hook, which hiredis always calls before it frees a context, tells that it is gone.
/// - On teardown hiredis answers every pending command with a nil reply from inside its own destructor. These calls are
///   ignored; the owner keeps its own list of pending commands, and fails them after hiredis has returned.
/// - The stock libev adapter calls `epoll_ctl` twice for each flush. Here `addWrite` only schedules one write at the
///   end of the turn, and the socket is watched for writing only after a write came up short.
/// - It has no timeouts (the owner has), and it resolves names with the blocking `getaddrinfo` (only numeric addresses
///   and paths are passed).
/// - It leaves its sockets open across `exec`.
/// - It reads 16 KiB at a time, and one such piece in each turn: a batch of results would take several turns. Here the
///   socket is read into a larger buffer, and hiredis is fed from there.
@ReactorActor
@safe final class HiredisContext {
    private unowned let delegate: any HiredisContextDelegate
    /// Nil once freed, or once hiredis has said that it will free it.
    private var context: UnsafeMutablePointer<redisAsyncContext>?
    private var watcher: IOWatcher?
    private var isConnected = false
    /// True exactly while `flushOutput` has called hiredis: then `addWrite` means "the write came up short".
    private var isFlushing = false
    /// Why hiredis freed the context, until the delegate was told.
    private var fault: RedisFault?
    private var flush: EndOfTurn?

    /// Bytes taken from a socket at once.
    private static let inboxBytes = 256 * 1024
    /// Where bytes are between the socket and hiredis; one for all connections, because hiredis copies them at once.
    private static let inbox = UnsafeMutableRawBufferPointer.allocate(byteCount: inboxBytes, alignment: 16)

    /// Starts connecting.
    ///
    /// - Throws: ``RedisFault/system(_:)`` when connecting fails at once.
    init(to address: SocketAddress, delegate: any HiredisContextDelegate) throws(RedisFault) {
        self.delegate = delegate
        let connecting =
            switch address {
            case .unix(let path): unsafe redisAsyncConnectUnix(path)
            case .ipv4(_, let port), .ipv6(_, let port):
                unsafe redisAsyncConnect(address.numericHost ?? "", CInt(port))
            }
        guard let context = unsafe connecting else { throw .system("out of memory") }
        guard unsafe context.pointee.err == 0 else {
            let fault = unsafe Self.fault(of: context)
            unsafe redisAsyncFree(context)
            throw fault
        }
        unsafe self.context = context
        unsafe attach(context, address)
    }

    isolated deinit { close() }

    private func attach(_ context: UnsafeMutablePointer<redisAsyncContext>, _ address: SocketAddress) {
        // Not retained: `deinit` frees the context, so hiredis cannot outlive `self`.
        let owner = unsafe Unmanaged.passUnretained(self).toOpaque()
        unsafe context.pointee.data = owner
        unsafe context.pointee.ev.data = owner
        unsafe context.pointee.ev.addWrite = writeWanted
        unsafe context.pointee.ev.delWrite = writeDone
        unsafe context.pointee.ev.cleanup = contextEnds
        // `addRead` and `delRead` stay nil: while connected, the socket is always watched for reading.

        let descriptor = unsafe context.pointee.c.fd
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        if case .unix = address {} else { keepAlive(descriptor) }
        flush = EndOfTurn { [weak self] in self?.flushOutput() }
        watcher = IOWatcher(descriptor: descriptor, for: .write) { [unowned self] in ready($0) }
    }

    /// Makes the kernel notice within about 30 s that the other machine is gone, which matters to a connection that
    /// only listens; all others have a deadline on what they send. `redisEnableKeepAlive` would mark the context as
    /// failed on an error that does not matter.
    private func keepAlive(_ descriptor: CInt) {
        for (level, option, value) in [
            (SOL_SOCKET, SO_KEEPALIVE, 1), (CInt(IPPROTO_TCP), TCP_KEEPIDLE, 15), (CInt(IPPROTO_TCP), TCP_KEEPINTVL, 5),
            (CInt(IPPROTO_TCP), TCP_KEEPCNT, 3),
        ] {
            var value = CInt(value)
            unsafe setsockopt(descriptor, level, option, &value, socklen_t(MemoryLayout<CInt>.size))
        }
    }

    /// Hands a command over; it is written at the end of the turn.
    ///
    /// - Returns: False when the connection is gone or going; then no reply will come.
    func send(_ command: inout RedisCommand) -> Bool { unsafe append(&command, replyArrived) }

    /// Hands a `SUBSCRIBE` over. Nothing but further subscriptions may be sent after it: hiredis 0.14 aborts the
    /// process on most other commands of a subscribed connection.
    func subscribe(_ command: inout RedisCommand) -> Bool { unsafe append(&command, messageArrived) }

    private func append(_ command: inout RedisCommand, _ callback: ReplyCallback) -> Bool {
        guard let context = unsafe context else { return false }
        return command.withEncoded { command in
            unsafe command.withUnsafeBytes { bytes in
                let start = unsafe bytes.baseAddress?.assumingMemoryBound(to: CChar.self)
                return unsafe redisAsyncFormattedCommand(context, callback, nil, start, bytes.count) == REDIS_OK
            }
        }
    }

    /// Bytes that the kernel has not taken.
    var unsentBytes: Int {
        guard let context = unsafe context else { return 0 }
        return unsafe chiredis_unsent_bytes(context)
    }

    /// Closes the connection; the delegate hears nothing more.
    func close() {
        guard let context = unsafe context else { return }
        unsafe self.context = nil
        fault = nil
        stopWatching()
        // Inside a callback of hiredis this only marks the context; hiredis frees it when the callback has returned.
        unsafe redisAsyncFree(context)
    }

    // MARK: The loop's side

    private func ready(_ readiness: Readiness) {
        if readiness.contains(.write) { write() }
        if readiness.contains(.read), let context = unsafe context {
            unsafe receive(context)
            report()
        }
    }

    private func receive(_ context: UnsafeMutablePointer<redisAsyncContext>) {
        let count = isConnected ? unsafe read(context.pointee.c.fd, Self.inbox.baseAddress, Self.inbox.count) : 0
        if count > 0 {
            let bytes = unsafe Self.inbox.baseAddress?.assumingMemoryBound(to: CChar.self)
            // A failure is kept in the reader, where the next call finds it.
            unsafe redisReaderFeed(context.pointee.c.reader, bytes, count)
            unsafe redisProcessCallbacks(context)
        } else {
            // Connecting, the end of the stream, and errors: hiredis sees for itself.
            unsafe redisAsyncHandleRead(context)
        }
    }

    private func flushOutput() {
        // Before that, hiredis would take the flush for the sign that the connection was made.
        guard isConnected, watcher?.isActive == true else { return }
        write()
    }

    private func write() {
        guard let context = unsafe context else { return }
        isFlushing = true
        unsafe redisAsyncHandleWrite(context)
        isFlushing = false
        report()
    }

    /// Tells the delegate what a call into hiredis has changed.
    private func report() {
        if let fault {
            self.fault = nil
            return delegate.disconnected(fault)
        }
        guard !isConnected, let context = unsafe context else { return }
        guard unsafe context.pointee.c.flags & REDIS_CONNECTED != 0 else { return }
        isConnected = true
        watcher?.watch(for: .read)
        delegate.connected()
    }

    private func stopWatching() {
        watcher?.stop()
        watcher = nil
        flush?.cancel()
    }

    // MARK: hiredis' side

    fileprivate func wantsWrite() {
        if isFlushing {
            watcher?.watch(for: isConnected ? [.read, .write] : .write)
        } else {
            flush?.schedule()
        }
    }

    fileprivate func wroteEverything() {
        if isConnected { watcher?.watch(for: .read) }
    }

    fileprivate func ends() {
        guard let context = unsafe context else { return }
        fault = unsafe Self.fault(of: context)
        unsafe self.context = nil
        stopWatching()
    }

    fileprivate func replied(_ reply: borrowing RedisReplyView) {
        // A closed connection may have replies left in hiredis' buffer; nobody waits for them.
        if unsafe context != nil { delegate.replied(reply) }
    }

    fileprivate func published(_ message: borrowing RedisReplyView) {
        if unsafe context != nil { delegate.published(message) }
    }

    private static func fault(of context: UnsafeMutablePointer<redisAsyncContext>) -> RedisFault {
        let words = unsafe withUnsafeBytes(of: &context.pointee.c.errstr) { bytes in
            unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        switch unsafe context.pointee.c.err {
        case REDIS_ERR_EOF: return .closedByPeer
        case REDIS_ERR_PROTOCOL: return .malformedReply
        // An error reply that nobody asked for: "max number of clients reached", or "LOADING".
        case REDIS_ERR_OTHER: return .refused(RedisServerError(reply: words))
        default: return .system(words)
        }
    }
}

// MARK: - The places where hiredis enters Swift

private typealias AsyncContext = UnsafeMutablePointer<redisAsyncContext>
private typealias ReplyCallback =
    @convention(c) (AsyncContext?, UnsafeMutableRawPointer?, UnsafeMutableRawPointer?) -> Void

nonisolated private func owner(_ context: UnsafeMutableRawPointer?) -> HiredisContext {
    guard let context = unsafe context else { preconditionFailure("hiredis lost its context") }
    return unsafe Unmanaged<HiredisContext>.fromOpaque(context).takeUnretainedValue()
}

nonisolated private func writeWanted(context: UnsafeMutableRawPointer?) {
    let owner = unsafe owner(context)
    ReactorActor.assumeIsolated { owner.wantsWrite() }
}

nonisolated private func writeDone(context: UnsafeMutableRawPointer?) {
    let owner = unsafe owner(context)
    ReactorActor.assumeIsolated { owner.wroteEverything() }
}

nonisolated private func contextEnds(context: UnsafeMutableRawPointer?) {
    let owner = unsafe owner(context)
    ReactorActor.assumeIsolated { owner.ends() }
}

nonisolated private func replyArrived(
    context: AsyncContext?,
    reply: UnsafeMutableRawPointer?,
    _: UnsafeMutableRawPointer?
) {
    // No reply: the context is being torn down, see the type's comment.
    guard let reply = unsafe reply?.assumingMemoryBound(to: redisReply.self) else { return }
    let owner = unsafe owner(context?.pointee.data)
    nonisolated(unsafe) let borrowed = unsafe reply
    ReactorActor.assumeIsolated { owner.replied(unsafe RedisReplyView(borrowed)) }
}

nonisolated private func messageArrived(
    context: AsyncContext?,
    reply: UnsafeMutableRawPointer?,
    _: UnsafeMutableRawPointer?
) {
    guard let reply = unsafe reply?.assumingMemoryBound(to: redisReply.self) else { return }
    let owner = unsafe owner(context?.pointee.data)
    nonisolated(unsafe) let borrowed = unsafe reply
    ReactorActor.assumeIsolated { owner.published(unsafe RedisReplyView(borrowed)) }
}
