public import Reactor
public import Redis
internal import RedisStreams

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
    public func deadLetters(
        limit: Int,
        _ filter: DeadLetterFilter = DeadLetterFilter()
    ) async throws(RedisError) -> [DeadLetter] {
        var letters: [DeadLetter] = []
        try await forEachDeadLetter(filter) { letter throws(RedisError) in
            letters.append(letter)
            return letters.count < limit
        }
        return letters
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
    /// - Returns: How many were put back. Fewer than there are when the queue has no more room.
    public func replay(_ filter: DeadLetterFilter = DeadLetterFilter()) async throws(RedisError) -> Int {
        var count = 0
        try await forEachDeadLetter(filter) { letter throws(RedisError) in
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
    /// - Returns: How many were deleted.
    public func drop(_ filter: DeadLetterFilter = DeadLetterFilter()) async throws(RedisError) -> Int {
        var count = 0
        try await forEachDeadLetter(filter) { letter throws(RedisError) in
            let reply = try await redis.command(["XDEL", .string(keys.dead), .string(letter.entry)])
            count += Int(reply.integer ?? 0)
            return true
        }
        return count
    }

    /// Visits the dead letters that there are now, oldest first, until `body` returns false.
    private func forEachDeadLetter(
        _ filter: DeadLetterFilter,
        _ body: (DeadLetter) async throws(RedisError) -> Bool
    ) async throws(RedisError) {
        // What dies again during a replay is appended, and must not be visited again.
        let end = try await redis.command(["XREVRANGE", .string(keys.dead), "+", "-", "COUNT", 1])
        guard let last = end.array?.first?.array?.first?.text.flatMap({ StreamPosition($0) }) else { return }
        var position: String?
        while true {
            let page = try await pageOfDeadLetters(after: position)
            guard let next = page.last?.array?.first?.text else { return }
            position = next
            for letter in page.compactMap({ DeadLetter($0) }) {
                guard let entry = StreamPosition(letter.entry), entry <= last else { return }
                guard filter.takes(letter) else { continue }
                guard try await body(letter) else { return }
            }
        }
    }

    /// Short, so that Redis is not busy with one for long.
    private func pageOfDeadLetters(after entry: String?) async throws(RedisError) -> [RedisReply] {
        let start = entry.map { "(\($0)" } ?? "-"
        let reply = try await redis.command(["XRANGE", .string(keys.dead), .string(start), "+", "COUNT", 100])
        return reply.array ?? []
    }
}

extension TaskQueueAdministration {
    /// All that the queue knows of one task; nil if that is nothing.
    ///
    /// All entries are looked at, because neither the stream nor the dead letters are ordered by the tasks' ids.
    public func task(_ id: TaskID) async throws(RedisError) -> TaskRecord? {
        let fields = try await redis.command(["HGETALL", .string(keys.task(id))]).fields
        let status = fields.flatMap { TaskStatus(id: id, fields: $0) }
        let waiting = try await waitingTask(id)
        var letter: DeadLetter?
        try await forEachDeadLetter(DeadLetterFilter(id: id)) { found throws(RedisError) in
            letter = found
            return true
        }
        if status == nil, waiting == nil, letter == nil { return nil }
        return TaskRecord(id: id, status: status, queued: waiting, deadLetter: letter)
    }

    private func waitingTask(_ id: TaskID) async throws(RedisError) -> QueuedTask? {
        let reply = try await AdministrationScripts.find.run(
            on: redis,
            keys: [keys.stream, keys.delayed],
            [.string(QueueKeys.group), .string(id.description)]
        )
        return (reply.array ?? []).lazy.compactMap { QueuedTask($0) }.first { $0.id == id }
    }
}
