internal import Reactor
internal import Redis
internal import RedisStreams

/// Finds out which entries are not in the stream any more: their tasks have ended, or were lost.
enum LookScript {
    /// Most entries in one call, which bounds how long Redis is busy with it.
    static let batchLimit = 256

    private static let script = RedisScript(
        """
        -- KEYS: stream. ARGV: entries. Returns the positions, from 1, of those that are gone.
        local gone = {}
        for i, entry in ipairs(ARGV) do
          if #redis.call('XRANGE', KEYS[1], entry, entry) == 0 then gone[#gone + 1] = i end
        end
        return gone
        """
    )

    /// Runs the script.
    ///
    /// - Parameter handler: Gets the positions, from 0, of the entries that are gone; nothing when Redis did not say.
    @ReactorActor
    static func run(
        _ entries: [StreamPosition],
        on redis: RedisClient,
        keys: QueueKeys,
        then handler: @escaping @ReactorActor ([Int]) -> Void
    ) {
        script.run(on: redis, keys: [keys.stream]) { command in
            for entry in entries { command.append(entry.text) }
        } then: { outcome in
            switch outcome {
            case .reply(let reply):
                var gone: [Int] = []
                for index in 0..<reply.count {
                    if let position = reply[index].integer, position >= 1, position <= entries.count {
                        gone.append(Int(position) - 1)
                    }
                }
                handler(gone)
            case .failed: handler([])
            }
        }
    }
}
