internal import Basics
internal import Reactor
internal import Redis

/// What each worker does for the queue at regular intervals, beside looking after the stream's group: moves delayed
/// tasks that are due into the stream, lets results expire, and says whether it can work.
enum UpkeepScript {
    private static let script = RedisScript(
        """
        -- KEYS: stream, delayed, kept, kept bytes, paused, able. ARGV: consumer, whether it can work, ms for which that
        -- counts. Of everything at most 256 at once; the rest follows soon.
        local stream, delayed, kept, bytes, able = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[6]
        local time = redis.call('TIME')
        local now = time[1] * 1000 + math.floor(time[2] / 1000)

        -- A Redis that takes no writes is no reason to stop.
        if ARGV[2] == '1' then redis.pcall('ZADD', able, now, ARGV[1]) else redis.pcall('ZREM', able, ARGV[1]) end
        redis.pcall('ZREMRANGEBYSCORE', able, '-inf', '(' .. now - ARGV[3])
        local others = redis.call('ZCARD', able)
        if redis.call('ZSCORE', able, ARGV[1]) then others = others - 1 end

        -- Results that have expired no longer count.
        for _, id in ipairs(redis.call('ZRANGEBYSCORE', kept, '-inf', now, 'LIMIT', 0, 256)) do
          redis.call('HINCRBY', bytes, 'total', -(redis.call('HGET', bytes, id) or 0))
          redis.call('HDEL', bytes, id)
          redis.call('ZREM', kept, id)
        end
        if redis.call('ZCARD', kept) == 0 then redis.call('DEL', bytes) end

        local due = redis.call('ZRANGEBYSCORE', delayed, '-inf', now, 'LIMIT', 0, 256)
        for _, envelope in ipairs(due) do redis.call('XADD', stream, '*', 'e', envelope) end
        if #due > 0 then redis.call('ZREM', delayed, unpack(due)) end
        local first = redis.call('ZRANGE', delayed, 0, 0, 'WITHSCORES')
        local next_due = #first == 0 and -1 or math.max(0, tonumber(first[2]) - now)
        return { redis.call('EXISTS', KEYS[5]), next_due, now, others }
        """
    )

    private static let withdrawal = RedisScript(
        """
        -- KEYS: able. ARGV: consumer, ms for which ability counts. Returns how many others can work.
        redis.pcall('ZREM', KEYS[1], ARGV[1])
        local time = redis.call('TIME')
        return redis.call('ZCOUNT', KEYS[1], time[1] * 1000 + math.floor(time[2] / 1000) - ARGV[2], '+inf')
        """
    )

    /// What the script says.
    struct Report {
        let isPaused: Bool
        /// When the next delayed task is due; nil when none is delayed.
        let nextDue: Duration?
        /// What Redis' clock showed, in milliseconds.
        let time: UInt64
        /// Whether another worker has said of late that it can work.
        let othersCanWork: Bool
    }

    /// Runs the script.
    ///
    /// - Parameter canWork: What to tell the other workers.
    @ReactorActor
    static func run(
        as worker: WorkerIdentity,
        canWork: Bool,
        then handler: @escaping @ReactorActor (Result<Report, RedisError>) -> Void
    ) {
        let keys = worker.keys
        script.run(
            on: worker.redis,
            keys: [keys.stream, keys.delayed, keys.kept, keys.keptBytes, keys.paused, keys.able]
        ) { command in
            command.append(worker.consumer)
            command.append(canWork ? 1 : 0)
            command.append(worker.configuration.abilityLifetime.wholeMilliseconds)
        } then: { outcome in
            switch outcome {
            case .reply(let reply):
                guard reply.count == 4, let isPaused = reply[0].integer, let due = reply[1].integer,
                    let time = reply[2].integer, let others = reply[3].integer
                else { return handler(.failure(.unexpectedReply)) }
                let report = Report(
                    isPaused: isPaused != 0,
                    nextDue: due < 0 ? nil : .milliseconds(due),
                    time: UInt64(clamping: time),
                    othersCanWork: others > 0
                )
                handler(.success(report))
            case .failed(let error): handler(.failure(error))
            }
        }
    }

    /// Says that this worker cannot work, so that of several which cannot, none gives its tasks to another for ever.
    ///
    /// - Returns: Whether another can.
    @ReactorActor
    static func withdraw(_ worker: WorkerIdentity) async throws(RedisError) -> Bool {
        let reply = try await withdrawal.run(
            on: worker.redis,
            keys: [worker.keys.able],
            [
                .string(worker.consumer), .integer(Int64(worker.configuration.abilityLifetime.wholeMilliseconds)),
            ]
        )
        return (reply.integer ?? 0) > 0
    }
}
