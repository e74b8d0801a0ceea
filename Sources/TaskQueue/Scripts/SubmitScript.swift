internal import Basics
internal import Reactor
internal import Redis
internal import RedisStreams

/// Adds the tasks of one turn to the queue, as far as there is room: in the queue, and for the results that are kept.
///
/// Room is counted and taken in the same script, so that the bound is exact however many submitters there are. A work
/// stream must never be trimmed instead: trimming removes tasks that wait or run.
///
/// All or nothing: whatever can be refused is refused before the first write. So an error reply means that no task was
/// added.
enum SubmitScript {
    /// A task as the script takes it.
    struct Submission {
        let envelope: [UInt8]
        /// Nil for a task whose state nobody can ask for.
        var state: State?
    }

    /// What can be asked for about a task.
    struct State {
        let id: TaskID
        let name: String
        let createdAtMilliseconds: Int
        /// How long it is kept.
        let timeToLive: Duration
    }

    /// Most tasks in one call, which bounds how long Redis is busy with it.
    static let batchLimit = 256

    private static let script = RedisScript(
        """
        -- KEYS: stream, delayed, totals, kept, kept bytes. ARGV: depth limit, task prefix, limit of bytes kept, bytes
        -- set aside for a result, how many tasks have no state, the envelopes of these, and then five for each other
        -- task: envelope, id, name, created at, time to live in ms.
        local call, stream = redis.call, KEYS[1]
        local reserved, plain, first = tonumber(ARGV[4]), tonumber(ARGV[5]), 6
        local tracked = first + plain
        local offered = plain + (#ARGV - 5 - plain) / 5
        local room = ARGV[1] - call('XLEN', stream) - call('ZCARD', KEYS[2])
        if offered > plain then
          local free = ARGV[3] - (call('HGET', KEYS[5], 'total') or 0)
          room = math.min(room, plain + math.max(0, math.floor(free / reserved)))
        end
        local accepted = math.max(0, math.min(offered, room))
        local entries = {}
        for i = first, first + math.min(plain, accepted) - 1 do
          entries[#entries + 1] = call('XADD', stream, '*', 'e', ARGV[i])
        end
        for i = tracked, tracked + (accepted - plain) * 5 - 1, 5 do
          entries[#entries + 1] = call('XADD', stream, '*', 'e', ARGV[i])
          local key = ARGV[2] .. ARGV[i + 1]
          redis.pcall('HSET', key, 'status', 'queued', 'name', ARGV[i + 2], 'created_at', ARGV[i + 3], 'attempt', 1)
          call('PEXPIRE', key, ARGV[i + 4])
          local time = call('TIME')
          redis.pcall('ZADD', KEYS[4], time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[i + 4], ARGV[i + 1])
          redis.pcall('HSET', KEYS[5], ARGV[i + 1], reserved)
          redis.pcall('HINCRBY', KEYS[5], 'total', reserved)
        end
        -- A counter that cannot be counted is no reason to fail.
        if accepted > 0 then redis.pcall('HINCRBY', KEYS[3], 'submitted', accepted) end
        if accepted < offered then redis.pcall('HINCRBY', KEYS[3], 'refused', offered - accepted) end
        return entries
        """
    )

    /// Runs the script.
    ///
    /// - Parameters:
    ///   - submissions: Those without a state first: they cost the script a fraction of the others.
    ///   - handler: Gets the stream entries of the tasks that were accepted, which are the first ones.
    @ReactorActor
    static func run(
        _ submissions: [Submission],
        on redis: RedisClient,
        keys: QueueKeys,
        limits: TaskQueueConfiguration,
        then handler: @escaping @ReactorActor (Result<[StreamPosition], RedisError>) -> Void
    ) {
        script.run(on: redis, keys: [keys.stream, keys.delayed, keys.totals, keys.kept, keys.keptBytes]) { command in
            command.append(limits.depthLimit)
            command.append(keys.taskPrefix)
            command.append(limits.resultBytesLimit)
            command.append(TaskQueueConfiguration.resultReservationBytes)
            command.append(submissions.firstIndex { $0.state != nil } ?? submissions.count)
            for submission in submissions {
                command.append(submission.envelope)
                guard let state = submission.state else { continue }
                command.append(state.id.description)
                command.append(state.name)
                command.append(state.createdAtMilliseconds)
                command.append(state.timeToLive.wholeMilliseconds)
            }
        } then: { outcome in
            switch outcome {
            case .reply(let reply):
                var entries: [StreamPosition] = []
                entries.reserveCapacity(reply.count)
                for index in 0..<reply.count {
                    guard let entry = reply[index].withBytes({ text in StreamPosition(text) }) else {
                        return handler(.failure(.unexpectedReply))
                    }
                    entries.append(entry)
                }
                handler(.success(entries))
            case .failed(let error): handler(.failure(error))
            }
        }
    }
}
