import ArgumentParser
import Configuration
import Reactor
import Service
import Supervision
import TaskQueue
import Worker

struct UpCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "up",
        abstract: "Everything on this machine: private PostgreSQL and Redis, sample data, and all services.",
        discussion: """
            Runs until Ctrl-C, then stops everything in order; a second Ctrl-C kills it. Addresses for a shell are in \
            DIR/run/env, process ids in DIR/run/NAME.pid.
            """
    )

    @Option(
        name: .customLong("data"),
        help: "The folder for data and process files; each folder is a system of its own."
    )
    var dataFolder = ".tickloop"

    @Option(
        help: "The gateway's port on 127.0.0.1. All others are free ones, the same at each start if they still are."
    )
    var port: UInt16 = 8080

    @Option(help: "Gateway processes, which share the port.")
    var gateways = 1

    @Option(help: "API processes.")
    var apis = 1

    @Option(help: "Worker processes.")
    var workers = 2

    @Flag(inversion: .prefixedNo, help: "Load the sample data at the first start.")
    var sample = true

    @Flag(help: "Use the PostgreSQL and Redis of the configuration instead of private ones.")
    var external = false

    @Option(help: "The folder with sql/ and etc/, whose TOML files the services read.")
    var home = "."

    func validate() throws {
        // Of a variable that is not set, and would be the folder that one is in.
        guard !dataFolder.isEmpty, !home.isEmpty else {
            throw ValidationError("--data and --home each name a folder")
        }
        guard port > 0 else { throw ValidationError("--port must be from 1 to 65535") }
        for (name, count) in [("gateways", gateways), ("apis", apis), ("workers", workers)] {
            guard (1...64).contains(count) else { throw ValidationError("--\(name) must be from 1 to 64") }
        }
    }

    func run() throws {
        var options = UpOptions(
            dataFolder: Files.absolute(dataFolder),
            home: Files.absolute(home)
        )
        options.gatewayPort = port
        options.gateways = gateways
        options.apis = apis
        options.workers = workers
        options.hasSample = sample
        options.isExternal = external
        options.queue = try queueName(home: options.home)
        throw ExitCode(Reactor.run { [options] in await Up.run(options) })
    }

    /// As the workers will read it: tools need the same.
    private func queueName(home: String) throws -> String {
        let file = "\(home)/etc/worker.toml"
        let known = Terminal.fileExists(file) ? file : nil
        let configuration = try ConfigurationOption.load(Role.worker.schema, file: known)
        return configuration[QueueSettings.consumer].name
    }
}
