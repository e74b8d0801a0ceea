public import Reactor

/// Tells other processes that there is something to look at: a message without content on a channel.
///
/// A hint may be lost, so it only ever makes something happen sooner. At most one is on its way; those that are given
/// meanwhile become one more, so that a busy process does not flood who listens.
@ReactorActor
public final class RedisHint {
    private let redis: RedisClient
    private let channel: String
    private var isOnItsWay = false
    private var isDueAgain = false

    /// - Parameter channel: What a ``RedisSubscriber`` listens to.
    public init(_ redis: RedisClient, channel: String) {
        self.redis = redis
        self.channel = channel
    }

    /// Gives a hint, if Redis is there.
    public func give() {
        guard !isOnItsWay else {
            isDueAgain = true
            return
        }
        guard redis.isReady else { return }
        isOnItsWay = true
        redis.command(["PUBLISH", .string(channel), ""]) { [self] _ in
            isOnItsWay = false
            guard isDueAgain else { return }
            isDueAgain = false
            give()
        }
    }
}
