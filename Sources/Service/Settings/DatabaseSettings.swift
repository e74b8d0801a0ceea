public import Configuration
public import Postgres

/// `[database]`: PostgreSQL.
public struct DatabaseSettings: Sendable {
    /// Everything in one text, which takes the place of the separate keys.
    var url: String?
    var server = PostgresConfiguration(host: "127.0.0.1", user: "tickloop", database: "tickloop")

    /// The keys.
    public static let table = ConfigurationTable("database", "PostgreSQL", Self()) {
        Key(
            "url",
            optional: \.url,
            form: "a postgresql:// URL with a user and a host",
            isSecret: true,
            "Takes the place of host, port, user, password and name",
            objection: { text in
                guard isURL(text) else { return nil }
                do throws(PostgresConnectionStringError) {
                    _ = try PostgresConfiguration(connectionString: text)
                    return nil
                } catch {
                    return error.description
                }
            },
            parse: { text in
                guard isURL(text) else { return nil }
                return (try? PostgresConfiguration(connectionString: text)).map { _ in text }
            }
        )
        Key(
            "host",
            \.server.host,
            length: 1...253,
            "Name or address of the server, or the directory of its Unix-domain socket"
        )
        Key(
            "port",
            \.server.port,
            in: 1...65_535,
            "Port of the server; for a Unix-domain socket, the number in its file name"
        )
        Key("user", \.server.user, length: 1...63, "Role to act as")
        Key("password", \.server.password, upTo: 1024, isSecret: true, "Password of the role; empty for none")
        Key("name", \.server.database, length: 1...63, "Database to connect to")
        Key(
            "connections",
            \.server.connections,
            in: 1...64,
            "Connections of each process; statements are pipelined, so that a few suffice"
        )
        Key(
            "in_flight_per_connection",
            \.server.inFlightPerConnectionMax,
            in: 1...1024,
            "Statements that may be in flight on one connection"
        )
        Key(
            "max_waiters",
            \.server.waitersMax,
            in: 0...1_000_000,
            "Statements that may wait while every connection is full; further ones fail at once"
        )
        Key(
            "connect_timeout_ms",
            \.server.connectTimeout,
            in: 10...60_000,
            "Time for one attempt to connect, name resolution included"
        )
        Key(
            "statement_timeout_ms",
            \.server.statementTimeout,
            in: 10...3_600_000,
            "Time after which the server gives a statement up"
        )
        Key(
            "reconnect_cap_ms",
            \.server.reconnectDelayCap,
            in: 10...60_000,
            "Longest wait before an attempt to connect again; short, so that we are back soon after the server"
        )
    }

    private static func isURL(_ text: String) -> Bool {
        text.hasPrefix("postgresql://") || text.hasPrefix("postgres://")
    }
}

extension PostgresConfiguration {
    /// What a service's configuration says about its database.
    ///
    /// - Parameter name: What the server shows of these connections, in `pg_stat_activity`.
    /// - Throws: When `database.url` is given and is not a connection string.
    public init(_ configuration: Configuration, name: String) throws(StartupError) {
        let settings = configuration[DatabaseSettings.table]
        self = settings.server
        applicationName = "tickloop \(name)"
        guard let url = settings.url else { return }
        do { try apply(connectionString: url) } catch { throw StartupError("database.url: \(error)") }
    }
}
