internal import Logging
internal import Reactor
internal import Redis

/// Hears the results that workers publish for this process, on a channel of its own.
///
/// Redis keeps nothing of what it publishes. What was published while nobody listened is lost, and that costs time but
/// never a result: when the channel is subscribed again, the client sends again what it waits for. In return nothing
/// about a result is stored, logged to the append-only file, or trimmed, which was half of what a task cost in Redis.
@ReactorActor
final class ReplyListener {
    /// The channel's name; made for this process alone.
    let channel: String
    private let subscriber: RedisSubscriber
    /// Called with each task's encoded outcome.
    var onReply: (TaskID, Span<UInt8>) -> Void = { _, _ in }
    /// Called when results can arrive, again or for the first time.
    var onOpened: () -> Void = {}
    /// Called when results can no longer arrive.
    var onLost: () -> Void = {}

    init(channel: String, settings: RedisConfiguration, logger: Logger) {
        self.channel = channel
        subscriber = RedisSubscriber(settings, channels: [channel], purpose: ":replies", logger: logger)
        subscriber.onSubscribed = { [unowned self] in onOpened() }
        subscriber.onLost = { [unowned self] in onLost() }
        subscriber.onMessage = { [unowned self] _, message in
            let isComplete = ReplyBatch.read(message, onReply)
            if !isComplete { logger.error("results cannot be read", metadata: ["bytes": "\(message.count)"]) }
        }
    }

    func start() { subscriber.start() }

    func close() { subscriber.close() }

    /// Listens on another connection.
    func reconnect() { subscriber.reconnect() }

    /// What its connection has done.
    var counters: RedisCounters { subscriber.counters }

    /// Whether results can arrive.
    var isOpen: Bool { subscriber.isSubscribed }
}
