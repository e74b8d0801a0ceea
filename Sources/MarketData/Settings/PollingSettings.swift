internal import Configuration

/// `[polling]`: jobs that fetch prices again and again.
struct PollingSettings: Sendable {
    /// Most jobs at once.
    var jobsMax = 1000

    static let table = ConfigurationTable("polling", "Jobs that fetch prices again and again", Self()) {
        Key(
            "max_jobs",
            \.jobsMax,
            in: 0...1_000_000,
            "Polling jobs there may be; past that, new ones get 503 OVERLOADED"
        )
    }
}
