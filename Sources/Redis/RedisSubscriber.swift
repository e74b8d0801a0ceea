public import Logging
public import Reactor

/// Listens to channels on a connection of its own, and subscribes again after each reconnect.
///
/// Redis does not keep messages: what is published while the connection is down is lost. So a message may only ever be
/// a hint; `onSubscribed` is the moment to look at the truth that it hints at.
///
/// The channels are fixed. hiredis 0.14 stops the process on most sequences that involve `UNSUBSCRIBE`, so this
/// connection never sends one; whoever needs other channels makes another subscriber.
@ReactorActor
public final class RedisSubscriber {
    private let link: RedisLink
    private let channels: [String]

    /// Called after each (re)connect, when all channels are subscribed.
    public var onSubscribed: @ReactorActor () -> Void = {}
    /// Called with the channel and the payload of each message.
    public var onMessage: @ReactorActor (String, Span<UInt8>) -> Void = { _, _ in }
    /// Called when the connection was lost; a new one is being made.
    public var onLost: @ReactorActor () -> Void = {}
    private var confirmed = 0

    /// Makes a subscriber that is not connecting yet.
    ///
    /// - Parameters:
    ///   - channels: Names, not patterns; at least one.
    ///   - purpose: Appended to the client name, to tell this connection apart in `CLIENT LIST`.
    public init(
        _ configuration: RedisConfiguration,
        channels: [String],
        purpose: String = ":subscriber",
        logger: Logger
    ) {
        precondition(!channels.isEmpty)
        self.channels = channels
        link = RedisLink(configuration, purpose: purpose, logger: logger)
        link.onOpened = { [unowned self] connection in
            confirmed = 0
            connection.subscribe(to: channels)
        }
        link.onLost = { [unowned self] in
            confirmed = 0
            onLost()
        }
        link.onPublished = { [unowned self] message in received(message) }
    }

    /// Starts connecting, and keeps trying.
    public func start() { link.start() }

    /// Gives the connection up and makes another: for owners who know that the server was lost. A connection that only
    /// listens finds out late.
    public func reconnect() { link.connection?.abandon(.timedOut) }

    /// Closes the connection for good.
    public func close() {
        confirmed = 0
        link.close()
    }

    /// What the subscriber has done since it was made.
    public var counters: RedisCounters { link.counters }

    /// Whether all channels are subscribed now.
    public var isSubscribed: Bool { confirmed == channels.count }

    /// `["subscribe", channel, count]` or `["message", channel, payload]`.
    private func received(_ message: borrowing RedisReplyView) {
        guard message.count == 3, let kind = message[0].text, let channel = message[1].text else { return }
        switch kind {
        case "subscribe":
            confirmed += 1
            if isSubscribed { onSubscribed() }
        case "message":
            message[2].withBytes { payload in onMessage(channel, payload) }
        default:
            break
        }
    }
}
