public import Configuration

/// `[shutdown]`: how a service ends.
public enum ShutdownSettings {
    /// How long requests and tasks in flight may take to finish.
    public static let grace = ConfigurationKey<Duration>.milliseconds(
        "shutdown.grace_ms",
        default: 10_000,
        in: 0...600_000,
        "Time that requests and tasks in flight may take to finish after SIGTERM or SIGINT"
    )

    static let section = ConfigurationSection("shutdown", "How the service ends", grace)
}
