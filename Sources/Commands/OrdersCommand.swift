import ArgumentParser
import Basics
import Glibc
import Orders
import Postgres
import Reactor

struct OrdersCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "orders",
        abstract: "Looks after the orders.",
        subcommands: [
            OrdersListCommand.self, OrdersShowCommand.self, OrdersEventsCommand.self, OrdersStuckCommand.self,
            OrdersCheckCommand.self, OrdersRebuildCommand.self, OrdersHoldCommand.self, OrdersReleaseCommand.self,
            OrdersRetryCommand.self, OrdersGiveUpCommand.self,
        ]
    )
}

/// Start-up of the commands that work on orders and end.
struct OrdersTool: ParsableArguments {
    @Flag(help: "One JSON object a line, for programs.")
    var json = false

    @OptionGroup var database: DatabaseTool

    /// Connects, calls `body` on the loop and ends the process with the status that it returns.
    func run(
        _ body: @escaping @ReactorActor (OrderAdministration) async throws(OrderAdministrationError) -> CInt
    ) throws -> Never {
        try database.run { session in
            do throws(OrderAdministrationError) {
                return try await body(OrderAdministration(session))
            } catch {
                Terminal.complain(Self.words(error))
                return 2
            }
        }
    }

    /// Shows a table, or says in words that it is empty.
    func show(_ table: Listing, empty: String) { Terminal.show(table, asJSON: json, empty: empty) }

    private static func words(_ error: OrderAdministrationError) -> String {
        switch error {
        case .database(.server(let error)) where error.sqlState == .undefinedTable || error.sqlState == "42883":
            "The database has no orders yet. Run `tickloop migrate` first."
        case .database(.server(let error)): "The database refused: \(String(reflecting: error))"
        case .database(let error):
            "\(error). Try again; `tickloop orders show` tells whether something was changed."
        case .ledger(let words):
            "The ledger could not be read: \(words). Is --ledger where the exchange is, and does it run?"
        case .log(let line): "Line \(line) of the log is none of {\"taken\":ID,\"key\":KEY} and {\"ended\":ID}."
        }
    }
}

struct OrderChoice: ParsableArguments {
    @Argument(help: "The id of the order.")
    var id: String

    func validate() throws {
        guard OrderAdministration.isID(id) else { throw ValidationError("\(id) is not the id of an order.") }
    }
}

// MARK: Looking

struct OrdersListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "The newest orders.")

    @Option(help: "Only those of this status: \(OrderAdministration.statuses.joined(separator: ", ")).")
    var status: String?

    @Option(help: "Only those of this instrument.")
    var instrument: String?

    @OptionGroup var rows: LineLimit
    @OptionGroup var tool: OrdersTool

    func validate() throws {
        guard let status, !OrderAdministration.statuses.contains(status) else { return }
        throw ValidationError("--status is one of \(OrderAdministration.statuses.joined(separator: ", ")).")
    }

    func run() throws {
        try tool.run { [self] orders throws(OrderAdministrationError) in
            let table = try await orders.list(status: status, instrument: instrument, limit: rows.limit)
            let isAll = status == nil && instrument == nil
            tool.show(table, empty: isAll ? "There are no orders." : "There are no such orders.")
            return 0
        }
    }
}

struct OrdersShowCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "One order as it is, whether it waits, and its history."
    )
    @OptionGroup var choice: OrderChoice
    @OptionGroup var rows: LineLimit
    @OptionGroup var tool: OrdersTool

    func run() throws {
        try tool.run { [self] orders throws(OrderAdministrationError) in
            let order = try await orders.one(choice.id)
            guard !order.rows.isEmpty else { return OrdersTool.unknown(choice.id) }
            let waiting = try await orders.stuck(only: choice.id, limit: 1)
            let history = try await orders.events(of: choice.id, after: 0, limit: rows.limit)
            tool.show(order, empty: "")
            for table in [waiting, history] where !table.rows.isEmpty {
                if !tool.json { Terminal.say("") }
                tool.show(table, empty: "")
            }
            return 0
        }
    }
}

