internal import JSONWire

/// What a limit can be about: the routes of a service, and the paths that it passes on.
public struct RateReach: Hashable, Sendable {
    private let routes: [RateRule.Scope]
    private let prefixes: [String]

    /// - Parameters:
    ///   - routes: The names of those of the service.
    ///   - prefixes: With which paths begin that it passes on.
    public init(_ routes: [String], passingOn prefixes: [String]) {
        self.routes = routes.compactMap { RateRule.Scope($0) }
        self.prefixes = prefixes
    }

    /// Whether there is anything that a limit of this scope could ever count.
    func meets(_ scope: RateRule.Scope) -> Bool {
        let isOwn = routes.contains { scope.covers(method: $0.method ?? "") && scope.covers(path: $0.path) }
        return isOwn
            || prefixes.contains { scope.path.hasPrefix($0) || scope.isPrefix && $0.hasPrefix(scope.path) }
    }

    // MARK: JSON

    /// Reads what ``json`` wrote; nil for anything else.
    init?(_ json: JSONValue) {
        guard let routes = json["routes"]?.array, let prefixes = json["prefixes"]?.array else { return nil }
        self.routes = routes.compactMap { $0.string.flatMap { RateRule.Scope($0) } }
        self.prefixes = prefixes.compactMap(\.string)
    }

    /// Both as an object.
    var json: [UInt8] {
        var writer = JSONWriter(capacity: 1024)
        writer.object { writer in
            writer.key("routes")
            writer.array { writer in
                for route in routes { writer.string(route.description) }
            }
            writer.key("prefixes")
            writer.array { writer in
                for prefix in prefixes { writer.string(prefix) }
            }
        }
        return writer.take()
    }
}
