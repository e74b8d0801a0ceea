internal import HTTPWire
internal import Reactor

/// The base URL of an upstream, as `http://host:port/base`, or the same with `https`.
struct UpstreamURL: Hashable, Sendable, CustomStringConvertible {
    /// Whether it is `https`.
    let isSecure: Bool
    let endpoint: Endpoint
    /// `host` or `host:port`, as it stands in the URL: what `Host` says.
    let authority: String
    /// What stands before the client's path; empty for nothing, and without a slash at its end.
    let basePath: String
    /// The URL without its path.
    let origin: String

    /// Why a text is no such URL.
    enum ParseError: Error, Hashable, Sendable, CustomStringConvertible {
        case notHTTP, invalidHost, invalidPath, invalidWeight

        /// What was expected instead.
        var description: String {
            switch self {
            case .notHTTP: "an upstream is a URL that begins with http:// or https://"
            case .invalidHost: "the URL of an upstream has a host, perhaps a port, and no user"
            case .invalidWeight: "a weight is a whole number from 1 to 1000"
            case .invalidPath: "the path of an upstream is plain, without a query"
            }
        }
    }

    init(parsing text: String) throws(ParseError) {
        guard let scheme = ["http://", "https://"].first(where: { text.hasPrefix($0) }) else { throw .notHTTP }
        isSecure = scheme == "https://"
        let rest = text.dropFirst(scheme.count)
        let authority = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        let path = rest.dropFirst(authority.count)
        guard HeadWriter.isAuthority(String(authority)) else { throw .invalidHost }
        let hasPort = authority.last != "]" && authority.split(separator: "]").last?.contains(":") == true
        guard let endpoint = try? Endpoint(parsing: hasPort ? String(authority) : "\(authority):\(isSecure ? 443 : 80)")
        else {
            throw .invalidHost
        }
        guard Self.isPath(path) else { throw .invalidPath }
        self.endpoint = endpoint
        self.authority = String(authority)
        origin = scheme + authority
        basePath = String(path.last == "/" ? path.dropLast() : path)
    }

    /// The URL as it was given, without a slash at its end.
    var description: String { "\(origin)\(basePath)" }

    /// Whether a text has only what may stand in a path (RFC 3986 §3.3).
    static func isPath(_ text: some StringProtocol) -> Bool { text.utf8.allSatisfy { isPlain($0) } }

    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "/-._~%!$&'()*+,;=:@".utf8.contains(byte)
        }
    }
}
