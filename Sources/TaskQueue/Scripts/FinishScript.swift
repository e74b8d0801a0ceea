internal import Basics
internal import Reactor
internal import Redis
internal import RedisStreams

/// Ends a batch of tasks: acknowledges, stores the states of those that are asked for later, and publishes the results
/// that somebody waits for, all in one step.
///
/// Only what this call acknowledges is written. A task that was taken over and ended elsewhere is no longer pending;
/// what this worker has to say about it comes too late and is dropped. So of two workers that ran the same task, the
/// first to finish wins. A failure needs more: it must not take the task from a worker that took it over and may
/// succeed, so it counts only while the task is still this worker's.
///
/// What nearly every task is, a success that somebody waits for, takes a shorter way: ``DeliverScript``.
enum FinishScript {
    /// What becomes of a task.
    enum Disposition: Equatable, Sendable {
        /// It has a result, an error for those who wait, or came too late.
        case ended(TaskEnvelope, TaskOutcome)
        /// It failed for good, and nobody was told: an operator should see it.
        case dead(TaskEnvelope, TaskFailure, attempts: Int)
        /// It is run again later, as this envelope says.
        case retry(TaskEnvelope, after: Duration)
        /// The entry is not an envelope: an operator should see it.
        case unreadable([UInt8])
    }

    /// An entry and what becomes of its task.
    struct Ending {
        let entry: StreamPosition
        let disposition: Disposition
    }

    /// Most tasks in one call, which bounds how long Redis is busy with it.
    static let batchLimit = 256

    private static let script = RedisScript(
        """
        -- KEYS: stream, delayed, dead, totals, kept, kept bytes. ARGV: group, consumer, task prefix, time to live of
        -- results in ms, limit of dead letters; and what each task says.
        local stream, delayed, dead, totals = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
        local group, consumer, task_prefix = ARGV[1], ARGV[2], ARGV[3]
        local result_ttl, dead_limit = ARGV[4], tonumber(ARGV[5])
        local time = redis.call('TIME')
        local now = time[1] * 1000 + math.floor(time[2] / 1000)

        local replies, removed, counts = {}, {}, {}

        local function count(what) counts[what] = (counts[what] or 0) + 1 end

        -- Results for one submitter are gathered, so that it gets one message for the whole batch: see ReplyBatch.
        local function reply(channel, id, outcome)
          if channel == '' then return end
          replies[channel] = replies[channel] or {}
          table.insert(replies[channel], id .. #outcome .. ' ' .. outcome)
        end

        -- A state that has expired stays gone.
        local function set_state(id, ttl, ...)
          local key = task_prefix .. id
          if redis.call('EXISTS', key) == 0 then return end
          redis.pcall('HSET', key, ...)
          if not ttl then return end
          redis.call('PEXPIRE', key, ttl)
          local reserved = redis.pcall('HGET', KEYS[6], id)
          if type(reserved) == 'string' then
            local bytes = redis.call('HSTRLEN', key, 'outcome') + \(TaskQueueConfiguration.stateBytes)
            redis.pcall('HINCRBY', KEYS[6], 'total', bytes - reserved)
            redis.pcall('HSET', KEYS[6], id, bytes)
            redis.pcall('ZADD', KEYS[5], now + ttl, id)
          end
        end

        local function bury(entry, envelope, outcome, attempts)
          if redis.call('XLEN', dead) >= dead_limit then count('dead_dropped') end
          redis.call('XADD', dead, 'MAXLEN', dead_limit, '*',
            'e', envelope, 'outcome', outcome, 'attempts', attempts, 'entry', entry)
        end

        -- XACK does not delete and XDEL does not acknowledge: an entry that has ended needs both.
        local function remove(entry) removed[#removed + 1] = entry end

        local function next_due()
          local first = redis.call('ZRANGE', delayed, 0, 0, 'WITHSCORES')
          if #first == 0 then return -1 end
          return math.max(0, tonumber(first[2]) - now)
        end

        -- Lua's stack takes a few thousand values at most, hence the slices. What comes from an envelope must not stop
        -- the script half way, hence `pcall`.
        local function write_all()
          for channel, batch in pairs(replies) do redis.pcall('PUBLISH', channel, table.concat(batch)) end
          for first = 1, #removed, 1000 do
            redis.call('XDEL', stream, unpack(removed, first, math.min(first + 999, #removed)))
          end
          for what, n in pairs(counts) do redis.pcall('HINCRBY', totals, what, n) end
        end

        -- For each task: entry, kind, reply key, id, outcome, attempt of a tracked task or '', envelope, number.
        local written, retried = 0, false
        local statuses = { succeeded = 'succeeded', failed = 'failed', dead = 'failed', expired = 'expired' }
        for i = 6, #ARGV, 8 do
          local entry, kind, key, id, outcome, tracked, envelope, number = unpack(ARGV, i, i + 7)
          local is_mine = true
          if kind ~= 'succeeded' and kind ~= 'expired' then
            local pending = redis.pcall('XPENDING', stream, group, entry, entry, 1, consumer)
            is_mine = not pending.err and #pending == 1
          end
          if is_mine and redis.call('XACK', stream, group, entry) == 1 then
            written = written + 1
            remove(entry)
            count(kind)
            if kind == 'retried' then
              retried = true
              redis.call('ZADD', delayed, now + number, envelope)
              if tracked ~= '' then set_state(id, nil, 'status', 'queued', 'attempt', tracked) end
            else
              reply(key, id, outcome)
              if tracked ~= '' then
                set_state(id, result_ttl, 'status', statuses[kind], 'outcome', outcome)
              end
              if kind == 'dead' then bury(entry, envelope, outcome, number) end
            end
          end
        end
        write_all()
        return { written, retried and next_due() or -1 }
        """
    )

