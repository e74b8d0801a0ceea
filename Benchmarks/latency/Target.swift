import ArgumentParser
import Reactor

/// Who is asked for what: a base URL with a path, and a name for tables.
struct Target: Sendable, Equatable {
    /// The route that is asked with random ranges unless a query stands behind it.
    static let averages = "/prices/average"

    let name: String
    let endpoint: Endpoint
    /// `host:port`, for the field `Host`.
    let authority: String
    /// Path and query.
    let path: String

    /// Whether random ranges are to be put behind the path.
    var wantsRanges: Bool { path == Self.averages }

    /// Reads `URL` or `NAME=URL`; only `http` is spoken.
    init?(_ text: String) {
        let scheme = "http://"
        var name: Substring?
        var url = text[...]
        if !url.hasPrefix(scheme), let sign = url.firstIndex(of: "=") {
            name = url[..<sign]
            url = url[url.index(after: sign)...]
        }
        guard url.hasPrefix(scheme), name != "" else { return nil }
        let rest = url.dropFirst(scheme.count)
        let authority = String(rest.prefix { $0 != "/" && $0 != "?" })
        let path = String(rest.dropFirst(authority.count))
        guard let endpoint = try? Endpoint(parsing: authority), !path.contains(where: { $0.isWhitespace }) else {
            return nil
        }
        self.name = String(name ?? url)
        self.endpoint = endpoint
        self.authority = authority
        self.path = path.isEmpty || path == "/" ? Self.averages : path
    }
}

extension Target: ExpressibleByArgument {
    init?(argument: String) { self.init(argument) }
}
