internal import Configuration

/// `[proxycache]`: what the routes of the proxy with `cache = true` keep together.
struct ProxyCacheSettings: Sendable {
    /// Bytes kept.
    var byteLimit = 64 * 1024 * 1024

    static let table = ConfigurationTable(
        "proxycache",
        "Answers that routes of [[proxy]] with a cache keep together",
        Self()
    ) {
        Key(
            "max_bytes",
            \.byteLimit,
            in: 65_536...17_179_869_184,
            "Size of all of them at most, in bytes; of one a sixteenth of it"
        )
    }
}
