internal import Metrics
public import Service

extension MetricsRegistry {
    /// Adds where latest prices come from.
    public func add(_ latest: LatestRoutes) {
        add { page in
            for (source, count) in latest.answers { page.add(.cacheLookups, count, ["latest", source]) }
        }
    }
}
