import ArgumentParser
import Configuration
import Glibc
import JSONWire
import Reactor
import Redis
import Service
import TaskQueue

struct QueueCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "queue",
        abstract: "Looks after the task queue.",
        subcommands: [
            QueueStatsCommand.self, QueueListCommand.self, QueueDeadCommand.self, QueueReplayCommand.self,
            QueueDropCommand.self, QueuePauseCommand.self, QueueResumeCommand.self,
        ]
    )
}

/// Start-up of the commands that work on the queue and end.
struct QueueTool: ParsableArguments {
    @OptionGroup var redis: RedisTool

    func run(
        _ body: @escaping @ReactorActor (TaskQueueAdministration) async throws(RedisError) -> CInt
    ) throws -> Never {
        try redis.run { redis, configuration throws(RedisError) in
            try await body(TaskQueueAdministration(configuration[QueueSettings.consumer], redis: redis))
        }
    }
}

/// One task by its id, or all.
struct TaskChoice: ParsableArguments {
    @Argument(help: "The id of one task.")
    var id: String?

    @Flag(help: "All dead letters.")
    var all = false

    func validate() throws {
        guard all != (id != nil) else { throw ValidationError("Say either the id of a task or --all.") }
        if let id, TaskID(id) == nil { throw ValidationError("\(id) is not the id of a task.") }
    }

    /// nil for all.
    var taskID: TaskID? { id.flatMap { TaskID($0) } }
}

struct QueueStatsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stats",
        abstract: "How much waits, runs, is delayed and is dead; who works; totals so far."
    )
    @OptionGroup var tool: QueueTool

    func run() throws {
        try tool.run { queue throws(RedisError) in
            let statistics = try await queue.statistics()
            Terminal.say("queued    \(statistics.queued)")
            Terminal.say("running   \(statistics.running)")
            Terminal.say("delayed   \(statistics.delayed)")
            Terminal.say("dead      \(statistics.dead)")
            Terminal.say("oldest    \(statistics.oldestAge.map(Self.seconds) ?? "-")")
            Terminal.say("paused    \(statistics.isPaused ? "yes" : "no")")
            for consumer in statistics.consumers {
                Terminal.say(
                    "worker    \(consumer.name)  holds \(consumer.pending)  idle \(Self.seconds(consumer.idle))"
                )
            }
            for (name, count) in statistics.totals.sorted(by: { $0.key < $1.key }) {
                Terminal.say("total     \(name) \(count)")
            }
            return 0
        }
    }

    static func seconds(_ duration: Duration) -> String {
        let milliseconds = Int(duration / .milliseconds(1))
        let fraction = String(milliseconds % 1000 + 1000).dropFirst()
        return "\(milliseconds / 1000).\(fraction) s"
    }
}

struct QueueListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "The oldest tasks and where they stand."
    )
    @OptionGroup var lines: LineLimit
    @OptionGroup var tool: QueueTool

    func run() throws {
        let limit = lines.limit
        try tool.run { queue throws(RedisError) in
            let tasks = try await queue.list(limit: limit)
            if tasks.isEmpty { Terminal.say("The queue is empty.") }
            for task in tasks {
                let created = Timestamp(unixTime: task.createdAt)
                let words = Self.words(for: task.state)
                Terminal.say("\(task.id)  \(task.name)  \(created)  attempt \(task.attempt)  \(words)")
            }
            return 0
        }
    }

    private static func words(for state: QueuedTask.State) -> String {
        switch state {
        case .queued: "queued"
        case .running(let consumer, let idle, let deliveries):
            "running at \(consumer), renewed \(QueueStatsCommand.seconds(idle)) ago, delivered \(deliveries) times"
        case .delayed(let dueIn): "delayed, due in \(QueueStatsCommand.seconds(dueIn))"
        }
    }
}

struct QueueDeadCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dead",
        abstract: "The dead letters, oldest first: tasks that were given up, and why."
    )
    @OptionGroup var lines: LineLimit
    @OptionGroup var tool: QueueTool

    func run() throws {
        let limit = lines.limit
        try tool.run { queue throws(RedisError) in
            let letters = try await queue.deadLetters(limit: limit)
            if letters.isEmpty { Terminal.say("There are no dead letters.") }
            for letter in letters {
                let id = letter.taskID?.description ?? "unreadable"
                let died = Timestamp(unixTime: letter.diedAt)
                Terminal.say(
                    "\(id)  \(letter.name ?? "-")  \(died)  \(letter.attempts) attempts  "
                        + "\(letter.failure.code): \(letter.failure.message)  \(letter.arguments?.description ?? "")"
                )
            }
            return 0
        }
    }
}

struct QueueReplayCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "replay",
        abstract: "Puts dead letters back into the queue, under their ids, attempts at zero."
    )
    @OptionGroup var choice: TaskChoice
    @OptionGroup var tool: QueueTool

    func run() throws {
        let id = choice.taskID
        try tool.run { queue throws(RedisError) in
            let count = try await queue.replay(id)
            Terminal.say("\(count) replayed")
            return id != nil && count == 0 ? 1 : 0
        }
    }
}

struct QueueDropCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "drop", abstract: "Deletes dead letters for good.")
    @OptionGroup var choice: TaskChoice
    @OptionGroup var tool: QueueTool

    func run() throws {
        let id = choice.taskID
        try tool.run { queue throws(RedisError) in
            let count = try await queue.drop(id)
            Terminal.say("\(count) dropped")
            return id != nil && count == 0 ? 1 : 0
        }
    }
}

struct QueuePauseCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pause",
        abstract: "Makes the workers take no new tasks; what runs is finished."
    )
    @OptionGroup var tool: QueueTool

    func run() throws {
        try tool.run { queue throws(RedisError) in
            Terminal.say(try await queue.pause() ? "paused" : "was paused already")
            return 0
        }
    }
}

struct QueueResumeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "resume", abstract: "Lets the workers go on.")
    @OptionGroup var tool: QueueTool

    func run() throws {
        try tool.run { queue throws(RedisError) in
            Terminal.say(try await queue.resume() ? "resumed" : "was not paused")
            return 0
        }
    }
}
