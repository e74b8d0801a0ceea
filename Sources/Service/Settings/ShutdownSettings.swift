internal import Configuration

/// `[shutdown]`: how a service ends.
struct ShutdownSettings: Sendable {
    /// How long requests and tasks in flight may take to finish.
    var grace = Duration.seconds(10)

    static let table = ConfigurationTable("shutdown", "How the service ends", Self()) {
        Key(
            "grace_ms",
            \.grace,
            in: 0...600_000,
            "Time that requests and tasks in flight may take to finish after SIGTERM or SIGINT"
        )
    }
}
