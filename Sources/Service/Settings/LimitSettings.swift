public import Configuration

/// The key of `[limits]` for all requests; slices have others there.
public struct LimitSettings: Sendable {
    /// How long a request may take.
    public var requestTimeout = Duration.seconds(10)

    /// The key.
    public static let table = ConfigurationTable("limits", "What one request may ask for, and for how long", Self()) {
        Key(
            "request_timeout_ms",
            \.requestTimeout,
            in: 10...600_000,
            "Time in which a request must be answered, unless the caller set an earlier deadline; then 504"
        )
    }
}
