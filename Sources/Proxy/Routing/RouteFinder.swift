/// Finds the route of a path: the one with the longest prefix that matches.
struct RouteFinder {
    enum Finding: Equatable {
        /// The route, by its place.
        case route(Int)
        /// The path means different things to different readers.
        case ambiguous
        case nothing
    }

    /// Longest first.
    private let prefixes: [(text: String, route: Int)]

    init(_ prefixes: [String]) {
        self.prefixes = prefixes.enumerated().map { (text: $1, route: $0) }
            .sorted { $0.text.utf8.count > $1.text.utf8.count }
    }

    /// - Parameter isOwn: Whether a path is one of the service's own, which no reading of a proxied path may be.
    func find(_ path: String, isOwn: (String) -> Bool) -> Finding {
        guard let route = route(path) else { return .nothing }
        guard let readings = PathReadings.others(of: path) else { return .ambiguous }
        for reading in readings where self.route(reading) != route || isOwn(reading) { return .ambiguous }
        return .route(route)
    }

    func route(_ path: String) -> Int? {
        prefixes.first {
            path.hasPrefix($0.text) || $0.text.utf8.count == path.utf8.count + 1 && $0.text == path + "/"
        }?
        .route
    }
}
