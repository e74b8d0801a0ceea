// The system's socket types count as members of whichever C module the compiler reads first, hence all of them.
internal import CCares
internal import CLibev
internal import CLinux
internal import Glibc

/// A socket's address in the form that the kernel takes: no names in it.
public enum SocketAddress: Hashable, Sendable, CustomStringConvertible {
    /// Four bytes in network order and a port.
    case ipv4([UInt8], port: UInt16)
    /// Sixteen bytes in network order and a port.
    case ipv6([UInt8], port: UInt16)
    /// A path in the file system; empty for the unnamed client side of a connection.
    case unix(path: String)

    /// Takes a numeric address such as `127.0.0.1` or `::1`; nil for a name.
    public init?(numericHost host: String, port: UInt16) {
        var v4 = in_addr()
        var v6 = in6_addr()
        if unsafe inet_pton(AF_INET, host, &v4) == 1 {
            self = .ipv4(unsafe withUnsafeBytes(of: &v4) { unsafe Array($0) }, port: port)
        } else if unsafe inet_pton(AF_INET6, host, &v6) == 1 {
            self = .ipv6(unsafe withUnsafeBytes(of: &v6) { unsafe Array($0) }, port: port)
        } else {
            return nil
        }
    }

    /// Reads an address that the kernel or a resolver wrote; nil for a family that is not known here.
    @unsafe init?(_ address: UnsafePointer<sockaddr>, length: socklen_t) {
        let raw = unsafe UnsafeRawPointer(address)
        switch CInt(unsafe address.pointee.sa_family) {
        case AF_INET:
            var v4 = unsafe raw.loadUnaligned(as: sockaddr_in.self)
            self = .ipv4(
                unsafe withUnsafeBytes(of: &v4.sin_addr) { unsafe Array($0) },
                port: UInt16(bigEndian: v4.sin_port)
            )
        case AF_INET6:
            var v6 = unsafe raw.loadUnaligned(as: sockaddr_in6.self)
            self = .ipv6(
                unsafe withUnsafeBytes(of: &v6.sin6_addr) { unsafe Array($0) },
                port: UInt16(bigEndian: v6.sin6_port)
            )
        case AF_UNIX:
            let offset = MemoryLayout<sockaddr_un>.offset(of: \.sun_path) ?? 2
            let bytes = unsafe UnsafeRawBufferPointer(start: raw + offset, count: max(0, Int(length) - offset))
            self = unsafe .unix(path: String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self))
        default:
            return nil
        }
    }

    /// `AF_INET`, `AF_INET6` or `AF_UNIX`.
    var family: CInt {
        switch self {
        case .ipv4: AF_INET
        case .ipv6: AF_INET6
        case .unix: AF_UNIX
        }
    }

    /// Calls `body` with the kernel's form of the address.
    func withSockaddr<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
        var storage = sockaddr_storage()
        let length: Int
        switch self {
        case .ipv4(let bytes, let port):
            var v4 = sockaddr_in()
            v4.sin_family = sa_family_t(AF_INET)
            v4.sin_port = port.bigEndian
            unsafe withUnsafeMutableBytes(of: &v4.sin_addr) { unsafe $0.copyBytes(from: bytes) }
            length = MemoryLayout<sockaddr_in>.size
            unsafe withUnsafeMutableBytes(of: &storage) { unsafe $0.storeBytes(of: v4, as: sockaddr_in.self) }
        case .ipv6(let bytes, let port):
            var v6 = sockaddr_in6()
            v6.sin6_family = sa_family_t(AF_INET6)
            v6.sin6_port = port.bigEndian
            unsafe withUnsafeMutableBytes(of: &v6.sin6_addr) { unsafe $0.copyBytes(from: bytes) }
            length = MemoryLayout<sockaddr_in6>.size
            unsafe withUnsafeMutableBytes(of: &storage) { unsafe $0.storeBytes(of: v6, as: sockaddr_in6.self) }
        case .unix(let path):
            let offset = MemoryLayout<sockaddr_un>.offset(of: \.sun_path) ?? 2
            storage.ss_family = sa_family_t(AF_UNIX)
            let bytes = path.utf8.prefix(Endpoint.longestUnixPathBytes)
            unsafe withUnsafeMutableBytes(of: &storage) { unsafe $0[offset...].copyBytes(from: bytes) }
            length = offset + bytes.count + 1
        }
        return unsafe withUnsafePointer(to: &storage) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe body($0, socklen_t(length)) }
        }
    }

    /// The numeric host, or nil for a Unix-domain socket.
    public var numericHost: String? {
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        let bytes: [UInt8]
        switch self {
        case .ipv4(let address, _), .ipv6(let address, _): bytes = address
        case .unix: return nil
        }
        guard unsafe inet_ntop(family, bytes, &text, socklen_t(text.count)) != nil else { return nil }
        return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// The address as an endpoint.
    public var endpoint: Endpoint {
        switch self {
        case .ipv4(_, let port), .ipv6(_, let port): .tcp(host: numericHost ?? "", port: port)
        case .unix(let path): .unix(path: path)
        }
    }

    /// As ``Endpoint/description``.
    public var description: String { endpoint.description }
}
