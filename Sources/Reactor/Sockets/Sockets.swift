// The system's socket types count as members of whichever C module the compiler reads first, hence all of them.
internal import Basics
internal import CCares
internal import CLibev
internal import CLinux
internal import Glibc

/// What one read or write of a non-blocking descriptor did.
public enum IOResult: Equatable, Sendable {
    /// This many bytes were moved; at least 1, except for a write of nothing.
    case bytes(Int)
    /// Nothing can be moved now; wait for readiness.
    case wouldBlock
    /// The other side has finished sending.
    case endOfStream
    /// The connection is broken.
    case failed(SystemError)
}

/// The socket calls, all non-blocking, with `EINTR` and `EAGAIN` turned into values.
public enum Sockets {
    /// Makes a listening socket.
    ///
    /// - Parameters:
    ///   - backlog: Connections that the kernel completes and keeps before they are accepted.
    ///   - isPortShared: Lets several processes listen on one TCP port, among which the kernel spreads connections;
    ///     `SO_REUSEPORT` in socket(7).
    public static func listen(
        on address: SocketAddress,
        backlog: CInt = 1024,
        isPortShared: Bool = false
    ) throws(SystemError) -> FileDescriptor {
        let descriptor = try make(address.family)
        if case .unix = address {
        } else {
            set(descriptor, SOL_SOCKET, SO_REUSEADDR)
            if isPortShared { set(descriptor, SOL_SOCKET, SO_REUSEPORT) }
            // Accepted sockets inherit it, which saves a call for each.
            set(descriptor, CInt(IPPROTO_TCP), TCP_NODELAY)
        }
        guard unsafe address.withSockaddr({ unsafe bind(descriptor.number, $0, $1) }) == 0 else {
            throw SystemError(.bind)
        }
        guard Glibc.listen(descriptor.number, backlog) == 0 else { throw SystemError(.listen) }
        return descriptor
    }

    /// Keeps a listening TCP socket's queue to one connection from now on; those that are in it stay (listen(2)).
    ///
    /// Whoever finds it full hears nothing, and the kernel there asks again after a second.
    public static func narrowQueue(of listener: CInt) { _ = Glibc.listen(listener, 0) }

    /// Starts to connect; the socket becomes writable when the attempt has ended, see ``pendingError(_:)``.
    public static func connect(to address: SocketAddress) throws(SystemError) -> FileDescriptor {
        let descriptor = try make(address.family)
        if case .unix = address {} else { set(descriptor, CInt(IPPROTO_TCP), TCP_NODELAY) }
        let outcome = unsafe address.withSockaddr { unsafe Glibc.connect(descriptor.number, $0, $1) }
        // EINTR: the attempt goes on in the background like EINPROGRESS; connect(2).
        guard outcome == 0 || errno == EINPROGRESS || errno == EINTR else { throw SystemError(.connect) }
        return descriptor
    }

    /// Takes the next connection off a listening socket; nil when there is none.
    public static func accept(_ listener: CInt) throws(SystemError) -> FileDescriptor? {
        while true {
            let number = clinux_accept_nonblocking(listener)
            if number >= 0 { return FileDescriptor(owning: number) }
            switch errno {
            case EAGAIN: return nil
            // The client gave up while it waited in the queue (accept(2)): on to the next.
            case EINTR, ECONNABORTED, EPROTO: continue
            default: throw SystemError(.accept)
            }
        }
    }

    /// Reads what is there, at most `buffer.count` bytes.
    @unsafe public static func read(_ descriptor: CInt, into buffer: UnsafeMutableRawBufferPointer) -> IOResult {
        while true {
            let count = unsafe Glibc.recv(descriptor, buffer.baseAddress, buffer.count, 0)
            if count > 0 { return .bytes(count) }
            if count == 0 { return .endOfStream }
            if errno == EAGAIN { return .wouldBlock }
            if errno != EINTR { return .failed(SystemError(.read)) }
        }
    }

