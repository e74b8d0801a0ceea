public import Reactor

/// The base URL of something that is asked over HTTP: `http://HOST[:PORT][/PATH]`, or the same with `https`.
public struct HTTPBaseURL: Hashable, Sendable, CustomStringConvertible {
    /// What a URL looks like, to complete "must be …".
    public static let form = "http[s]://HOST[:PORT][/PATH]"

    /// Whether it is `https`.
    public let isSecure: Bool
    /// Where it is.
    public let endpoint: Endpoint
    /// For the `Host` field: without the port where that is the scheme's own.
    public let authority: String
    /// What all paths begin with; without a slash at its end.
    public let path: String

    /// Reads a URL; nil for one with a user, a query or a fragment, or of another scheme.
    public init?(parsing url: String) {
        let scheme = url.hasPrefix("https://") ? "https" : "http"
        guard url.hasPrefix("\(scheme)://"), url.utf8.allSatisfy({ (0x21...0x7e).contains($0) }) else { return nil }
        isSecure = scheme == "https"
        let rest = url.dropFirst(scheme.count + 3)
        let host = rest.prefix { $0 != "/" }
        var path = rest.dropFirst(host.count)
        guard !rest.contains(where: { "@?#\\\"".contains($0) }) else { return nil }
        while path.hasSuffix("/") { path = path.dropLast() }
        let hasPort = host.hasPrefix("[") ? !host.hasSuffix("]") : host.contains(":")
        let ownPort: UInt16 = isSecure ? 443 : 80
        guard let endpoint = try? Endpoint(parsing: hasPort ? String(host) : "\(host):\(ownPort)"),
            case .tcp(_, let port) = endpoint, port > 0
        else { return nil }
        self.endpoint = endpoint
        let suffix = ":\(port)"
        authority = port == ownPort ? String(endpoint.description.dropLast(suffix.count)) : endpoint.description
        self.path = String(path)
    }

    /// The URL.
    public var description: String { "\(isSecure ? "https" : "http")://\(authority)\(path)" }
}

/// An upstream as a configuration names it: by its URL, or by the word `simulator` for the one of `simulator.url`.
public enum UpstreamAddress: Hashable, Sendable, CustomStringConvertible {
    /// The stand-in for the outside world.
    case simulator
    /// An upstream of its own.
    case url(HTTPBaseURL)

    /// What it looks like, to complete "must be …".
    public static let form = "simulator or \(HTTPBaseURL.form)"

    /// Reads the word or a URL.
    public init?(parsing text: String) {
        if text == "simulator" {
            self = .simulator
        } else if let url = HTTPBaseURL(parsing: text) {
            self = .url(url)
        } else {
            return nil
        }
    }

    /// The URL that is meant, where that of the simulator is known.
    public func resolved(simulator: HTTPBaseURL) -> HTTPBaseURL {
        switch self {
        case .simulator: simulator
        case .url(let url): url
        }
    }

    /// As a configuration names it.
    public var description: String {
        switch self {
        case .simulator: "simulator"
        case .url(let url): url.description
        }
    }
}
