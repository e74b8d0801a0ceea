internal import Glibc

/// A system call that failed.
public struct SystemError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The call's name, as in section 2 of the manual.
    public let call: SystemCall
    /// The error number, as in errno(3).
    public let errno: CInt

    /// Takes the error number of the calling thread's last failed call.
    public init(_ call: SystemCall) {
        self.call = call
        errno = Glibc.errno
    }

    /// Takes an error number that was reported in another way, such as `SO_ERROR`.
    public init(_ call: SystemCall, errno: CInt) {
        self.call = call
        self.errno = errno
    }

    /// Whether the other side answered that nobody listens there.
    public var isConnectionRefused: Bool { errno == ECONNREFUSED || errno == ENOENT }

    /// Whether the address is in use already.
    public var isAddressInUse: Bool { errno == EADDRINUSE }

    /// The call and the system's own words, such as "connect: Connection refused". Bounded and free of payload.
    public var description: String {
        guard let words = unsafe strerror(errno) else { return "\(call): error \(errno)" }
        return unsafe "\(call): \(String(cString: words))"
    }
}

/// The calls that this module makes: a closed set, so that an error is bounded text for metrics.
public enum SystemCall: String, Sendable, CustomStringConvertible {
    case accept, bind, connect, getsockname, getpeername, listen, poll, read, socket, write, stat, unlink

    /// The name itself.
    public var description: String { rawValue }
}
