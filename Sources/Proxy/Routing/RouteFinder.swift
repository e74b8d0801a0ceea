internal import Basics

/// Finds the route of a path: the one with the longest prefix that matches.
struct RouteFinder {
    enum Finding: Equatable {
        /// The route, by its place.
        case route(Int)
        /// The path means different things to different readers.
        case ambiguous
        case nothing
    }

    /// Longest first. By bytes: a mark that combines with the slash before it would hide that from a comparison of
    /// characters.
    private let prefixes: [(bytes: [UInt8], route: Int)]

    init(_ prefixes: [String]) {
        self.prefixes = prefixes.enumerated().map { (bytes: Array($1.utf8), route: $0) }
            .sorted { $0.bytes.count > $1.bytes.count }
    }

    /// - Parameter isOwn: Whether a path is one of the service's own, which no reading of a proxied path may be.
    func find(_ path: String, isOwn: (String) -> Bool) -> Finding {
        guard let (prefix, route) = longest(path) else { return .nothing }
        guard let readings = PathReadings.others(of: path) else { return .ambiguous }
        guard !readings.isEmpty else { return .route(route) }
        for reading in readings where self.route(reading) != route || isOwn(reading) { return .ambiguous }
        return PathReadings.climb(path, outOf: prefix) ? .ambiguous : .route(route)
    }

    func route(_ path: String) -> Int? { longest(path)?.route }

    private func longest(_ path: String) -> (prefix: [UInt8], route: Int)? {
        let path = path.utf8.span
        for (bytes, route) in prefixes {
            let prefix = bytes.span
            // Of a folder, also without the slash at its end.
            guard path.begins(with: prefix) || prefix.count == path.count + 1 && prefix.begins(with: path) else {
                continue
            }
            return (bytes, route)
        }
        return nil
    }
}
