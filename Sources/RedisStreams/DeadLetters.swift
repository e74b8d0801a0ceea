public import Reactor
public import Redis

/// A stream of entries that were given up: what is in it, and the ways out of it.
@ReactorActor
public struct DeadLetters {
    /// One of them.
    public struct Letter: Sendable {
        /// Its place among the dead.
        public let id: StreamPosition
        /// What it was, without what was noted when it was given up.
        public let fields: [StreamEntry.Field]
        /// Where it was in the stream before it was given up for the first time.
        public let originalID: String
        /// How often it was tried.
        public let attempts: String
        /// What was wrong the last time.
        public let error: String
    }

    /// Letters of one step.
    private static let batch = 256
    private static let notes: Set<String> = ["original_id", "attempts", "error"]

    private let stream: String
    private let deadLetters: String
    private let redis: RedisClient

    /// - Parameters:
    ///   - stream: Where they came from, and go when they are replayed.
    ///   - deadLetters: Where they are.
    public init(stream: String, deadLetters: String, redis: RedisClient) {
        self.stream = stream
        self.deadLetters = deadLetters
        self.redis = redis
    }

    /// The oldest of them.
    ///
    /// - Parameter after: Only younger ones.
    public func list(limit: Int, after: StreamPosition? = nil) async throws(RedisError) -> [Letter] {
        let reply = try await redis.command([
            "XRANGE", .string(deadLetters), .string(after.map { "(\($0)" } ?? "-"), "+", "COUNT",
            .integer(Int64(limit)),
        ])
        guard let entries = reply.array else { throw .unexpectedReply }
        return entries.compactMap { StreamEntry($0) }.map { entry in
            func note(_ name: String) -> String {
                entry.fields.last { $0.name == name }.map { String(decoding: $0.value, as: UTF8.self) } ?? ""
            }
            return Letter(
                id: entry.id,
                fields: entry.fields.filter { !Self.notes.contains($0.name) },
                originalID: note("original_id"),
                attempts: note("attempts"),
                error: note("error")
            )
        }
    }

    /// Puts one back at the end of the stream. False if there is no such letter.
    public func replay(_ id: StreamPosition) async throws(RedisError) -> Bool {
        let reply = try await Self.replayScript.run(
            on: redis,
            keys: [deadLetters, stream],
            [.string(id.description)]
        )
        return reply.integer == 1
    }

    /// Puts all back that are there now; returns how many.
    public func replayAll() async throws(RedisError) -> Int {
        try await forEach { letter throws(RedisError) in try await replay(letter.id) }
    }

    /// Removes one for good. False if there is no such letter.
    public func drop(_ id: StreamPosition) async throws(RedisError) -> Bool {
        try await redis.command(["XDEL", .string(deadLetters), .string(id.description)]).integer == 1
    }

    /// Removes all that are there now; returns how many.
    public func dropAll() async throws(RedisError) -> Int {
        try await forEach { letter throws(RedisError) in try await drop(letter.id) }
    }

    /// One that fails again meanwhile is not met a second time.
    private func forEach(_ body: (Letter) async throws(RedisError) -> Bool) async throws(RedisError) -> Int {
        let newest = try await redis.command(["XREVRANGE", .string(deadLetters), "+", "-", "COUNT", 1])
        guard let last = newest.array?.first.flatMap({ StreamEntry($0) })?.id else { return 0 }
        var count = 0
        var after: StreamPosition?
        while true {
            let letters = try await list(limit: Self.batch, after: after)
            for letter in letters where letter.id <= last {
                if try await body(letter) { count += 1 }
            }
            guard let end = letters.last?.id, end < last else { return count }
            after = end
        }
    }

    /// KEYS: dead letters, stream. ARGV: id.
    private static let replayScript = RedisScript(
        """
        local found = redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1])[1]
        if not found then return 0 end
        local fields = {}
        for i = 1, #found[2], 2 do
          local name = found[2][i]
          -- Should it fail again, it is still known by its first id.
          if name ~= 'attempts' and name ~= 'error' then
            fields[#fields + 1] = name
            fields[#fields + 1] = found[2][i + 1]
          end
        end
        if #fields > 0 then redis.call('XADD', KEYS[2], '*', unpack(fields)) end
        redis.call('XDEL', KEYS[1], ARGV[1])
        return 1
        """
    )
}
