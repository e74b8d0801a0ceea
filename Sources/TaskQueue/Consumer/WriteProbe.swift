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
    /// Who waits for the answer that was asked for; nobody while nothing is asked.
    private var waiting: [Promise<Bool, Never>] = []

    init(_ redis: RedisClient, keys: QueueKeys) {
        self.redis = redis
        key = keys.probe
    }

    /// Asks, unless it was asked just before.
    ///
    /// - Parameter deadline: Until when an answer is of use; no answer means no.
    func isWritable(by deadline: Instant) async -> Bool {
        if let answer, Reactor.now - answer.at < Self.lifetime { return answer.isWritable }
        let promise = Promise<Bool, Never>()
        waiting.append(promise)
        if waiting.count == 1 {
            redis.command(
                ["SET", .string(key), "1", "PX", .integer(Self.keyMilliseconds)],
                timeout: max(.milliseconds(1), deadline - Reactor.now)
            ) { [self] result in
                if case .success = result { answered(true) } else { answered(false) }
            }
        }
        return await promise.result.get()
    }

    private func answered(_ isWritable: Bool) {
        answer = (isWritable, Reactor.now)
        let all = waiting
        waiting = []
        for promise in all { promise.succeed(isWritable) }
    }
}
