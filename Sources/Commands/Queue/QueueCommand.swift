import ArgumentParser
import Basics
import Configuration
import JSONWire
import Reactor
import Redis
import Service
import TaskQueue
import Worker

struct QueueCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "queue",
        abstract: "Looks after the task queue.",
        subcommands: [
            QueueStatsCommand.self, QueueListCommand.self, QueueShowCommand.self, QueueDeadCommand.self,
            QueueReplayCommand.self, QueueDropCommand.self, QueuePauseCommand.self, QueueResumeCommand.self,
        ]
    )
}

/// Start-up of the commands that work on the queue and end.
struct QueueTool: ParsableArguments {
    @Flag(help: "JSON objects, one a line, for programs.")
    var json = false

    @OptionGroup var redis: RedisTool

    func run(
        _ body: @escaping @ReactorActor (TaskQueueAdministration) async throws(RedisError) -> CInt
    ) throws -> Never {
        try redis.run { redis, configuration throws(RedisError) in
            try await body(TaskQueueAdministration(configuration[QueueSettings.consumer], redis: redis))
        }
    }
}

extension QueueTool {
    /// Shows rows, or says in words that there are none.
    func show(_ listing: Listing, empty: String) { Terminal.show(listing, asJSON: json, empty: empty) }

    /// Says what was done: `words`, or the members of an object.
    func say(_ words: String, _ members: (inout JSONWriter) -> Void) {
        Terminal.say(json ? JSONWriter.text(members) : words)
    }
}

// MARK: Pausing

struct QueuePauseCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pause",
        abstract: "Makes the workers take no new tasks; what runs is finished."
    )
    @OptionGroup var tool: QueueTool

    func run() throws {
        try tool.run { [tool] queue throws(RedisError) in
            let isNew = try await queue.pause()
            tool.say(isNew ? "paused" : "was paused already") { writer in
                writer.member("paused", true)
                writer.member("changed", isNew)
            }
            return 0
        }
    }
}

struct QueueResumeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "resume", abstract: "Lets the workers go on.")
    @OptionGroup var tool: QueueTool

    func run() throws {
        try tool.run { [tool] queue throws(RedisError) in
            let isNew = try await queue.resume()
            tool.say(isNew ? "resumed" : "was not paused") { writer in
                writer.member("paused", false)
                writer.member("changed", isNew)
            }
            return 0
        }
    }
}
