internal import Reactor
internal import Redis

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
