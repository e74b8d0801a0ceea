import ArgumentParser
import Configuration
import Glibc
import Logging
import Logs
import Postgres
import Reactor
import Service
import Worker

/// Options and start-up of the commands that work on the database and end.
struct DatabaseTool: ParsableArguments {
    @OptionGroup var options: ConfigurationOption

    /// How the worker reaches the database, which is how these commands do.
    ///
    /// Their statements may take as long as they need: what bounds them is the person who runs the command.
    func database() throws -> PostgresConfiguration {
        let configuration = try options.load(Role.worker.schema)
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
                do throws(PostgresConnectError) {
                    let session = try await PostgresSession.open(database)
                    let status = await body(session)
                    session.close()
                    return status
                } catch {
                    return Self.complain(error)
                }
            }
        )
    }

    /// Says why there is no connection.
    ///
    /// - Returns: The exit status.
    static func complain(_ error: PostgresConnectError) -> CInt {
        Terminal.complain("The database cannot be reached: \(cause(error))")
        return 69  // EX_UNAVAILABLE of sysexits.h
    }

    /// What the database said, and what to do about it where that is known.
    static func words(_ error: some Error) -> String {
        let words = String(reflecting: error)
        guard case .server(let refusal) = error as? PostgresError, refusal.sqlState.tellsOfMissingSchema else {
            return words
        }
        return "\(words). The schema is missing: \(SQLState.schemaAdvice)"
    }

    /// Why there is no connection, and what to do about it.
    private static func cause(_ error: PostgresConnectError) -> String {
        let words = String(reflecting: error)
        switch error {
        case .resolution: return "\(words). Set database.url, or TICKLOOP_DATABASE_URL, to where PostgreSQL is."
        case .timedOut: return "it did not answer in time. Is it the right address, and does PostgreSQL run there?"
        case .refused(.invalidPassword?, _), .refused("28000"?, _):
            return "\(words). Set the user and the password in database.url, or TICKLOOP_DATABASE_URL."
        case .refused(.undefinedDatabase?, _): return "\(words). Create it, and run `tickloop migrate`."
        case .refused(let state?, _) where ["53", "57"].contains(state.code.prefix(2)):
            return "\(words). Try again later."
        case .refused(nil, let text) where text.contains("SSL") || text.contains("certificate"):
            return "\(words). What is asked of TLS are sslmode and sslrootcert in database.url."
        case .refused:
            return "\(words). Is PostgreSQL running there? Under `tickloop up`, load run/env of its folder first."
        }
    }
}
