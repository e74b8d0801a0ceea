import Basics
import ArgumentParser
import Configuration
import Gateway
import Glibc
import InternalAPI
import Proxy
import Service
import Simulator
import Supervision
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

    /// What is in the environment under our name, and belongs to no key of any service.
    static var unknownVariables: [UnknownVariable] {
        UnknownVariable.all(
            in: ProcessEnvironment.variables,
            besides: ServiceName.allCases.map(\.schema),
            // What `up` writes into run/env for people and scripts.
            [
                "TICKLOOP_GATEWAY_URL", "TICKLOOP_API_URL", "TICKLOOP_ADMIN_URL", "TICKLOOP_TOKEN",
                "TICKLOOP_WORKER_URLS",
            ]
        )
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
        let unknown = ConfigurationOption.unknownVariables.map(\.description)
        let status = Self.role.run(configuration, warnings: unknown) { () throws(ConfigurationProblems) in
            try options.reread(schema)
        }
        throw ExitCode(status)
    }
}

struct GatewayCommand: ServiceCommand {
    static let configuration = CommandConfiguration(
        commandName: "gateway",
        abstract: "The public gateway: validates and forwards to the internal API.",
        subcommands: [GatewayReloadCommand.self, GatewayLimitsCommand.self]
    )
    static var role: Role { .gateway }
    @OptionGroup var options: ConfigurationOption
}

struct GatewayReloadCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reload",
        abstract: "Makes the gateways that `tickloop up` runs take proxy routes and certificates from their files."
    )
    @OptionGroup var options: ConfigurationOption
    @Option(help: "The folder of `tickloop up`.") var data = ".tickloop"

    func run() throws {
        // Looked at first: what is wrong is said here, and not only in a log.
        let configuration = try options.load(Role.gateway.schema)
        do { _ = try ProxyRoute.configured(by: configuration) } catch {
            Terminal.complain(error.description)
            throw ExitCode(78)  // EX_CONFIG of sysexits.h
        }
        // Those that still are what was started: somebody else may have the number of one that has ended.
        let gateways = DataFolder.processes(in: data).filter { $0.name.hasPrefix("gateway-") }
        let told = gateways.filter { kill($0.pid, SIGHUP) == 0 }
        guard !told.isEmpty else {
            Terminal.complain("No gateway runs in \(data).")
            throw ExitCode(69)  // EX_UNAVAILABLE of sysexits.h
        }
        Terminal.say("told \(told.count) \(told.count == 1 ? "gateway" : "gateways"); their logs say what they took")
    }
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
