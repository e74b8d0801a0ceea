internal import Configuration

/// `[statistics]`: what the proxy carried.
struct StatisticsSettings: Sendable {
    /// How long it is known.
    var retentionDays = 30

    static let table = ConfigurationTable("statistics", "What the proxy carried", Self()) {
        Key("retention_days", \.retentionDays, in: 1...3650, "Days for which requests of the proxy are kept")
    }
}
