import ArgumentParser
import JSONWire
import MarketData
import Reactor
import Redis
import RedisStreams

struct EventsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "events",
        abstract: "Looks after price events that were given up.",
        subcommands: [EventsDeadCommand.self, EventsReplayCommand.self, EventsDropCommand.self]
    )
}

/// Start-up of the commands that work on dead events and end.
struct EventsTool: ParsableArguments {
    @OptionGroup var redis: RedisTool

    func run(_ body: @escaping @ReactorActor (DeadLetters) async throws(RedisError) -> CInt) throws -> Never {
        try redis.run { redis, _ throws(RedisError) in try await body(.ofPriceEvents(redis)) }
    }
}

/// One dead event by its id, or all.
struct DeadEventChoice: ParsableArguments {
    @Argument(help: "The id of one dead event, as `events dead` shows it.")
    var id: String?

    @Flag(help: "All dead events.")
    var all = false

    func validate() throws {
        guard all != (id != nil) else { throw ValidationError("Say either the id of a dead event or --all.") }
        if let id, StreamPosition(id) == nil { throw ValidationError("\(id) is not the id of a dead event.") }
    }

    /// What is done with them.
    enum Deed: String {
        case replay = "replayed"
        case drop = "dropped"
    }

    /// Does it to one or all, and says so.
    func perform(_ deed: Deed, _ tool: EventsTool) throws {
        let id = id.flatMap { StreamPosition($0) }
        try tool.run { letters throws(RedisError) in
            let count =
                switch (deed, id) {
                case (.replay, let id?): try await letters.replay(id) ? 1 : 0
                case (.replay, nil): try await letters.replayAll()
                case (.drop, let id?): try await letters.drop(id) ? 1 : 0
                case (.drop, nil): try await letters.dropAll()
                }
            if let id, count == 0 {
                Terminal.complain("There is no dead event \(id).")
                return 1
            }
            Terminal.say("\(count) \(deed.rawValue)")
            return 0
        }
    }
}

struct EventsDeadCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dead",
        abstract: "Shows the events that were given up, oldest first, one JSON object a line."
    )
    @OptionGroup var tool: EventsTool
    @OptionGroup var limit: LineLimit

    func run() throws {
        let limit = limit.limit
        try tool.run { letters throws(RedisError) in
            let dead = try await letters.list(limit: limit)
            for letter in dead {
                var writer = JSONWriter(capacity: 256)
                writer.object { writer in
                    writer.member("id", letter.id.description)
                    writer.member("original_id", letter.originalID)
                    writer.member("attempts", letter.attempts)
                    writer.member("error", letter.error)
                    for field in letter.fields {
                        writer.member("event_\(field.name)", String(decoding: field.value, as: UTF8.self))
                    }
                }
                Terminal.say(String(decoding: writer.take(), as: UTF8.self))
            }
            if dead.isEmpty { Terminal.complain("No event was given up.") }
            return 0
        }
    }
}

struct EventsReplayCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "replay",
        abstract: "Puts events that were given up back into the stream, to be tried anew."
    )
    @OptionGroup var tool: EventsTool
    @OptionGroup var choice: DeadEventChoice

    func run() throws { try choice.perform(.replay, tool) }
}

struct EventsDropCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "drop",
        abstract: "Removes events that were given up, for good. The prices stay."
    )
    @OptionGroup var tool: EventsTool
    @OptionGroup var choice: DeadEventChoice

    func run() throws { try choice.perform(.drop, tool) }
}
