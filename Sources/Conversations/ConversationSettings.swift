internal import Configuration

/// `[conversations]` of the service that answers about them.
struct ConversationSettings: Sendable {
    /// How long an answer is kept in Redis.
    var cacheLifetime = Duration.seconds(3600)
    /// Size of all answers in Redis, in MiB.
    var cacheMiBMax = 32

    static let table = ConfigurationTable("conversations", "Answers about conversations", Self()) {
        Key(
            "cache_ttl_s",
            \.cacheLifetime,
            in: 0...86_400,
            "Time for which an answer is kept in Redis, unless an import comes; 0 for never"
        )
        Key("cache_max_mib", \.cacheMiBMax, in: 1...1_000_000, "MiB of all these answers in Redis at most")
    }
}
