public import Reactor
public import Redis
internal import Streams

/// What operators do with a queue: look, pause, and decide about dead letters.
@ReactorActor
public struct TaskQueueAdministration {
    private let redis: RedisClient
    private let keys: QueueKeys
    private let depthLimit: Int

    /// - Parameter redis: A started client; it stays the caller's.
    public init(_ configuration: TaskQueueConfiguration, redis: RedisClient) {
        self.redis = redis
        keys = QueueKeys(queue: configuration.name)
        depthLimit = configuration.depthLimit
    }

    // MARK: Looking

    /// The state of the queue at one moment.
    ///
    /// - Parameter timeout: How long to wait for it; nil means ``RedisConfiguration/commandTimeout``.
    public func statistics(within timeout: Duration? = nil) async throws(RedisError) -> QueueStatistics {
        let reply = try await AdministrationScripts.statistics.run(
            on: redis,
            keys: [keys.stream, keys.delayed, keys.dead, keys.paused, keys.totals],
            [.string(QueueKeys.group)],
            timeout: timeout
        )
        guard let statistics = QueueStatistics(reply) else { throw .unexpectedReply }
        return statistics
    }

    /// The oldest tasks in the queue and then those that wait for a retry, at most `limit` of each.
    public func list(limit: Int) async throws(RedisError) -> [QueuedTask] {
        let reply = try await AdministrationScripts.list.run(
            on: redis,
            keys: [keys.stream, keys.delayed],
            [.string(QueueKeys.group), .integer(Int64(limit))]
        )
        return (reply.array ?? []).compactMap { QueuedTask($0) }
    }

    /// Tasks that were given up, oldest first.
    ///
    /// - Parameter after: Where to go on: the last entry of the page before.
    public func deadLetters(limit: Int, after entry: String? = nil) async throws(RedisError) -> [DeadLetter] {
        let start = entry.map { "(\($0)" } ?? "-"
        let reply = try await redis.command(
            ["XRANGE", .string(keys.dead), .string(start), "+", "COUNT", .integer(Int64(limit))]
        )
        return (reply.array ?? []).compactMap { DeadLetter($0) }
    }

    // MARK: Pausing

    /// Makes workers take no more tasks; what they run, they finish. Submissions are still accepted, within the depth
    /// limit.
    ///
    /// - Returns: False when the queue was paused already.
    @discardableResult
    public func pause() async throws(RedisError) -> Bool {
        try await AdministrationScripts.pause.run(
            on: redis,
            keys: [keys.paused],
            [.string(keys.control), .string(ControlMessage.pause.rawValue)]
        ) == .integer(1)
    }

    /// Lets workers take tasks again.
    ///
    /// - Returns: False when the queue was not paused.
    @discardableResult
    public func resume() async throws(RedisError) -> Bool {
        try await AdministrationScripts.resume.run(
            on: redis,
            keys: [keys.paused],
            [.string(keys.control), .string(ControlMessage.resume.rawValue)]
        ) == .integer(1)
    }

    // MARK: Dead letters

    /// Puts dead letters back into the queue, with their ids and with all attempts before them. Nobody waits for them
    /// any more, so they have neither deadline nor recipient.
    ///
    /// - Parameter id: The task; nil means every dead letter.
    /// - Returns: How many were put back. Fewer than there are when the queue has no more room.
    public func replay(_ id: TaskID? = nil) async throws(RedisError) -> Int {
        var count = 0
        try await forEachDeadLetter(id) { letter throws(RedisError) in
            guard let text = letter.replayed else { return true }
            let reply = try await AdministrationScripts.replay.run(
                on: redis,
                keys: [keys.dead, keys.stream, keys.delayed],
                [
                    .string(letter.entry), .bytes(text), .integer(Int64(depthLimit)),
                    .string(letter.taskID.map { keys.task($0) } ?? ""),
                ]
            )
            if reply == .integer(1) { count += 1 }
            return reply != .integer(-1)
        }
        return count
    }

    /// Deletes dead letters.
    ///
    /// - Parameter id: The task; nil means every dead letter.
    /// - Returns: How many were deleted.
    public func drop(_ id: TaskID? = nil) async throws(RedisError) -> Int {
        var count = 0
        try await forEachDeadLetter(id) { letter throws(RedisError) in
            let reply = try await redis.command(["XDEL", .string(keys.dead), .string(letter.entry)])
            count += Int(reply.integer ?? 0)
            return true
        }
        return count
    }

    /// Visits the dead letters that there are now, until `body` returns false.
    private func forEachDeadLetter(
        _ id: TaskID?,
        _ body: (DeadLetter) async throws(RedisError) -> Bool
    ) async throws(RedisError) {
        // What dies again during a replay is appended, and must not be visited again.
        let end = try await redis.command(["XREVRANGE", .string(keys.dead), "+", "-", "COUNT", 1])
        guard let last = end.array?.first.flatMap({ DeadLetter($0) }).flatMap({ StreamPosition($0.entry) }) else {
            return
        }
        var position: String?
        while true {
            let page = try await deadLetters(limit: 100, after: position)
            guard let next = page.last?.entry else { return }
            position = next
            for letter in page {
                guard let entry = StreamPosition(letter.entry), entry <= last else { return }
                if id != nil, letter.taskID != id { continue }
                guard try await body(letter) else { return }
            }
        }
    }
}
