import ArgumentParser
import Configuration
import Glibc
import JSONWire
import Logging
import Reactor
import Redis
import Service
import Worker
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
    @OptionGroup var options: ConfigurationOption

    /// Connects, calls `body` on the loop and ends the process with the status that it returns.
    func run(
        _ body: @escaping @ReactorActor (TaskQueueAdministration) async throws(RedisError) -> CInt
    ) throws -> Never {
        let configuration = try options.load(.worker)
        // What the connection has to say while it is made is said once, below.
        var logger = Logger(label: "queue") { _ in SwiftLogNoOpLogHandler() }
        logger.logLevel = .critical
        let quietLogger = logger
        Glibc.exit(
            Reactor.run {
                let redis = RedisClient(RedisConfiguration(configuration, name: "tool"), logger: quietLogger)
                redis.start()
                guard await redis.waitUntilReady(within: .seconds(3)) else {
                    let endpoint = redis.configuration.endpoint
                    Terminal.complain("The broker cannot be reached at \(endpoint): \(Self.cause(redis.fault))")
                    return 69  // EX_UNAVAILABLE of sysexits.h
                }
                let queue = TaskQueueAdministration(configuration[QueueSettings.consumer], redis: redis)
                do {
                    let status = try await body(queue)
                    redis.close()
                    return status
                } catch {
                    Terminal.complain("The broker failed: \(error).")
                    return 1
                }
            }
        )
    }
}

extension QueueTool {
    /// Why there is no connection, and what to do about it.
    static func cause(_ fault: RedisFault?) -> String {
        switch fault {
        case .unresolved(let error)?:
            "its name has no address (\(error)). Set redis.address, or TICKLOOP_REDIS_ADDRESS, to where Redis is."
        case .refused(let error)? where error.code == .notAllowed:
            "it refused the user or the password (\(error)). Set redis.password, or TICKLOOP_REDIS_PASSWORD."
        case .refused(let error)?: "it refused the connection (\(error)). Try again later."
        case .system(let words)?:
            "\(words). Is Redis running there? Under `tickloop up`, load run/env of its folder first."
        case .timedOut?, nil: "it did not answer in time. Is it the right address, and does Redis run there?"
        case .closedByPeer?, .malformedReply?: "\(fault.map(String.init(describing:)) ?? ""). Is it Redis?"
        case .closed?: "the connection was closed."
        }
    }
}

/// Most lines to show.
struct LineLimit: ParsableArguments {
    /// More are never shown at once, so that Redis is not busy for long.
    static let most = 10_000

    @Option(help: "Most of them to show, 1 to 10000.")
    var limit = 50

    func validate() throws {
        guard (1...Self.most).contains(limit) else {
            throw ValidationError("--limit must be between 1 and \(Self.most).")
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
