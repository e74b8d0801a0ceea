internal import Configuration

/// The keys of `[cache]` for averages.
struct AverageCacheSettings: Sendable {
    /// How old an answer about averages may be.
    var averageLifetime = Duration.zero
    /// Bytes kept.
    var bytesLimit = 16 * 1024 * 1024

    static let table = ConfigurationTable("cache", "Answers that are kept to be given again", Self()) {
        Key(
            "average_ttl_ms",
            \.averageLifetime,
            in: 0...3_600_000,
            "Time for which an answer about averages is given again; 0 for never"
        )
        Key("max_bytes", \.bytesLimit, in: 1024...17_179_869_184, "Size of all answers kept at most, in bytes")
    }
}

/// The key of `[limits]` for averages.
struct AverageLimitSettings: Sendable {
    /// Days in one range, both ends included.
    var rangeDaysMax = 3660

    static let table = ConfigurationTable("limits", "What one request may ask for, and for how long", Self()) {
        Key(
            "max_range_days",
            \.rangeDaysMax,
            in: 1...36_600,
            "Days that one request for averages may span; more get 400 INVALID_DATE_RANGE"
        )
    }
}
