internal import Access
public import Configuration
internal import HTTPServer
internal import Reactor

/// `[admin]`: where operators are answered.
public struct AdminSettings: Sendable {
    /// Addresses to listen on; none for no such routes at all.
    public var listen = [ServiceAddress(.tcp(host: "127.0.0.1", port: 8001))]
    /// Names of these, besides addresses and `localhost`.
    var hosts: [String] = []

    /// The keys.
    public static let table = ConfigurationTable("admin", "Where operators are answered: /admin/ and /console", Self())
    {
        Key("listen", \.listen, count: 0...16, "Addresses of this machine alone; none for no such routes")
        Key(
            "hosts",
            \.hosts,
            count: 0...16,
            form: "a name",
            "Names that the listener may be asked by, besides addresses and localhost"
        ) { $0.isEmpty || $0.contains("/") ? nil : $0 }
    }
    .requiring { admin, configuration in
        guard configuration[AuthSettings.table].mode == .off,
            let address = admin.listen.first(where: { !$0.endpoint.isLoopback })
        else { return [] }
        return [
            configuration.problem(
                with: "admin.listen",
                "holds \(address): only addresses of this machine while auth.mode is off"
            )
        ]
    }

    /// What is taken from an operator.
    ///
    /// - Parameter isPortShared: Whether several processes listen on the same addresses.
    func http(isPortShared: Bool) -> HTTPServerConfiguration {
        var http = HTTPServerConfiguration()
        http.connectionLimit = 256
        http.isPortShared = isPortShared
        return http
    }
}

extension Endpoint {
    /// Whether only this machine can reach it.
    var isLoopback: Bool {
        switch self {
        case .unix: true
        case .tcp(let host, _): host == "localhost" || host == "::1" || isLoopbackIPv4(host)
        }
    }

    private func isLoopbackIPv4(_ host: String) -> Bool {
        host.hasPrefix("127.") && SocketAddress(numericHost: host, port: 0) != nil
    }
}
