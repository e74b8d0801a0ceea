internal import Reactor
internal import Redis

/// Whether Redis takes writes now: one that is full, or cannot persist, answers every question and still takes no task.
///
/// Asked by whoever wants to know, and then at most once in a while, by a write that leaves nothing behind.
@ReactorActor
final class WriteProbe {
    /// For how long an answer holds.
    private static let lifetime = Duration.milliseconds(250)
    /// How long the key stays that is written.
    private static let keyMilliseconds: Int64 = 1000

    private let redis: RedisClient
    private let key: String
    private var answer: (isWritable: Bool, at: Instant)?
    private var asking: Promise<Bool, Never>?

    init(_ redis: RedisClient, keys: QueueKeys) {
        self.redis = redis
        key = keys.probe
    }

    /// Asks, unless it was asked just before.
    ///
    /// - Parameter deadline: Until when an answer is of use; no answer means no.
    func isWritable(by deadline: Instant) async -> Bool {
        if let asking { return await asking.result.get() }
        if let answer, Reactor.now - answer.at < Self.lifetime { return answer.isWritable }
        let asking = Promise<Bool, Never>()
        self.asking = asking
        redis.command(
            ["SET", .string(key), "1", "PX", .integer(Self.keyMilliseconds)],
            timeout: max(.milliseconds(1), deadline - Reactor.now)
        ) { [weak self] result in
            let isWritable = if case .success = result { true } else { false }
            self?.answer = (isWritable, Reactor.now)
            self?.asking = nil
            asking.succeed(isWritable)
        }
        return await asking.result.get()
    }
}
