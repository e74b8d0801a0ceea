import ArgumentParser
import HTTPWire
import JSONWire

/// What the console can do, from a shell: the same routes, the same audit log.
struct AdminCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "admin",
        abstract: "Sees and does what the console can, through the admin listener.",
        subcommands: [
            AdminShowCommand.self, AdminAuditCommand.self, AdminPauseCommand.self, AdminResumeCommand.self,
            AdminReplayCommand.self, AdminDropCommand.self, AdminOrderCommand.self,
        ]
    )
}

struct AdminShowCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "What the console shows, as JSON: all of it, or one part."
    )
    @Argument(help: "queue, events, orders, polling, limits, processes or audit.") var part: String?
    @OptionGroup var tool: AdminTool

    func run() throws {
        let part = part
        try tool.run(AdminTool.Question(method: .get, target: "/admin/snapshot")) { answer in
            guard let part else {
                Terminal.say(answer.description)
                return 0
            }
            guard let found = answer[part], found.object != nil else {
                Terminal.complain("The console shows no \(part).")
                return 1
            }
            Terminal.say(found.description)
            return found["error"] == nil ? 0 : 1
        }
    }
}

struct AdminAuditCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit",
        abstract: "What operators did, newest first, one JSON object a line."
    )
    @Option(help: "Most of them to show, 1 to 1000.") var limit = 50
    @OptionGroup var tool: AdminTool

    func run() throws {
        try tool.run(AdminTool.Question(method: .get, target: "/admin/audit?limit=\(limit)")) { answer in
            for entry in answer["data"]?.array ?? [] { Terminal.say(entry.description) }
            return 0
        }
    }
}

struct AdminPauseCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pause",
        abstract: "Makes the workers take no new tasks; what runs is finished."
    )
    @OptionGroup var tool: AdminTool

    func run() throws {
        try tool.run(AdminTool.Question(method: .post, target: "/admin/queue/pause"), done: "paused")
    }
}

struct AdminResumeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "resume", abstract: "Lets the workers go on.")
    @OptionGroup var tool: AdminTool

    func run() throws {
        try tool.run(AdminTool.Question(method: .post, target: "/admin/queue/resume"), done: "resumed")
    }
}

/// Which dead letters.
struct AdminLetterChoice: ParsableArguments {
    enum Kind: String, ExpressibleByArgument, CaseIterable { case tasks, events }

    @Argument(help: "Of which kind.") var kind: Kind
    @Argument(help: "The id of one.") var id: String?
    @Flag(help: "All of them.") var all = false

    func validate() throws {
        guard all != (id != nil) else { throw ValidationError("Say either an id or --all.") }
    }

    /// Has it done, and says to how many.
    func perform(_ verb: String, done: String, _ tool: AdminTool) throws {
        let body: JSONValue = if let id { ["id": .string(id)] } else { ["all": true] }
        let path = kind == .tasks ? "queue" : "events"
        let question = AdminTool.Question(method: .post, target: "/admin/\(path)/dead/\(verb)", body: body)
        try tool.run(question) { answer in
            Terminal.say("\(answer[done]?.integer ?? 0) \(done)")
            return 0
        }
    }
}

struct AdminReplayCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "replay",
        abstract: "Has dead tasks or price events be tried anew."
    )
    @OptionGroup var choice: AdminLetterChoice
    @OptionGroup var tool: AdminTool

    func run() throws { try choice.perform("replay", done: "replayed", tool) }
}

struct AdminDropCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "drop",
        abstract: "Deletes dead tasks or price events for good."
    )
    @OptionGroup var choice: AdminLetterChoice
    @OptionGroup var tool: AdminTool

    func run() throws { try choice.perform("drop", done: "dropped", tool) }
}

struct AdminOrderCommand: ParsableCommand {
    enum Deed: String, ExpressibleByArgument, CaseIterable {
        case hold, release, retry
        case giveUp = "give-up"
    }

    static let configuration = CommandConfiguration(
        commandName: "order",
        abstract: "Holds, releases, retries or gives up an order that waits to be placed."
    )
    @Argument(help: "What is done.") var deed: Deed
    @Argument(help: "The id of the order.") var id: String
    @Option(help: "Why it is given up; stands in its history.") var reason: String?
    @OptionGroup var tool: AdminTool

    func validate() throws {
        guard (deed == .giveUp) == (reason != nil) else { throw ValidationError("--reason goes with give-up.") }
    }

    func run() throws {
        let question = AdminTool.Question(
            method: .post,
            target: "/admin/orders/\(id.percentEncoded)/\(deed.rawValue)",
            body: reason.map { ["reason": .string($0)] }
        )
        try tool.run(question, done: "\(id): \(deed.rawValue) done")
    }
}
