public import Reactor

/// Where a service listens or is reached, and whether that is over TLS.
public struct ServiceAddress: Hashable, Sendable, CustomStringConvertible {
    /// What an address looks like, to complete "must be …"; https:// may stand before either.
    static let form = "[https://]HOST:PORT or unix:/PATH"

    /// A host with a port, or the path of a Unix-domain socket.
    public let endpoint: Endpoint
    /// Whether over TLS.
    public let isSecure: Bool

    /// Takes the parts.
    public init(_ endpoint: Endpoint, isSecure: Bool = false) {
        self.endpoint = endpoint
        self.isSecure = isSecure
    }

    /// Reads an address as it stands in a file.
    init?(parsing text: String) {
        isSecure = text.hasPrefix("https://")
        let isPlain = text.hasPrefix("http://")
        let rest = text.dropFirst(isSecure ? 8 : isPlain ? 7 : 0)
        guard let endpoint = try? Endpoint(parsing: String(rest)) else { return nil }
        self.endpoint = endpoint
    }

    /// The address as it stands in a file.
    public var description: String { isSecure ? "https://\(endpoint)" : "\(endpoint)" }
}
