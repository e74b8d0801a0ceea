public import Metrics
public import WebAPI

extension Metric {
    /// Of every cache.
    public static let cacheLookups = counter(
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

extension MetricsRegistry {
    /// Adds what a cache counts.
    public func add(_ cache: RelayCache, as name: String) {
        add { page in
            page.add(.cacheLookups, cache.hits, [name, "hit"])
            page.add(.cacheLookups, cache.misses, [name, "miss"])
            page.add(.evictions, cache.evictions, [name])
            page.add(.entries, cache.count, [name])
            page.add(.size, cache.byteCount, [name])
        }
    }
}
