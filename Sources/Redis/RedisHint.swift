public import Reactor

/// Tells other processes that there is something to look at: a message without content on a channel.
///
/// A hint may be lost, so it only ever makes something happen sooner. The first goes out at once; those that are given
/// shortly after it become one more, so that a busy process does not flood who listens.
@ReactorActor
public final class RedisHint {
    /// From one message to the next, at least.
    private static let interval = Duration.milliseconds(10)

    private let redis: RedisClient
    private let channel: String
    private var rest: Timer?
    private var isResting = false
    private var isDueAgain = false

    /// - Parameter channel: What a ``RedisSubscriber`` listens to.
    public init(_ redis: RedisClient, channel: String) {
        self.redis = redis
        self.channel = channel
        rest = Timer { [unowned self] in
            isResting = false
            guard isDueAgain else { return }
            isDueAgain = false
            give()
        }
    }

    /// Gives a hint, if Redis is there.
    public func give() {
        guard !isResting else {
            isDueAgain = true
            return
        }
        guard redis.isReady else { return }
        isResting = true
        rest?.schedule(after: Self.interval)
        redis.command(["PUBLISH", .string(channel), ""]) { _ in }
    }
}
