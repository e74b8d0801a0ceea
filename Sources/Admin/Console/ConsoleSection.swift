internal import Basics
public import Reactor
internal import Redis
public import WebAPI
internal import JSONWire

/// A part of what the console shows, read by whoever owns it.
public struct ConsoleSection: Sendable {
    /// Rows that a list has at most; the console is a look, and no archive.
    public static let rowsMax = 50

    let name: String
    let read: @ReactorActor @Sendable (_ deadline: Instant) async throws(APIError) -> [UInt8]

    /// - Parameters:
    ///   - name: Of the part, a member of the snapshot.
    ///   - read: Reads it as JSON, until the deadline at most; bounded by ``rowsMax``.
    public init(
        _ name: String,
        read: @escaping @ReactorActor @Sendable (_ deadline: Instant) async throws(APIError) -> [UInt8]
    ) {
        self.name = name
        self.read = read
    }

    /// The processes of the system.
    public static func processes(_ board: ProcessBoard) -> ConsoleSection {
        ConsoleSection("processes") { _ async throws(APIError) in
            let all = try await brokered { () async throws(RedisError) in try await board.all() }
            var writer = JSONWriter(capacity: 4096 * all.count)
            writer.array { writer in
                for process in all {
                    writer.object { writer in
                        writer.member("id", process.id)
                        writer.member("age_ms", process.age.wholeMilliseconds)
                        writer.key("told")
                        writer.raw(process.json)
                    }
                }
            }
            return writer.take()
        }
    }

    /// What operators have done.
    public static func audit(_ log: AuditLog) -> ConsoleSection {
        ConsoleSection("audit") { _ async throws(APIError) in
            let entries = try await brokered { () async throws(RedisError) in try await log.entries(limit: 20) }
            var writer = JSONWriter(capacity: 256 * entries.count)
            writer.array { writer in
                for entry in entries { entry.write(to: &writer) }
            }
            return writer.take()
        }
    }
}
