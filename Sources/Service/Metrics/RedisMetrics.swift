internal import Metrics
internal import Reactor
public import Redis

extension Metric {
    fileprivate static let up = gauge("tickloop_redis_up", "Whether commands can be sent to Redis.")
    fileprivate static let latency = histogram(
        "tickloop_redis_command_duration_seconds",
        "Round trips of commands; one of those in flight is timed at a time."
    )
    fileprivate static let commands = counter(
        "tickloop_redis_commands_total",
        "Commands that were to be sent.",
        labels: "connection"
    )
    fileprivate static let rejected = counter(
        "tickloop_redis_commands_rejected_total",
        "Commands that failed at once because nothing was connected.",
        labels: "connection"
    )
    fileprivate static let connects = counter(
        "tickloop_redis_connects_total",
        "Connections made.",
        labels: "connection"
    )
    fileprivate static let losses = counter(
        "tickloop_redis_connections_lost_total",
        "Connections lost.",
        labels: "connection"
    )
}

extension MetricsRegistry {
    /// Adds what a client counts, and its companion that reads with commands that block.
    ///
    /// - Parameters:
    ///   - readerName: What the reader is for; the label says so.
    ///   - readerCounters: What the reader has done.
    public func add(
        _ client: RedisClient,
        reader readerName: String,
        _ readerCounters: @escaping @ReactorActor () -> RedisCounters
    ) {
        add { page in
            page.add(.up, client.isReady)
            page.add(.latency, client.latency)
            for (name, counters) in [("commands", client.counters), (readerName, readerCounters())] {
                page.add(.commands, counters.commands, [name])
                page.add(.rejected, counters.rejected, [name])
                page.add(.connects, counters.connections, [name])
                page.add(.losses, counters.losses, [name])
            }
        }
    }
}
