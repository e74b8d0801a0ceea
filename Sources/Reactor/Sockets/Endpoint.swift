/// Where a service listens or is reached: a TCP host and port, or a Unix-domain socket.
public enum Endpoint: Hashable, Sendable, CustomStringConvertible {
    /// A host name or a numeric address, and a port; port 0 lets the system choose when listening.
    case tcp(host: String, port: UInt16)
    /// A Unix-domain socket by its path, at most ``longestUnixPathBytes`` bytes.
    case unix(path: String)

    /// `sun_path` is 108 bytes with its terminating zero; unix(7).
    public static let longestUnixPathBytes = 107

    /// Why a text is not an endpoint.
    public enum ParseError: Error, Hashable, Sendable, CustomStringConvertible {
        case missingPort, invalidPort, missingHost, invalidHost, missingPath, pathTooLong

        /// What was expected instead.
        public var description: String {
            switch self {
            case .missingPort: "an address needs a port, as in 127.0.0.1:8080"
            case .invalidPort: "a port is a whole number from 0 to 65535"
            case .missingHost: "an address needs a host before its port, as in 127.0.0.1:8080"
            case .invalidHost: "a host is a name or an address; an IPv6 address stands in brackets, as in [::1]:8080"
            case .missingPath: "unix: needs a path, as in unix:/run/api.sock"
            case .pathTooLong: "the path of a Unix-domain socket has at most \(Endpoint.longestUnixPathBytes) bytes"
            }
        }
    }

    /// Parses `host:port`, `[v6]:port` or `unix:/path`.
    public init(parsing text: String) throws(ParseError) {
        if text.hasPrefix("unix:") {
            let path = String(text.dropFirst(5))
            guard !path.isEmpty else { throw .missingPath }
            guard path.utf8.count <= Self.longestUnixPathBytes else { throw .pathTooLong }
            self = .unix(path: path)
            return
        }
        guard let colon = text.lastIndex(of: ":") else { throw .missingPort }
        let digits = text[text.index(after: colon)...]
        guard digits.allSatisfy({ $0.isASCII && $0.isNumber }), let port = UInt16(digits) else { throw .invalidPort }
        var host = text[..<colon]
        guard !host.isEmpty else { throw .missingHost }
        if host.hasPrefix("[") {
            guard host.hasSuffix("]"), host.count > 2 else { throw .invalidHost }
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            throw .invalidHost
        }
        guard host.utf8.count <= 253, host.allSatisfy({ $0.isASCII && !$0.isWhitespace && $0 != "/" }) else {
            throw .invalidHost
        }
        self = .tcp(host: String(host), port: port)
    }

    /// The host name or address; `localhost` for a Unix-domain socket.
    public var host: String {
        switch self {
        case .tcp(let host, _): host
        case .unix: "localhost"
        }
    }

    /// The text that parses to this endpoint.
    public var description: String {
        switch self {
        case .tcp(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        case .unix(let path): "unix:\(path)"
        }
    }
}
