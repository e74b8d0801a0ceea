public import Configuration
public import Logging
public import Observability

/// `[logging]`: what is written to the standard error stream, and how.
public enum LoggingSettings {
    /// The form of a line.
    public static let format = ConfigurationKey<LogFormat>.choice(
        "logging.format",
        default: .json,
        "Form of a line: one JSON object, or text for people"
    )

    /// The least severe level that is written.
    public static let level = ConfigurationKey<Logger.Level>.choice(
        "logging.level",
        default: .info,
        "Least severe level that is written"
    )

    /// The share of requests with a line in the access log.
    ///
    /// None by default: a line costs about as much as the answer to a cached request, and at ten thousand of them a
    /// second nobody reads them. Metrics count every request.
    public static let accessSample = ConfigurationKey<Double>.number(
        "logging.access_sample",
        default: 0,
        in: 0...1,
        "Share of requests with a line in the access log; a line can cost as much as the answer"
    )

    static let section = ConfigurationSection(
        "logging",
        "What is written to the standard error stream, and how",
        format,
        level,
        accessSample
    )
}
