import ArgumentParser
import Reactor
import Supervision

/// `tickloop up`.
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

    @Option(help: "The gateway's port on 127.0.0.1. All others are free ones.")
    var port: UInt16 = 8080

    @Option(help: "Worker processes.")
    var workers = 2

    @Flag(help: "Use the PostgreSQL and Redis of the configuration instead of private ones.")
    var external = false

    @Option(help: "The folder with sql/ and etc/, whose TOML files the services read.")
    var home = "."

    func validate() throws {
        guard port > 0 else { throw ValidationError("--port must be from 1 to 65535") }
        guard (1...64).contains(workers) else { throw ValidationError("--workers must be from 1 to 64") }
    }

    func run() throws {
        var options = UpOptions(
            dataFolder: Files.absolute(dataFolder),
            home: Files.absolute(home)
        )
        options.gatewayPort = port
        options.workers = workers
        options.isExternal = external
        throw ExitCode(Reactor.run { [options] in await Up.run(options) })
    }
}
