import ArgumentParser
import Basics
import JSONWire
import Reactor
import Redis
import TaskQueue

/// Some dead letters, by what is said of them.
struct DeadLetterOptions: ParsableArguments {
    @Option(help: "Only those of this task name, as in `queue dead`.")
    var name: String?

    @Option(help: "Only those with this code, as in `queue dead`.")
    var code: String?

    var filter: DeadLetterFilter { DeadLetterFilter(name: name, code: code) }
    var isEverything: Bool { name == nil && code == nil }
}

/// One dead letter by its task's id, some by what is said of them, or all.
struct DeadLetterChoice: ParsableArguments {
    @Argument(help: "The id of one task.")
    var id: String?

    @Flag(help: "All dead letters.")
    var all = false

    @OptionGroup var some: DeadLetterOptions

    func validate() throws {
        let ways = [id != nil, all, !some.isEverything].count { $0 }
        guard ways == 1 else {
            throw ValidationError("Say either the id of a task, or --name or --code or both, or --all.")
        }
        if let id, TaskID(id) == nil { throw ValidationError("\(id) is not the id of a task.") }
    }

    var filter: DeadLetterFilter {
        var filter = some.filter
        filter.id = id.flatMap { TaskID($0) }
        return filter
    }

    /// Says how many there were, and ends with 1 if one was named that is not there.
    func tell(_ count: Int, _ verb: String, _ tool: QueueTool) -> CInt {
        let nothing = id.map { "There is no dead letter of task \($0)." } ?? "There are no such dead letters."
        tool.say(count == 0 ? nothing : "\(count) \(verb)") { $0.member(verb, count) }
        return id != nil && count == 0 ? 1 : 0
    }
}

struct QueueDeadCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dead",
        abstract: "The dead letters, oldest first: tasks that were given up, and why."
    )
    @OptionGroup var some: DeadLetterOptions
    @OptionGroup var lines: LineLimit
    @OptionGroup var tool: QueueTool

    func run() throws {
        try tool.run { [self] queue throws(RedisError) in
            var listing = Listing(["task", "name", "died", "attempts", "code", "message", "arguments"])
            for letter in try await queue.deadLetters(limit: lines.limit, some.filter) {
                listing.append(
                    [
                        letter.taskID?.description ?? "unreadable", letter.name ?? "-",
                        "\(Timestamp(unixTime: letter.diedAt))", "\(letter.attempts)", letter.failure.code,
                        letter.failure.message, letter.arguments?.description ?? "-",
                    ],
                    json: JSONWriter.object { writer in
                        if let id = letter.taskID { writer.member("id", id.description) }
                        if let name = letter.name { writer.member("name", name) }
                        letter.write(to: &writer)
                    }
                )
            }
            tool.show(
                listing,
                empty: some.isEverything ? "There are no dead letters." : "There are no such dead letters."
            )
            return 0
        }
    }
}

struct QueueReplayCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "replay",
        abstract: "Puts dead letters back into the queue, under their ids, attempts at zero."
    )
    @OptionGroup var choice: DeadLetterChoice
    @OptionGroup var tool: QueueTool

    func run() throws {
        try tool.run { [choice, tool] queue throws(RedisError) in
            choice.tell(try await queue.replay(choice.filter), "replayed", tool)
        }
    }
}

struct QueueDropCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "drop", abstract: "Deletes dead letters for good.")
    @OptionGroup var choice: DeadLetterChoice
    @OptionGroup var tool: QueueTool

    func run() throws {
        try tool.run { [choice, tool] queue throws(RedisError) in
            choice.tell(try await queue.drop(choice.filter), "dropped", tool)
        }
    }
}

extension DeadLetter {
    func write(to writer: inout JSONWriter) {
        writer.member("died_at", "\(Timestamp(unixTime: diedAt))")
        writer.member("attempts", attempts)
        if let requestID { writer.member("request_id", requestID) }
        failure.write(to: &writer)
        if let arguments {
            writer.key("arguments")
            writer.value(arguments)
        }
    }
}

extension TaskFailure {
    func write(to writer: inout JSONWriter) {
        writer.key("error")
        writer.object { writer in
            writer.member("code", code)
            writer.member("message", message)
        }
    }
}
