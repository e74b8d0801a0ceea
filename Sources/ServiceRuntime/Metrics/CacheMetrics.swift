internal import Metrics
internal import Reactor

extension Metric {
    fileprivate static let lookups = counter(
        "tickloop_cache_lookups_total",
        "Questions to a cache, by result; none while it is switched off.",
        labels: "cache",
        "result"
    )
    fileprivate static let evictions = counter(
        "tickloop_cache_evictions_total",
        "Entries dropped before their time to make room.",
        labels: "cache"
    )
    fileprivate static let entries = gauge("tickloop_cache_entries", "Entries that are kept.", labels: "cache")
    fileprivate static let size = gauge("tickloop_cache_bytes", "Size of what is kept.", labels: "cache")
}

/// What a cache has done, and how full it is.
public struct CacheFigures: Sendable {
    let hits: Int
    let misses: Int
    let evictions: Int
    let entries: Int
    let bytes: Int

    /// Takes the figures.
    public init(hits: Int, misses: Int, evictions: Int, entries: Int, bytes: Int) {
        self.hits = hits
        self.misses = misses
        self.evictions = evictions
        self.entries = entries
        self.bytes = bytes
    }
}

extension MetricsRegistry {
    /// Adds what a cache counts.
    public func add(cache name: String, _ figures: @escaping @ReactorActor () -> CacheFigures) {
        add { page in
            let figures = figures()
            page.add(.lookups, figures.hits, [name, "hit"])
            page.add(.lookups, figures.misses, [name, "miss"])
            page.add(.evictions, figures.evictions, [name])
            page.add(.entries, figures.entries, [name])
            page.add(.size, figures.bytes, [name])
        }
    }
}