struct OrdersEventsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "events",
        abstract: "What happened to all orders, from behind a position on."
    )
    @Option(help: "The position; 0 is the start.")
    var after = 0

    @OptionGroup var rows: LineLimit
    @OptionGroup var tool: OrdersTool

    func run() throws {
        try tool.run { [self] orders throws(OrderAdministrationError) in
            let table = try await orders.events(of: nil, after: after, limit: rows.limit)
            tool.show(table, empty: after == 0 ? "Nothing has happened yet." : "Nothing has happened since.")
            return 0
        }
    }
}

struct OrdersStuckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stuck",
        abstract: "The orders that wait longest for being placed, and why."
    )
    @OptionGroup var rows: LineLimit
    @OptionGroup var tool: OrdersTool

    func run() throws {
        try tool.run { [self] orders throws(OrderAdministrationError) in
            tool.show(try await orders.stuck(limit: rows.limit), empty: "No order waits.")
            return 0
        }
    }
}

// MARK: Doing

extension OrdersTool {
    /// Says that there is no such order; the exit status.
    static func unknown(_ id: String) -> CInt {
        Terminal.complain("There is no order \(id).")
        return 1
    }

    /// Says what became of it; the exit status.
    func say(_ outcome: OrderAdministration.Outcome, _ id: String, done: String) -> CInt {
        switch outcome {
        case .done:
            Terminal.say(json ? #"{"id":"\#(id)","done":"\#(done)"}"# : "\(id) \(done)")
            return 0
        case .refused(let words):
            Terminal.complain("\(id): \(words).")
            return 1
        case .unknown: return Self.unknown(id)
        }
    }
}

struct OrdersHoldCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "hold",
        abstract: "Keeps an order that waits from being placed, until it is released."
    )
    @OptionGroup var choice: OrderChoice
    @OptionGroup var tool: OrdersTool

    func run() throws {
        try tool.run { [self] orders throws(OrderAdministrationError) in
            tool.say(try await orders.hold(choice.id), choice.id, done: "is held")
        }
    }
}

struct OrdersReleaseCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "release", abstract: "Lets an order go that is held.")

    @OptionGroup var choice: OrderChoice
    @OptionGroup var tool: OrdersTool

    func run() throws {
        try tool.run { [self] orders throws(OrderAdministrationError) in
            if try await orders.isHeld(choice.id) == false {
                return tool.say(.refused("it is not held"), choice.id, done: "")
            }
            return tool.say(try await orders.release(choice.id), choice.id, done: "is released")
        }
    }
}

struct OrdersRetryCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "retry",
        abstract: "Has an order that waits be tried now, however long it would have waited."
    )
    @OptionGroup var choice: OrderChoice
    @OptionGroup var tool: OrdersTool

    func run() throws {
        try tool.run { [self] orders throws(OrderAdministrationError) in
            if try await orders.isHeld(choice.id) == true {
                return tool.say(.refused("it is held; release it"), choice.id, done: "")
            }
            return tool.say(try await orders.release(choice.id), choice.id, done: "is tried now")
        }
    }
}

struct OrdersGiveUpCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "give-up",
        abstract: "Rejects an order that was certainly not executed, for a reason."
    )
    @Option(help: "Why; stands in its history.")
    var reason: String

    @OptionGroup var choice: OrderChoice
    @OptionGroup var tool: OrdersTool

    func validate() throws {
        guard (1...500).contains(reason.count) else { throw ValidationError("--reason has 1 to 500 characters.") }
    }

    func run() throws {
        try tool.run { [self] orders throws(OrderAdministrationError) in
            tool.say(try await orders.giveUp(choice.id, reason: reason), choice.id, done: "is given up")
        }
    }
}

struct OrdersRebuildCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rebuild",
        abstract: "Makes the orders anew that are not what their events add up to.",
        discussion: "Whoever adds events waits meanwhile."
    )
    @OptionGroup var tool: OrdersTool

    func run() throws {
        try tool.run { [self] orders throws(OrderAdministrationError) in
            let count = try await orders.rebuild()
            if tool.json {
                Terminal.say(#"{"rebuilt":\#(count)}"#)
            } else {
                Terminal.say(count == 0 ? "Every order is what its events add up to." : "\(count) made anew")
            }
            return 0
        }
    }
}