    /// What the script says.
    struct Summary {
        /// How many of the tasks were ended by this call; the others had been ended before.
        let written: Int
        /// When the next delayed task is due; nil when this call delayed none.
        let nextDue: Duration?
    }

    @ReactorActor
    static func run(
        _ endings: some Collection<Ending>,
        as worker: WorkerIdentity,
        then handler: @escaping @ReactorActor (Result<Summary, RedisError>) -> Void
    ) {
        let keys = worker.keys
        script.run(
            on: worker.redis,
            keys: [keys.stream, keys.delayed, keys.dead, keys.totals, keys.kept, keys.keptBytes]
        ) { command in
            command.append(QueueKeys.group)
            command.append(worker.consumer)
            command.append(keys.taskPrefix)
            command.append(worker.configuration.resultTimeToLive.wholeMilliseconds)
            command.append(worker.configuration.deadLetterLimit)
            for ending in endings { append(ending, to: &command) }
        } then: { outcome in
            switch outcome {
            case .reply(let reply):
                guard reply.count == 2, let written = reply[0].integer, let due = reply[1].integer else {
                    return handler(.failure(.unexpectedReply))
                }
                handler(.success(Summary(written: Int(written), nextDue: due < 0 ? nil : .milliseconds(due))))
            case .failed(let error): handler(.failure(error))
            }
        }
    }

    private static func append(_ ending: Ending, to command: inout RedisCommand) {
        command.append(ending.entry.text)
        switch ending.disposition {
        case .ended(let envelope, let outcome):
            command.append(kind(of: outcome))
            appendRecipient(of: envelope, outcome: outcome.encoded, to: &command)
            command.append("")
            command.append("")
        case .dead(let envelope, let failure, let attempts):
            command.append("dead")
            appendRecipient(of: envelope, outcome: TaskOutcome.failure(failure).encoded, to: &command)
            command.append(envelope.encoded())
            command.append(attempts)
        case .retry(let next, let delay):
            command.append("retried")
            appendRecipient(of: next, outcome: [], to: &command)
            command.append(next.encoded())
            command.append(delay.wholeMilliseconds)
        case .unreadable(let text):
            command.append("dead")
            for _ in 0..<2 { command.append("") }
            command.append(TaskOutcome.failure(.malformedEnvelope).encoded)
            command.append("")
            command.append(text)
            command.append(1)
        }
    }

    private static func appendRecipient(of envelope: TaskEnvelope, outcome: [UInt8], to command: inout RedisCommand) {
        command.append(envelope.replyKey ?? "")
        command.append(envelope.id.description)
        command.append(outcome)
        command.append(envelope.isTracked ? String(envelope.attempt) : "")
    }

    private static func kind(of outcome: TaskOutcome) -> String {
        switch outcome {
        case .success: "succeeded"
        case .failure: "failed"
        case .expired: "expired"
        }
    }
}
