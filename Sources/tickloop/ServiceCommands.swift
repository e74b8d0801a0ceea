import Basics
import ArgumentParser
import Configuration
import Gateway
import InternalAPI
import Service
import Simulator
import Worker

/// `--config FILE`, the same for every command that reads a service's configuration.
struct ConfigurationOption: ParsableArguments {
    @Option(
        name: .customLong("config"),
        help: "The TOML file. Default: etc/SERVICE.toml if it is there, else the built-in defaults."
    )
    var file: String?

    /// Reads and checks the configuration; what is wrong goes to the terminal, each with its file, line and key.
    func load(_ schema: ConfigurationSchema) throws -> Configuration {
        try Self.load(schema, file: file ?? defaultFile(of: schema))
    }

    /// The same once more, while the service runs.
    func reread(_ schema: ConfigurationSchema) throws(ConfigurationProblems) -> Configuration {
        let file = file ?? defaultFile(of: schema)
        return try Configuration.load(schema, file: file, environment: ProcessEnvironment.variables)
    }

    static func load(_ schema: ConfigurationSchema, file: String?) throws -> Configuration {
        do {
            return try Configuration.load(schema, file: file, environment: ProcessEnvironment.variables)
        } catch {
            Terminal.complain(error.description)
            throw ExitCode(78)  // EX_CONFIG of sysexits.h
        }
    }

    private func defaultFile(of schema: ConfigurationSchema) -> String? {
        let file = "etc/\(schema.service).toml"
        return Terminal.fileExists(file) ? file : nil
    }
}

/// A command that runs a service until a signal ends it.
protocol ServiceCommand: ParsableCommand {
    static var role: Role { get }
    var options: ConfigurationOption { get }
}

extension ServiceCommand {
    func run() throws {
        let (schema, options) = (Self.role.schema, options)
        let configuration = try options.load(schema)
        let status = Self.role.run(configuration) { () throws(ConfigurationProblems) in try options.reread(schema) }
        throw ExitCode(status)
    }
}

struct GatewayCommand: ServiceCommand {
    static let configuration = CommandConfiguration(
        commandName: "gateway",
        abstract: "The public gateway: validates and forwards to the internal API."
    )
    static var role: Role { .gateway }
    @OptionGroup var options: ConfigurationOption
}

struct APICommand: ServiceCommand {
    static let configuration = CommandConfiguration(
        commandName: "api",
        abstract: "The internal API: hands work to the workers and answers with their results."
    )
    static var role: Role { .internalAPI }
    @OptionGroup var options: ConfigurationOption
}

struct WorkerCommand: ServiceCommand {
    static let configuration = CommandConfiguration(
        commandName: "worker",
        abstract: "A worker: takes tasks from the queue and computes their results."
    )
    static var role: Role { .worker }
    @OptionGroup var options: ConfigurationOption
}

struct SimulatorCommand: ServiceCommand {
    static let configuration = CommandConfiguration(
        commandName: "simulator",
        abstract: "Stands in for the outside world: a price provider to try things with."
    )
    static var role: Role { .simulator }
    @OptionGroup var options: ConfigurationOption
}
