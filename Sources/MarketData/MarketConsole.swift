internal import Admin
internal import HTTPServer
internal import JSONWire
internal import Postgres
internal import Prices
internal import Reactor
internal import Redis
internal import Service
internal import RedisStreams
internal import WebAPI

/// What operators see of prices as they come, and do about those that were given up.
enum MarketConsole {
    /// Longer payloads are cut.
    private static let payloadMax = 2000

    /// The stream of price events with its oldest dead letters, and the polling jobs, those that fail first.
    @ReactorActor
    static func sections(_ redis: RedisClient, _ database: PostgresPool) -> [ConsoleSection] {
        [
            ConsoleSection("events") { _ async throws(APIError) in
                let counts = try await brokered { () async throws(RedisError) in try await count(redis) }
                let found = try await brokered { () async throws(RedisError) in
                    try await letters(redis).list(limit: ConsoleSection.rowsMax)
                }
                var writer = JSONWriter(capacity: 8192)
                writer.object { writer in
                    for (name, count) in counts { writer.member(name, count) }
                    writer.key("dead_letters")
                    writer.array { writer in
                        for letter in found { write(letter, to: &writer) }
                    }
                }
                return writer.take()
            },
            ConsoleSection("polling") { deadline async throws(APIError) in
                let rows = try await asked { () async throws(PostgresError) in
                    try await database.query(
                        PollingJobs.forOperators,
                        [.int64(Int64(ConsoleSection.rowsMax))],
                        deadline: deadline
                    )
                }
                var writer = JSONWriter(capacity: 512 * rows.count)
                writer.array { writer in
                    for row in 0..<rows.count { PollingJobs.write(rows, row, to: &writer) }
                }
                return writer.take()
            },
        ]
    }

    @ReactorActor
    private static func letters(_ redis: RedisClient) -> DeadLetters {
        DeadLetters(stream: PriceEvent.stream, deadLetters: PriceEvent.deadLetters, redis: redis)
    }

    @ReactorActor
    private static func count(_ redis: RedisClient) async throws(RedisError) -> [(String, Int)] {
        let reply = try await countScript.run(
            on: redis,
            keys: [PriceEvent.stream, PriceEvent.deadLetters],
            [.string(PriceEvent.group)]
        )
        let counts = (reply.array ?? []).map { Int($0.integer ?? 0) }
        return Array(zip(["length", "dead", "pending", "behind"], counts))
    }

    /// KEYS: the stream, its dead letters. ARGV: the group. Returns the lengths of both, how many entries the members
    /// of the group hold, and how many none has got yet.
    private static let countScript = RedisScript(
        """
        local counts = { redis.call('XLEN', KEYS[1]), redis.call('XLEN', KEYS[2]), 0, 0 }
        local groups = redis.pcall('XINFO', 'GROUPS', KEYS[1])
        if groups.err then return counts end
        for _, fields in ipairs(groups) do
          local group = {}
          for i = 1, #fields, 2 do group[fields[i]] = fields[i + 1] end
          if group.name == ARGV[1] then
            counts[3] = group.pending
            counts[4] = group.lag or 0
          end
        end
        return counts
        """
    )

    private static func write(_ letter: DeadLetters.Letter, to writer: inout JSONWriter) {
        func text(_ name: String) -> String {
            letter.fields.first { $0.name == name }.map { String(decoding: $0.value, as: UTF8.self) } ?? ""
        }
        writer.object { writer in
            writer.member("id", letter.id.description)
            writer.member("attempts", letter.attempts)
            writer.member("error", letter.error)
            writer.member("key", text("key"))
            let payload = text("value")
            let isLong = payload.utf8.count > payloadMax
            writer.member("payload", isLong ? payload.prefix(payloadMax) + "…" : payload)
        }
    }

    // MARK: Doing

    /// The routes of the admin listener.
    @ReactorActor
    static func routes(_ redis: RedisClient, audit: AuditLog) -> [Route] {
        let letters = Self.letters(redis)
        return [
            replay.performed(as: "events.replay", in: audit, on: \.words) { choice async throws(APIError) in
                let count = try await brokered { () async throws(RedisError) in
                    guard let id = choice.id else { return try await letters.replayAll() }
                    return try await letters.replay(id) ? 1 : 0
                }
                return try choice.outcome("replayed", count)
            },
            drop.performed(as: "events.drop", in: audit, on: \.words) { choice async throws(APIError) in
                let count = try await brokered { () async throws(RedisError) in
                    guard let id = choice.id else { return try await letters.dropAll() }
                    return try await letters.drop(id) ? 1 : 0
                }
                return try choice.outcome("dropped", count)
            },
        ]
    }

    private static let replay = AdminOperation.choosing(
        "/admin/events/dead/replay",
        "Put price events that were given up back into the stream, to be tried anew",
        FieldRule<StreamPosition>.deadEvent
    )
    private static let drop = AdminOperation.choosing(
        "/admin/events/dead/drop",
        "Remove price events that were given up, for good; the prices stay",
        FieldRule<StreamPosition>.deadEvent
    )
}

extension FieldRule<StreamPosition> {
    fileprivate static let deadEvent = FieldRule("must be the id of a dead event", schema: .string()) {
        StreamPosition($0)
    }
}
