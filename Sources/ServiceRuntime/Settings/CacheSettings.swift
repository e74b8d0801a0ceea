public import Configuration

/// `[cache]`: answers that are kept to be given again.
public enum CacheSettings {
    /// How old an answer about averages may be.
    public static let averageLifetime = ConfigurationKey<Duration>.milliseconds(
        "cache.average_ttl_ms",
        default: 0,
        in: 0...3_600_000,
        "Time for which an answer about averages is given again; 0 for never"
    )

    /// Bytes kept.
    public static let maxBytes = ConfigurationKey<Int>.integer(
        "cache.max_bytes",
        default: 16_777_216,
        in: 1024...17_179_869_184,
        "Size of all answers kept at most, in bytes"
    )

    static let section = ConfigurationSection(
        "cache",
        "Answers that are kept to be given again",
        averageLifetime,
        maxBytes
    )
}
