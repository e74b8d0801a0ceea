import ArgumentParser
import Service

/// The one program; each role and each tool is a subcommand.
@main
struct Tickloop: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tickloop",
        abstract: "Market data and orders on one event loop per process.",
        version: "tickloop \(Product.version)",
        groupedSubcommands: [
            CommandGroup(name: "Everything at once", subcommands: [UpCommand.self]),
            CommandGroup(
                name: "Services",
                subcommands: [GatewayCommand.self, APICommand.self, WorkerCommand.self, SimulatorCommand.self]
            ),
            CommandGroup(
                name: "Data",
                subcommands: [MigrateCommand.self, SeedCommand.self, ImportCommand.self]
            ),
            CommandGroup(
                name: "Operation",
                subcommands: [
                    HealthCommand.self, AdminCommand.self, QueueCommand.self, CacheCommand.self, EventsCommand.self,
                    OrdersCommand.self,
                    ConfigCommand.self, TokenCommand.self, DoctorCommand.self,
                ]
            ),
        ]
    )

    /// Where the program begins.
    static func main() {
        StandardStreams.complete()
        main(nil)
    }
}
