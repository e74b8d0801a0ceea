internal import HTTPWire

/// A URL without its scheme: what a purge names, and what a request changes, however it was asked.
public struct CacheTarget: Hashable, Sendable {
    /// `host` or `host:port`, in lower case; without the port that the scheme stands for (RFC 9110 §4.2.3).
    let host: String
    /// Path and query, as they came.
    let path: String

    init(host: String, path: String) {
        self.host = host
        self.path = path
    }

    /// Reads `host/path?query`; nil without a slash.
    init?(_ text: some StringProtocol) {
        guard let slash = text.utf8.firstIndex(of: UInt8(ascii: "/")) else { return nil }
        host = text[..<slash].lowercased()
        path = String(text[slash...])
    }

    /// What a URL is kept under; nil for one that no gateway is asked for.
    public init?(ofURL url: String) {
        guard let scheme = ["http://", "https://"].first(where: { url.lowercased().hasPrefix($0) }) else { return nil }
        let rest = url.dropFirst(scheme.count)
        let host = rest.prefix { $0 != "/" && $0 != "?" }
        guard !host.isEmpty, !url.contains(where: { $0 == " " || $0 == "#" }) else { return nil }
        let path = rest.dropFirst(host.count)
        self.host = Self.host(host.lowercased(), isSecure: scheme == "https://")
        self.path = (path.hasPrefix("/") ? "" : "/") + path
    }

    fileprivate init(_ head: RequestHead, isSecure: Bool) {
        host = Self.host((head.authority ?? "").lowercased(), isSecure: isSecure)
        path = head.pathAndQuery
    }

    private static func host(_ authority: String, isSecure: Bool) -> String {
        for ending in [isSecure ? ":443" : ":80", ":"] where authority.hasSuffix(ending) {
            return String(authority.dropLast(ending.count))
        }
        return authority
    }

    /// `host/path?query`.
    var text: String { host + path }

    /// Whether another one begins with this one.
    func isPrefix(of other: Self) -> Bool { host == other.host && other.path.utf8.starts(with: path.utf8) }
}

/// What an answer is kept under: whoever is asked under another name may answer something else, and who is told by
/// `X-Forwarded-Proto` that a client came without TLS may send it away.
struct CacheKey: Hashable {
    let target: CacheTarget
    let isSecure: Bool

    /// What it weighs.
    var byteCount: Int { target.host.utf8.count + target.path.utf8.count }
}

extension CacheKey {
    init(_ head: RequestHead, isSecure: Bool) {
        self.init(target: CacheTarget(head, isSecure: isSecure), isSecure: isSecure)
    }
}
