public import Configuration

/// `[limits]`: what one request may ask for, and for how long.
public enum LimitSettings {
    /// Days in one range, both ends included.
    public static let maxRangeDays = ConfigurationKey<Int>.integer(
        "limits.max_range_days",
        default: 3660,
        in: 1...36_600,
        "Days that one request for averages may span; more get 400 INVALID_DATE_RANGE"
    )

    /// How long a request may take.
    public static let requestTimeout = ConfigurationKey<Duration>.milliseconds(
        "limits.request_timeout_ms",
        default: 10_000,
        in: 10...600_000,
        "Time in which a request must be answered, unless the caller set an earlier deadline; then 504"
    )

    static let section = ConfigurationSection(
        "limits",
        "What one request may ask for, and for how long",
        maxRangeDays,
        requestTimeout
    )
}
