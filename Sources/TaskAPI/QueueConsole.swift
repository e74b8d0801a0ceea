internal import Basics
public import Admin
internal import HTTPServer
internal import HTTPWire
internal import JSONWire
internal import Reactor
internal import Redis
public import TaskQueue
public import WebAPI

/// What operators see of a task queue, and do with it.
public enum QueueConsole {
    /// Longer arguments are cut: the console shows what a task was about.
    private static let argumentsMax = 2000

    /// The queue as it is, and its oldest dead letters.
    public static func section(_ queue: TaskQueueAdministration) -> ConsoleSection {
        ConsoleSection("queue") { _ async throws(APIError) in
            let (statistics, letters) = try await brokered { () async throws(RedisError) in
                (try await queue.statistics(), try await queue.deadLetters(limit: ConsoleSection.rowsMax))
            }
            var writer = JSONWriter(capacity: 8192)
            writer.object { writer in
                write(statistics, to: &writer)
                writer.key("dead_letters")
                writer.array { writer in
                    for letter in letters { write(letter, to: &writer) }
                }
            }
            return writer.take()
        }
    }

    private static func write(_ statistics: QueueStatistics, to writer: inout JSONWriter) {
        writer.member("queued", statistics.queued)
        writer.member("running", statistics.running)
        writer.member("delayed", statistics.delayed)
        writer.member("dead", statistics.dead)
        writer.key("oldest_ms")
        if let age = statistics.oldestAge { writer.integer(age.wholeMilliseconds) } else { writer.null() }
        writer.member("paused", statistics.isPaused)
        writer.key("workers")
        writer.array { writer in
            for consumer in statistics.consumers.prefix(ConsoleSection.rowsMax) {
                writer.object { writer in
                    writer.member("name", consumer.name)
                    writer.member("holds", consumer.pending)
                    writer.member("idle_ms", consumer.idle.wholeMilliseconds)
                }
            }
        }
        writer.key("totals")
        writer.object { writer in
            for (name, count) in statistics.totals.sorted(by: { $0.key < $1.key }) { writer.member(name, count) }
        }
    }

    private static func write(_ letter: DeadLetter, to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("entry", letter.entry)
            if let id = letter.taskID { writer.member("id", id.description) }
            if let name = letter.name { writer.member("name", name) }
            writer.member("died_at", Timestamp(unixTime: letter.diedAt).description)
            writer.member("attempts", letter.attempts)
            writer.member("code", letter.failure.code)
            writer.member("message", letter.failure.message)
            if let arguments = letter.arguments?.description {
                let isLong = arguments.utf8.count > argumentsMax
                writer.member("arguments", isLong ? arguments.prefix(argumentsMax) + "…" : arguments)
            }
        }
    }

    // MARK: Doing

    /// The routes of the admin listener.
    @ReactorActor
    public static func routes(_ queue: TaskQueueAdministration, audit: AuditLog) -> [Route] {
        [
            pause.performed(as: "queue.pause", in: audit) { _ async throws(APIError) in
                let isNew = try await brokered { () async throws(RedisError) in try await queue.pause() }
                return AdminOutcome(isNew ? "paused" : "was paused already", ["paused": true])
            },
            resume.performed(as: "queue.resume", in: audit) { _ async throws(APIError) in
                let isNew = try await brokered { () async throws(RedisError) in try await queue.resume() }
                return AdminOutcome(isNew ? "resumed" : "was not paused", ["paused": false])
            },
            replay.performed(as: "queue.replay", in: audit, on: \.words) { choice async throws(APIError) in
                let count = try await brokered { () async throws(RedisError) in
                    try await queue.replay(DeadLetterFilter(id: choice.id))
                }
                return try choice.outcome("replayed", count)
            },
            drop.performed(as: "queue.drop", in: audit, on: \.words) { choice async throws(APIError) in
                let count = try await brokered { () async throws(RedisError) in
                    try await queue.drop(DeadLetterFilter(id: choice.id))
                }
                return try choice.outcome("dropped", count)
            },
        ]
    }

    private static let pause = AdminOperation.plain(
        "/admin/queue/pause",
        "Make the workers take no new tasks; what runs is finished",
        errors: APIError.ofBroker
    )
    private static let resume = AdminOperation.plain(
        "/admin/queue/resume",
        "Let the workers go on",
        errors: APIError.ofBroker
    )
    private static let replay = AdminOperation.choosing(
        "/admin/queue/dead/replay",
        "Put dead tasks back into the queue, under their ids, attempts at zero",
        FieldRule<TaskID>.task
    )
    private static let drop = AdminOperation.choosing(
        "/admin/queue/dead/drop",
        "Delete dead tasks for good",
        FieldRule<TaskID>.task
    )
}

extension FieldRule<TaskID> {
    fileprivate static let task = FieldRule("must be the id of a task", schema: .string(format: "uuid")) { TaskID($0) }
}
