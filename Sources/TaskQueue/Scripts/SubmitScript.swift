internal import Reactor
internal import Redis

/// Adds the tasks of one turn to the queue, as far as there is room.
///
/// Room is counted and taken in the same script, so that the bound is exact however many submitters there are. A work
/// stream must never be trimmed instead: trimming removes tasks that wait or run.
enum SubmitScript {
    /// A task as the script takes it.
    struct Submission {
        let id: TaskID
        let name: String
        let envelope: [UInt8]
        let createdAtMilliseconds: Int
        /// How long to keep the state that can be asked for; nil for a task without one.
        let stateTimeToLive: Duration?
    }

    /// Most tasks in one call, which bounds how long Redis is busy with it.
    static let batchLimit = 256

    private static let script = RedisScript(
        """
        -- KEYS: stream, delayed, totals. ARGV: depth limit, task prefix, then five for each task:
        -- id, name, envelope, created at, time to live of its state in ms or ''.
        local room = tonumber(ARGV[1]) - redis.call('XLEN', KEYS[1]) - redis.call('ZCARD', KEYS[2])
        local accepted, offered = 0, 0
        for i = 3, #ARGV, 5 do
          offered = offered + 1
          if accepted < room then
            accepted = accepted + 1
            redis.call('XADD', KEYS[1], '*', 'e', ARGV[i + 2])
            if ARGV[i + 4] ~= '' then
              local key = ARGV[2] .. ARGV[i]
              redis.call('HSET', key,
                'status', 'queued', 'name', ARGV[i + 1], 'created_at', ARGV[i + 3], 'attempt', 1)
              redis.call('PEXPIRE', key, ARGV[i + 4])
            end
          end
        end
        if accepted > 0 then redis.call('HINCRBY', KEYS[3], 'submitted', accepted) end
        if accepted < offered then redis.call('HINCRBY', KEYS[3], 'refused', offered - accepted) end
        return accepted
        """
    )

    /// Runs the script.
    ///
    /// - Parameter handler: Gets how many of the tasks, from the front, were accepted.
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
            for submission in submissions {
                command.append(submission.id.description)
                command.append(submission.name)
                command.append(submission.envelope)
                command.append(submission.createdAtMilliseconds)
                command.append(submission.stateTimeToLive.map { String($0.wholeMilliseconds) } ?? "")
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
