internal import Configuration

/// The keys of `[prices]` for what workers keep of the answers of providers.
struct RawAnswerSettings: Sendable {
    /// For how long they are kept.
    var retentionDays = 30

    static let table = ConfigurationTable("prices", "Prices as they come", Self()) {
        Key(
            "raw_retention_days",
            \.retentionDays,
            in: 0...3650,
            "Days for which the answers of providers are kept, of which the prices stay; 0 for ever"
        )
    }
}
