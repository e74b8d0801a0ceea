internal import HTTPWire
internal import WebAPI

/// Which scope a request needs: the one table of them (CONTRACT.md §8).
public struct AccessTable: Sendable {
    /// What a token may allow.
    public enum Scope: String, CaseIterable, Sendable {
        case pricesRead = "prices:read"
        case pricesPoll = "prices:poll"
        case ordersRead = "orders:read"
        case ordersWrite = "orders:write"
        case conversationsRead = "conversations:read"
        case statisticsRead = "statistics:read"
        case proxy
        /// Includes all others.
        case admin

        /// Whether a token with these scopes allows it.
        func isAllowed(by scopes: Set<String>) -> Bool {
            scopes.contains(rawValue) || scopes.contains(Self.admin.rawValue)
        }
    }

    private enum Need {
        case nothing
        case scope(Scope)
    }

    /// Paths and all below them, the first that fits counts; what is not here needs `admin`.
    private static let rows: [(path: String, reading: Need, writing: Need)] = [
        ("/health", .nothing, .nothing),
        ("/ready", .nothing, .nothing),
        ("/openapi.json", .nothing, .nothing),
        ("/api-docs", .nothing, .nothing),
        ("/swagger-ui", .nothing, .nothing),
        ("/docs", .nothing, .nothing),
        ("/live", .nothing, .nothing),
        ("/statistics", .nothing, .nothing),
        ("/prices/poll", .scope(.pricesPoll), .scope(.pricesPoll)),
        ("/prices", .scope(.pricesRead), .scope(.admin)),
        ("/tasks", .scope(.pricesRead), .scope(.admin)),
        ("/orders", .scope(.ordersRead), .scope(.ordersWrite)),
        ("/api/conversations", .scope(.conversationsRead), .scope(.admin)),
        ("/api/companies", .scope(.conversationsRead), .scope(.admin)),
        ("/api/tags", .scope(.conversationsRead), .scope(.admin)),
        ("/api/statistics", .scope(.statisticsRead), .scope(.admin)),
    ]

    /// Paths of routes that need nothing, as the description of the service has them.
    let publicPaths: Set<String>

    /// - Parameter path: That of the route; nil for what is passed on to an upstream.
    /// - Returns: nil where anybody may ask.
    func scope(for method: HTTPMethod, _ path: PathTemplate?) -> Scope? {
        guard let path = path?.description else { return .proxy }
        guard !publicPaths.contains(path) else { return nil }
        let row = Self.rows.first { path == $0.path || path.hasPrefix($0.path + "/") }
        guard let row else { return .admin }
        switch method == .get || method == .head ? row.reading : row.writing {
        case .nothing: return nil
        case .scope(let scope): return scope
        }
    }
}
