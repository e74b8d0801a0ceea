internal import Basics
internal import Reactor
internal import Redis

/// What each worker does for the queue at regular intervals: makes sure that the consumer group exists, moves delayed
/// tasks that are due into the stream, and takes over tasks whose worker has shown no sign of life.
///
/// A task that was delivered as often as it may be run is given up *before* it is run again: if it kills its worker, no
/// handler of ours ever gets to count that.
enum PatrolScript {
    /// Most tasks taken over in one call, which bounds how long Redis is busy with it. Of delayed tasks that are due it
    /// moves as many; the rest follows at once, because the next due time is then zero.
    private static let batchLimit = 256

    private static let script = RedisScript(
        ScriptPrelude.source + """
            -- KEYS[7]: paused, KEYS[8]: able. ARGV: idle ms for a take-over, most tasks to take, attempt limit, outcome
            -- of a lost task, idle ms after which consumers that hold nothing are removed or '', whether this worker
            -- can work, ms for which that counts.
            local min_idle, limit, attempt_limit = ARGV[6], tonumber(ARGV[7]), tonumber(ARGV[8])
            local lost, stale = ARGV[9], ARGV[10]
            if redis.pcall('XPENDING', stream, group).err then
              redis.call('XGROUP', 'CREATE', stream, group, '0', 'MKSTREAM')
            end

            -- A Redis that takes no writes is no reason to stop.
            local since = now - ARGV[12]
            if ARGV[11] == '1' then
              redis.pcall('ZADD', KEYS[8], now, consumer)
            else
              redis.pcall('ZREM', KEYS[8], consumer)
            end
            redis.pcall('ZREMRANGEBYSCORE', KEYS[8], '-inf', '(' .. since)
            local others = redis.call('ZCARD', KEYS[8])
            if redis.call('ZSCORE', KEYS[8], consumer) then others = others - 1 end

            -- Results that have expired no longer count.
            local gone = redis.call('ZRANGEBYSCORE', KEYS[5], '-inf', now, 'LIMIT', 0, 256)
            for _, id in ipairs(gone) do
              redis.call('HINCRBY', KEYS[6], 'total', -(redis.call('HGET', KEYS[6], id) or 0))
              redis.call('HDEL', KEYS[6], id)
              redis.call('ZREM', KEYS[5], id)
            end
            if redis.call('ZCARD', KEYS[5]) == 0 then redis.call('DEL', KEYS[6]) end

            local due = redis.call('ZRANGEBYSCORE', delayed, '-inf', now, 'LIMIT', 0, 256)
            for _, envelope in ipairs(due) do redis.call('XADD', stream, '*', 'e', envelope) end
            if #due > 0 then redis.call('ZREM', delayed, unpack(due)) end

            local taken = {}

            local function give_up(entry, envelope, attempts, task)
              redis.call('XACK', stream, group, entry)
              remove(entry)
              count('dead')
              bury(entry, envelope, lost, attempts)
              if not task.id then return end
              reply(task.reply or '', task.id, lost)
              if task.tracked then set_state(task.id, result_ttl, 'status', 'failed', 'outcome', lost) end
            end

            local function take_over(entry, deliveries)
              local found = redis.call('XRANGE', stream, entry, entry)[1]
              -- Deleted entries stay pending until somebody acknowledges them.
              if not found then return redis.call('XACK', stream, group, entry) end
              local envelope = found[2][2]
              local ok, task = pcall(cjson.decode, envelope)
              if not ok or type(task) ~= 'table' then task = {} end
              local attempts = deliveries + (tonumber(task.attempt) or 1) - 1
              if attempts >= attempt_limit then return give_up(entry, envelope, attempts, task) end
              count('taken_over')
              redis.call('XCLAIM', stream, group, consumer, 0, entry, 'RETRYCOUNT', deliveries + 1, 'JUSTID')
              taken[#taken + 1] = entry
              taken[#taken + 1] = deliveries + 1
              taken[#taken + 1] = envelope
            end

            local is_paused = redis.call('EXISTS', KEYS[7])
            local pending = {}
            if is_paused == 0 and limit > 0 then
              pending = redis.call('XPENDING', stream, group, 'IDLE', min_idle, '-', '+', limit)
            end
            for _, item in ipairs(pending) do
              -- Our own are not lost: we are only slow, or finding them again is under way.
              if item[2] ~= consumer then take_over(item[1], item[4]) end
            end
            write_all()

            -- A consumer is made by its first read; those of dead processes stay, and only empty ones may go.
            if stale ~= '' then
              for _, info in ipairs(redis.call('XINFO', 'CONSUMERS', stream, group)) do
                local fields = {}
                for i = 1, #info, 2 do fields[info[i]] = info[i + 1] end
                if fields.pending == 0 and fields.idle > tonumber(stale) and fields.name ~= consumer then
                  redis.call('XGROUP', 'DELCONSUMER', stream, group, fields.name)
                end
              end
            end
            return { is_paused, next_due(), now, others, unpack(taken) }
            """
    )

    private static let lostOutcome = TaskOutcome.failure(.workerLost).encoded

    /// What the script says.
    struct Report {
        let isPaused: Bool
        /// When the next delayed task is due; nil when none is delayed.
        let nextDue: Duration?
        /// What Redis' clock showed, in milliseconds.
        let time: UInt64
        /// Whether another worker has said of late that it can work.
        let othersCanWork: Bool
        /// Tasks that are this worker's now.
        let taken: [Delivery]
    }

    /// Runs the script.
    ///
    /// - Parameters:
    ///   - limit: Most tasks to take over.
    ///   - canWork: What to tell the other workers.
    ///   - staleAfter: When given, consumers are removed that hold nothing and have been silent for so long.
    @ReactorActor
    static func run(
        as worker: WorkerIdentity,
        limit: Int,
        canWork: Bool,
        removingConsumersIdleFor staleAfter: Duration?,
        then handler: @escaping @ReactorActor (Result<Report, RedisError>) -> Void
    ) {
        let configuration = worker.configuration
        script.run(on: worker.redis, keys: worker.endingKeys + [worker.keys.paused, worker.keys.able]) { command in
            worker.appendPrelude(to: &command)
            command.append(configuration.takeOverAfter.wholeMilliseconds)
            command.append(min(limit, batchLimit))
            command.append(configuration.retry.attemptLimit)
            command.append(lostOutcome)
            command.append(staleAfter.map { String($0.wholeMilliseconds) } ?? "")
            command.append(canWork ? 1 : 0)
            command.append(configuration.abilityLifetime.wholeMilliseconds)
        } then: { outcome in
            switch outcome {
            case .reply(let reply):
                guard reply.count >= 4, let isPaused = reply[0].integer, let due = reply[1].integer,
                    let time = reply[2].integer, let others = reply[3].integer
                else { return handler(.failure(.unexpectedReply)) }
                handler(
                    .success(
                        Report(
                            isPaused: isPaused != 0,
                            nextDue: due < 0 ? nil : .milliseconds(due),
                            time: UInt64(clamping: time),
                            othersCanWork: others > 0,
                            taken: Delivery.list(in: reply, from: 4)
                        )
                    )
                )
            case .failed(let error): handler(.failure(error))
            }
        }
    }
}
