internal import Configuration
internal import Logging
internal import Logs

/// `[logging]`: what is written to the standard error stream, and how.
struct LoggingSettings: Sendable {
    var format = LogFormat.json
    /// The least severe level that is written.
    var level = Logger.Level.info
    /// The share of requests with a line in the access log.
    ///
    /// None by default: a line costs about as much as the answer to a cached request, and at ten thousand of them a
    /// second nobody reads them. Metrics count every request.
    var accessSample = 0.0

    static let table = ConfigurationTable("logging", "What is written to the standard error stream, and how", Self()) {
        Key("format", \.format, "Form of a line: one JSON object, or text for people")
        Key("level", \.level, "Least severe level that is written")
        Key(
            "access_sample",
            \.accessSample,
            in: 0...1,
            "Share of requests with a line in the access log; a line can cost as much as the answer"
        )
    }
}
