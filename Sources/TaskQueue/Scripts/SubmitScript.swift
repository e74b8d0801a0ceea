internal import Reactor
internal import Redis

/// Adds the tasks of one turn to the queue, as far as there is room.
///
/// Room is counted and taken in the same script, so that the bound is exact however many submitters there are. A work
/// stream must never be trimmed instead: trimming removes tasks that wait or run.
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
        -- KEYS: stream, delayed, totals. ARGV: depth limit, task prefix, how many tasks have no state, the envelopes
        -- of these, and then five for each other task: envelope, id, name, created at, time to live in ms.
        local call, stream = redis.call, KEYS[1]
        local plain, first = tonumber(ARGV[3]), 4
        local tracked = first + plain
        local offered = plain + (#ARGV - 3 - plain) / 5
        local room = ARGV[1] - call('XLEN', stream) - call('ZCARD', KEYS[2])
        local accepted = math.max(0, math.min(offered, room))
        for i = first, first + math.min(plain, accepted) - 1 do call('XADD', stream, '*', 'e', ARGV[i]) end
        for i = tracked, tracked + (accepted - plain) * 5 - 1, 5 do
          call('XADD', stream, '*', 'e', ARGV[i])
          local key = ARGV[2] .. ARGV[i + 1]
          call('HSET', key, 'status', 'queued', 'name', ARGV[i + 2], 'created_at', ARGV[i + 3], 'attempt', 1)
          call('PEXPIRE', key, ARGV[i + 4])
        end
        if accepted > 0 then call('HINCRBY', KEYS[3], 'submitted', accepted) end
        if accepted < offered then call('HINCRBY', KEYS[3], 'refused', offered - accepted) end
        return accepted
        """
    )

    /// Runs the script.
    ///
    /// - Parameters:
    ///   - submissions: Those without a state first: they cost the script a fraction of the others.
    ///   - handler: Gets how many of the tasks, from the front, were accepted.
    @ReactorActor
    static func run(
        _ submissions: [Submission],
        on redis: RedisClient,
        keys: QueueKeys,
        depthLimit: Int,
        then handler: @escaping @ReactorActor (Result<Int, RedisError>) -> Void
    ) {
        script.run(on: redis, keys: [keys.stream, keys.delayed, keys.totals]) { command in
            command.append(depthLimit)
            command.append(keys.taskPrefix)
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
                handler(reply.integer.map { .success(Int($0)) } ?? .failure(.unexpectedReply))
            case .failed(let error): handler(.failure(error))
            }
        }
    }
}
