import ArgumentParser
import Glibc
import Migrations
import Reactor

struct MigrateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "migrate",
        abstract: "Brings the database's schema up to date.",
        discussion: "Each file of sql/ is applied once, in a transaction of its own. Several may run at the same time."
    )

    @Option(name: .customLong("sql"), help: "The folder with the migrations.")
    var folder = "sql"

    @Flag(help: "Only show what is applied and what is not.")
    var status = false

    @OptionGroup var tool: DatabaseTool

    func run() throws {
        let database = try tool.database()
        let (folder, status) = (folder, status)
        Glibc.exit(
            Reactor.run {
                do {
                    let migrator = Migrator(try MigrationFolder(path: folder), database)
                    if status {
                        for entry in try await migrator.status().entries {
                            Terminal.say("\(Self.words(for: entry.state))  \(entry.migration)")
                        }
                    } else {
                        let applied = try await migrator.apply { Terminal.say("applied \($0)") }
                        if applied == 0 { Terminal.say("The schema is up to date.") }
                    }
                    return 0
                } catch MigrationError.connection(let error) {
                    return DatabaseTool.complain(error)
                } catch {
                    Terminal.complain("\(error)")
                    return 1
                }
            }
        )
    }

    private static func words(for state: MigrationPlan.State) -> String {
        switch state {
        case .pending: "pending"
        case .applied(let time): "applied \(time)"
        case .changed(let time): "applied \(time), FILE CHANGED SINCE"
        case .missing(let time): "applied \(time), FILE MISSING"
        }
    }
}
