public import Configuration

/// `[limits]`: what one request may ask for, and for how long.
public struct LimitSettings: Sendable {
    /// Days in one range, both ends included.
    public var rangeDaysMax = 3660
    /// How long a request may take.
    public var requestTimeout = Duration.seconds(10)

    /// The keys.
    public static let table = ConfigurationTable("limits", "What one request may ask for, and for how long", Self()) {
        Key(
            "max_range_days",
            \.rangeDaysMax,
            in: 1...36_600,
            "Days that one request for averages may span; more get 400 INVALID_DATE_RANGE"
        )
        Key(
            "request_timeout_ms",
            \.requestTimeout,
            in: 10...600_000,
            "Time in which a request must be answered, unless the caller set an earlier deadline; then 504"
        )
    }
}
