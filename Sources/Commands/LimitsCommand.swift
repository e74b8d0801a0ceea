import ArgumentParser
import HTTPWire
import JSONWire

struct GatewayLimitsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "limits",
        abstract: "Reads and changes how often clients may ask; all gateways follow at once.",
        subcommands: [LimitsShowCommand.self, LimitsSetCommand.self, LimitsResetCommand.self],
        defaultSubcommand: LimitsShowCommand.self
    )
}

struct LimitChoice: ParsableArguments {
    @Argument(help: "The route: a path, or \"METHOD PATH\"; /shop/ for all below, / for everything.")
    var route: String

    @Option(help: "What is counted together: both, address or route.")
    var by = "both"

    @Option(help: "The only clients that it concerns: an address or a network.")
    var address: String?
}

struct LimitsShowCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "show", abstract: "All limits.")
    @OptionGroup var tool: AdminTool

    func run() throws {
        try tool.run(AdminTool.Question(method: .get, target: "/admin/limits")) { answer in
            let limits = answer["data"]?.array ?? []
            if limits.isEmpty { Terminal.say("Nothing is limited.") }
            for limit in limits { Terminal.say(Self.line(limit)) }
            return 0
        }
    }

    static func line(_ limit: JSONValue) -> String {
        let requests = limit["requests"]?.integer ?? 0
        let amount = requests == 0 ? "any number" : "\(requests) in \(limit["per_s"]?.integer ?? 0) s"
        let clients = limit["address"]?.string.map { "  from \($0)" } ?? ""
        let source = limit["source"]?.string == "change" ? "  (changed)" : ""
        return "\(limit["route"]?.string ?? "")  \(amount)  by \(limit["by"]?.string ?? "")\(clients)\(source)"
    }
}

struct LimitsSetCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "set", abstract: "Changes or adds a limit.")
    @OptionGroup var choice: LimitChoice
    @Option(help: "How many requests; 0 for any number.") var requests: Int
    @Option(help: "In how many seconds.") var per = 60
    @OptionGroup var tool: AdminTool

    func run() throws {
        let body: JSONValue = [
            "by": .string(choice.by), "route": .string(choice.route),
            "address": choice.address.map { .string($0) } ?? .null, "requests": .integer(requests),
            "per_s": .integer(per),
        ]
        try tool.run(AdminTool.Question(method: .put, target: "/admin/limits", body: body)) { answer in
            Terminal.say(LimitsShowCommand.line(answer))
            return 0
        }
    }
}

struct LimitsResetCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reset",
        abstract: "Takes a change back: the gateways' files hold again."
    )
    @OptionGroup var choice: LimitChoice
    @OptionGroup var tool: AdminTool

    func run() throws {
        var target = "/admin/limits?by=\(choice.by.percentEncoded)&route=\(choice.route.percentEncoded)"
        if let address = choice.address { target += "&address=\(address.percentEncoded)" }
        try tool.run(AdminTool.Question(method: .delete, target: target)) { _ in
            Terminal.say("taken back")
            return 0
        }
    }
}
