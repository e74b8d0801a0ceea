import ArgumentParser
import Basics
import JSONWire
import Reactor
import Redis
import TaskQueue

struct QueueListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "The oldest tasks and where they stand."
    )
    @OptionGroup var lines: LineLimit
    @OptionGroup var tool: QueueTool

    func run() throws {
        try tool.run { [self] queue throws(RedisError) in
            var listing = Listing(["task", "name", "submitted", "attempt", "state", ""])
            for task in try await queue.list(limit: lines.limit) {
                listing.append(
                    [
                        "\(task.id)", task.name, "\(Timestamp(unixTime: task.createdAt))", "\(task.attempt)",
                        task.state.word, task.state.details,
                    ],
                    json: JSONWriter.object { writer in
                        writer.member("id", task.id.description)
                        task.write(to: &writer)
                    }
                )
            }
            tool.show(listing, empty: "The queue is empty.")
            return 0
        }
    }
}

struct QueueShowCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "All that is known of one task."
    )
    @Argument(help: "The id of the task.")
    var id: String

    @OptionGroup var tool: QueueTool

    func validate() throws {
        guard TaskID(id) != nil else { throw ValidationError("\(id) is not the id of a task.") }
    }

    func run() throws {
        try tool.run { [self] queue throws(RedisError) in
            guard let id = TaskID(id), let task = try await queue.task(id) else {
                Terminal.complain(
                    "Nothing is known of task \(id). It has ended, and nobody was to ask for its result, or that was "
                        + "longer ago than queue.result_ttl_s."
                )
                return 1
            }
            if tool.json {
                Terminal.say(JSONWriter.text { task.write(to: &$0) })
            } else {
                for (name, value) in task.lines {
                    Terminal.say(name + String(repeating: " ", count: 11 - name.count) + value)
                }
            }
            return 0
        }
    }
}

extension TaskRecord {
    /// What is said of it for people, each with its name.
    fileprivate var lines: [(String, String)] {
        var lines = [("task", id.description), ("state", state)]
        if let name { lines.append(("name", name)) }
        if let createdAt { lines.append(("submitted", "\(Timestamp(unixTime: createdAt))")) }
        if let queued {
            lines.append(("attempt", "\(queued.attempt)"))
            if !queued.state.details.isEmpty { lines.append(("", queued.state.details)) }
        }
        if let requestID = queued?.requestID ?? deadLetter?.requestID { lines.append(("request", requestID)) }
        if let arguments = queued?.arguments ?? deadLetter?.arguments {
            lines.append(("arguments", arguments.description))
        }
        if let deadLetter {
            lines.append(("died", "\(Timestamp(unixTime: deadLetter.diedAt)) after \(deadLetter.attempts) attempts"))
        }
        if let failure { lines.append(("error", "\(failure.code): \(failure.message)")) }
        if case .succeeded(let result)? = status?.state {
            lines.append(("result", String(decoding: result, as: UTF8.self)))
        }
        return lines
    }

    fileprivate func write(to writer: inout JSONWriter) {
        writer.member("id", id.description)
        writer.member("state", state)
        if let queued {
            queued.write(to: &writer, withState: false)
        } else {
            if let name { writer.member("name", name) }
            if let createdAt { writer.member("created_at", "\(Timestamp(unixTime: createdAt))") }
        }
        if let deadLetter { deadLetter.write(to: &writer) }
        if deadLetter == nil, let failure { failure.write(to: &writer) }
        if case .succeeded(let result)? = status?.state {
            writer.key("result")
            writer.raw(result)
        }
    }

    private var name: String? { status?.name ?? queued?.name ?? deadLetter?.name }
    private var createdAt: Duration? { status?.createdAt ?? queued?.createdAt ?? deadLetter?.createdAt }

    private var failure: TaskFailure? {
        if case .failed(let failure)? = status?.state { failure } else { deadLetter?.failure }
    }

    /// Where it stands; the queue itself knows best.
    private var state: String {
        if let queued { return queued.state.word }
        if deadLetter != nil { return "dead" }
        return switch status?.state {
        case .queued?: "queued"
        case .running?: "running"
        case .succeeded?: "succeeded"
        case .failed?: "failed"
        case .expired?: "expired"
        case nil: "unknown"
        }
    }
}

extension QueuedTask {
    fileprivate func write(to writer: inout JSONWriter, withState: Bool = true) {
        writer.member("name", name)
        writer.member("created_at", "\(Timestamp(unixTime: createdAt))")
        writer.member("attempt", attempt)
        if let requestID { writer.member("request_id", requestID) }
        if withState { writer.member("state", state.word) }
        switch state {
        case .queued: break
        case .running(let consumer, let idle, let deliveries):
            writer.member("worker", consumer)
            writer.member("renewed_ms", idle.wholeMilliseconds)
            writer.member("deliveries", deliveries)
        case .delayed(let dueIn): writer.member("due_in_ms", dueIn.wholeMilliseconds)
        }
        writer.key("arguments")
        writer.value(arguments)
    }
}

extension QueuedTask.State {
    fileprivate var word: String {
        switch self {
        case .queued: "queued"
        case .running: "running"
        case .delayed: "delayed"
        }
    }

    fileprivate var details: String {
        switch self {
        case .queued: ""
        case .running(let consumer, let idle, let deliveries):
            "at \(consumer), renewed \(idle.inSeconds) ago, delivered \(deliveries) times"
        case .delayed(let dueIn): "due in \(dueIn.inSeconds)"
        }
    }
}
