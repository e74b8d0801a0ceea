internal import Basics
internal import Reactor
internal import Redis

/// Renews the leases of tasks that a worker is running, if they are still its own.
///
/// `XCLAIM … JUSTID` sets the idle time back without counting a delivery; it would also take a task away from a worker
/// that took it over meanwhile, hence the check before it.
enum RenewScript {
    private static let script = RedisScript(
        """
        -- KEYS: stream. ARGV: group, consumer, entries.
        local lost = {}
        for i = 3, #ARGV do
          local pending = redis.pcall('XPENDING', KEYS[1], ARGV[1], ARGV[i], ARGV[i], 1, ARGV[2])
          if pending.err or #pending == 0 then
            lost[#lost + 1] = ARGV[i]
          else
            redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[i], 'JUSTID')
          end
        end
        return lost
        """
    )

    /// Runs the script.
    ///
    /// - Parameter handler: Gets the entries that are no longer this worker's.
    @ReactorActor
    static func run(
        _ entries: [StreamEntryID],
        as worker: WorkerIdentity,
        then handler: @escaping @ReactorActor (Result<[StreamEntryID], RedisError>) -> Void
    ) {
        script.run(on: worker.redis, keys: [worker.keys.stream]) { command in
            command.append(QueueKeys.group)
            command.append(worker.consumer)
            for entry in entries { command.append(entry.description) }
        } then: { outcome in
            handler(
                outcome.copied().map { reply in
                    (reply.array ?? []).compactMap { $0.text.flatMap { StreamEntryID($0) } }
                }
            )
        }
    }
}

/// Finds tasks that Redis has handed to this worker and that never arrived, because the connection broke in between.
enum ReclaimScript {
    private static let script = RedisScript(
        """
        -- KEYS: stream. ARGV: group, consumer, most tasks, entries that are known.
        local known, found = {}, {}
        for i = 4, #ARGV do known[ARGV[i]] = true end
        local pending = redis.pcall('XPENDING', KEYS[1], ARGV[1], '-', '+', ARGV[3], ARGV[2])
        if pending.err then return found end
        for _, item in ipairs(pending) do
          local entry = item[1]
          if not known[entry] then
            local present = redis.call('XRANGE', KEYS[1], entry, entry)[1]
            if present then
              redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, entry, 'JUSTID')
              found[#found + 1] = entry
              found[#found + 1] = item[4]
              found[#found + 1] = present[2][2]
            else
              redis.call('XACK', KEYS[1], ARGV[1], entry)
            end
          end
        end
        return found
        """
    )

    /// Runs the script. No read of this worker may be under way, because its batch would be found too.
    ///
    /// - Parameter known: Every entry that this worker knows to be its own.
    @ReactorActor
    static func run(
        known: some Collection<StreamEntryID>,
        as worker: WorkerIdentity,
        then handler: @escaping @ReactorActor (Result<[Delivery], RedisError>) -> Void
    ) {
        script.run(on: worker.redis, keys: [worker.keys.stream]) { command in
            command.append(QueueKeys.group)
            command.append(worker.consumer)
            command.append(known.count + worker.configuration.concurrency)
            for entry in known { command.append(entry.description) }
        } then: { outcome in
            switch outcome {
            case .reply(let reply): handler(.success(Delivery.list(in: reply, from: 0)))
            case .failed(let error): handler(.failure(error))
            }
        }
    }
}

/// Gives tasks back that a worker will not finish, so that another can take them over at once. The delivery does not
/// count.
enum HandBackScript {
    /// When to give back.
    enum Condition {
        /// In any case: the worker stops, and leaves the group if it holds nothing else.
        case always
        /// Only if another worker can work. Either way this one no longer counts as one that can, so that of several
        /// which cannot, none gives its tasks to another for ever.
        case othersCanWork
    }

    private static let script = RedisScript(
        """
        -- KEYS: stream, able. ARGV: group, consumer, control channel, message, ms for which ability counts or '',
        -- entries. Returns whether they were given back.
        redis.pcall('ZREM', KEYS[2], ARGV[2])
        if ARGV[5] ~= '' then
          local time = redis.call('TIME')
          local now = time[1] * 1000 + math.floor(time[2] / 1000)
          if redis.call('ZCOUNT', KEYS[2], now - ARGV[5], '+inf') == 0 then return 0 end
        end
        for i = 6, #ARGV do
          local pending = redis.pcall('XPENDING', KEYS[1], ARGV[1], ARGV[i], ARGV[i], 1, ARGV[2])
          if not pending.err and #pending == 1 then
            redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[i],
              'IDLE', 86400000, 'RETRYCOUNT', math.max(0, pending[1][4] - 1), 'JUSTID')
          end
        end
        if #ARGV > 5 then redis.call('PUBLISH', ARGV[3], ARGV[4]) end
        if ARGV[5] ~= '' then return 1 end
        local rest = redis.pcall('XPENDING', KEYS[1], ARGV[1], '-', '+', 1, ARGV[2])
        if not rest.err and #rest == 0 then redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], ARGV[2]) end
        return 1
        """
    )

    /// Runs the script.
    ///
    /// - Returns: Whether the tasks were given back.
    @ReactorActor
    static func run(
        _ entries: [StreamEntryID],
        as worker: WorkerIdentity,
        if condition: Condition
    ) async throws(RedisError) -> Bool {
        var arguments: [RedisArgument] = [
            .string(QueueKeys.group), .string(worker.consumer), .string(worker.keys.control),
            .string(ControlMessage.patrol.rawValue),
        ]
        switch condition {
        case .always: arguments.append("")
        case .othersCanWork:
            arguments.append(.integer(Int64(worker.configuration.abilityLifetime.wholeMilliseconds)))
        }
        for entry in entries { arguments.append(.string(entry.description)) }
        let keys = [worker.keys.stream, worker.keys.able]
        return try await script.run(on: worker.redis, keys: keys, arguments) == .integer(1)
    }
}

/// Marks tracked tasks as running, unless this run of theirs has ended already.
///
/// The first call on a connection may overtake others, because Redis has to be told the script. Hence the comparison of
/// attempts: the state of a task that meanwhile failed, and waits for its next attempt, stays.
enum StartedScript {
    private static let script = RedisScript(
        """
        -- KEYS: states. ARGV: the attempt of each.
        for i, key in ipairs(KEYS) do
          local state = redis.call('HMGET', key, 'status', 'attempt')
          if state[1] == 'queued' and state[2] == ARGV[i] then redis.call('HSET', key, 'status', 'running') end
        end
        return 0
        """
    )

    /// Runs the script; whether it succeeds changes nothing but what a reader of the state sees.
    @ReactorActor
    static func run(_ envelopes: [TaskEnvelope], as worker: WorkerIdentity) {
        guard !envelopes.isEmpty else { return }
        script.run(on: worker.redis, keys: envelopes.map { worker.keys.task($0.id) }) { command in
            for envelope in envelopes { command.append(envelope.attempt) }
        } then: { _ in
        }
    }
}