    /// Writes what there is room for.
    @unsafe public static func write(_ descriptor: CInt, _ bytes: UnsafeRawBufferPointer) -> IOResult {
        while true {
            let count = unsafe Glibc.send(descriptor, bytes.baseAddress, bytes.count, CInt(MSG_NOSIGNAL))
            if count >= 0 { return .bytes(count) }
            if errno == EAGAIN { return .wouldBlock }
            if errno != EINTR { return .failed(SystemError(.write)) }
        }
    }

    /// What became of ``connect(to:)`` once the socket is writable; nil when it is connected. `SO_ERROR` in socket(7).
    public static func pendingError(_ descriptor: CInt) -> SystemError? {
        var error: CInt = 0
        var length = socklen_t(MemoryLayout<CInt>.size)
        guard unsafe getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &length) == 0 else {
            return SystemError(.connect)
        }
        return error == 0 ? nil : SystemError(.connect, errno: error)
    }

    /// The address that a socket is bound to.
    public static func localAddress(_ descriptor: CInt) throws(SystemError) -> SocketAddress {
        unsafe try address(descriptor, .getsockname) { unsafe getsockname($0, $1, $2) }
    }

    /// The address of the other side.
    public static func peerAddress(_ descriptor: CInt) throws(SystemError) -> SocketAddress {
        unsafe try address(descriptor, .getpeername) { unsafe getpeername($0, $1, $2) }
    }

    /// Says that no more bytes will be sent; the other side may still send.
    public static func shutdownWrite(_ descriptor: CInt) { _ = shutdown(descriptor, CInt(SHUT_WR)) }

    /// Lets the kernel take no more than so many bytes beyond those that are on their way; `TCP_NOTSENT_LOWAT` in
    /// tcp(7). Without effect on a Unix-domain socket.
    public static func limitUnsent(_ descriptor: CInt, _ byteCount: Int) {
        var value = CInt(clamping: byteCount)
        let size = socklen_t(MemoryLayout<CInt>.size)
        _ = unsafe setsockopt(descriptor, CInt(IPPROTO_TCP), TCP_NOTSENT_LOWAT, &value, size)
    }

    /// How long the other side may leave unacknowledged, or not take, what is sent to it; then the connection is
    /// broken. `TCP_USER_TIMEOUT` in tcp(7). Without effect on a Unix-domain socket.
    public static func limitUnacknowledged(_ descriptor: CInt, _ limit: Duration) {
        var value = CInt(clamping: limit.wholeMilliseconds)
        let size = socklen_t(MemoryLayout<CInt>.size)
        _ = unsafe setsockopt(descriptor, CInt(IPPROTO_TCP), TCP_USER_TIMEOUT, &value, size)
    }

    /// Has the connection reset when the socket is closed; `SO_LINGER` in socket(7). Without effect on a Unix-domain
    /// socket.
    public static func resetWhenClosed(_ descriptor: CInt) {
        var value = linger(l_onoff: 1, l_linger: 0)
        _ = unsafe setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &value, socklen_t(MemoryLayout<linger>.size))
    }

    private static func address(
        _ descriptor: CInt,
        _ call: SystemCall,
        _ ask: (CInt, UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> CInt
    ) throws(SystemError) -> SocketAddress {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let address = unsafe withUnsafeMutablePointer(to: &storage) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address -> SocketAddress? in
                guard unsafe ask(descriptor, address, &length) == 0 else { return nil }
                return unsafe SocketAddress(address, length: length)
            }
        }
        guard let address else { throw SystemError(call) }
        return address
    }

    private static func make(_ family: CInt) throws(SystemError) -> FileDescriptor {
        let kind = CInt(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        let number = Glibc.socket(family, kind, 0)
        guard number >= 0 else { throw SystemError(.socket) }
        return FileDescriptor(owning: number)
    }

    /// Switches a flag on. Failure is not an error: each of these only makes things faster or start-up easier.
    private static func set(_ descriptor: borrowing FileDescriptor, _ level: CInt, _ option: CInt) {
        var on: CInt = 1
        _ = unsafe setsockopt(descriptor.number, level, option, &on, socklen_t(MemoryLayout<CInt>.size))
    }
}
