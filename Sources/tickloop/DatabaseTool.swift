import ArgumentParser
import Configuration
import Glibc
import Logging
import Observability
import Postgres
import Reactor
import ServiceRuntime

/// Options and start-up of the commands that work on the database and end.
struct DatabaseTool: ParsableArguments {
    @OptionGroup var options: ConfigurationOption

    /// How the worker reaches the database, which is how these commands do.
    ///
    /// Their statements may take as long as they need: what bounds them is the person who runs the command.
    func database() throws -> PostgresConfiguration {
        let configuration = try options.load(.worker)
        do {
            var database = try PostgresConfiguration(configuration, name: "tool")
            database.statementTimeout = .zero
            return database
        } catch {
            Terminal.complain(error.description)
            throw ExitCode(78)  // EX_CONFIG of sysexits.h
        }
    }

    /// Opens a connection, calls `body` on the loop and ends the process with the status that it returns.
    func run(_ body: @escaping @ReactorActor (PostgresSession) async -> CInt) throws -> Never {
        let database = try database()
        Glibc.exit(
            Reactor.run {
                do {
                    let session = try await PostgresSession.open(database)
                    let status = await body(session)
                    session.close()
                    return status
                } catch {
                    Terminal.complain("The database cannot be reached: \(error)")
                    return 69  // EX_UNAVAILABLE of sysexits.h
                }
            }
        )
    }
}
