import ArgumentParser
import Configuration
import Gateway
import InternalAPI
import Service
import Simulator
import Worker

struct ConfigCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config",
        abstract: "Checks, shows and documents configurations.",
        subcommands: [
            ConfigCheckCommand.self, ConfigShowCommand.self, ConfigDefaultsCommand.self, ConfigTableCommand.self,
        ]
    )
}

/// A service by its name on the command line, in the order in which a request meets them.
enum ServiceName: String, ExpressibleByArgument, CaseIterable {
    case gateway, api, worker, simulator

    var schema: ConfigurationSchema {
        switch self {
        case .gateway: Role.gateway.schema
        case .api: Role.internalAPI.schema
        case .worker: Role.worker.schema
        case .simulator: Role.simulator.schema
        }
    }
}

struct ConfigCheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Checks a file as the start of its service would, together with the environment.",
        discussion: "Prints every problem with file, line and key; the exit status is 78 if there is one."
    )

    @Argument(help: "The TOML file.")
    var file: String

    @Option(help: "The service it is for. Default: the file's name without .toml.")
    var service: ServiceName?

    func run() throws {
        let stem = file.split(separator: "/").last?.split(separator: ".").first ?? ""
        guard let service = service ?? ServiceName(rawValue: String(stem)) else {
            throw ValidationError("\(file) is not named after a service; say which with --service.")
        }
        _ = try ConfigurationOption.load(service.schema, file: file)
        Terminal.say("\(file) is a correct configuration of the \(service.rawValue).")
        for unknown in ConfigurationOption.unknownVariables { Terminal.complain("\(unknown)") }
    }
}

struct ConfigShowCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Prints the effective values and where each comes from, as TOML and without secrets."
    )

    @Argument(help: "The service.")
    var service: ServiceName

    @OptionGroup var options: ConfigurationOption

    func run() throws {
        Terminal.say(try options.load(service.schema).shown)
        for unknown in ConfigurationOption.unknownVariables { Terminal.complain("\(unknown)") }
    }
}

struct ConfigDefaultsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "defaults",
        abstract: "Prints the file of a service with every key at its default, as it stands in etc."
    )

    @Argument(help: "The service.")
    var service: ServiceName

    func run() throws { Terminal.say(String(service.schema.template.dropLast())) }
}

struct ConfigTableCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "table",
        abstract: "Prints the table of all keys that stands in etc/README.md, as Markdown."
    )

    func run() throws {
        Terminal.say(ConfigurationSchema.markdownTable(of: ServiceName.allCases.map(\.schema)))
    }
}
