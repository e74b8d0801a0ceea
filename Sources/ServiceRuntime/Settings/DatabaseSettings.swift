public import Configuration
internal import Postgres

/// `[database]`: PostgreSQL.
public enum DatabaseSettings {
    /// Everything in one text.
    public static let url = ConfigurationKey<String?>.optional(
        "database.url",
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

    private static func isURL(_ text: String) -> Bool {
        text.hasPrefix("postgresql://") || text.hasPrefix("postgres://")
    }

    /// The host.
    public static let host = ConfigurationKey<String>.text(
        "database.host",
        default: "127.0.0.1",
        length: 1...253,
        "Name or address of the server, or the directory of its Unix-domain socket"
    )

    /// The port.
    public static let port = ConfigurationKey<Int>.integer(
        "database.port",
        default: 5432,
        in: 1...65_535,
        "Port of the server; for a Unix-domain socket, the number in its file name"
    )

    /// The role.
    public static let user = ConfigurationKey<String>.text(
        "database.user",
        default: "tickloop",
        length: 1...63,
        "Role to act as"
    )

    /// Its password.
    public static let password = ConfigurationKey<String>.text(
        "database.password",
        default: "",
        length: 0...1024,
        isSecret: true,
        "Password of the role; empty for none"
    )

    /// The database.
    public static let name = ConfigurationKey<String>.text(
        "database.name",
        default: "tickloop",
        length: 1...63,
        "Database to connect to"
    )

    /// Connections kept.
    public static let connections = ConfigurationKey<Int>.integer(
        "database.connections",
        default: 2,
        in: 1...64,
        "Connections of each process; statements are pipelined, so that a few suffice"
    )

    /// Statements in flight on one connection.
    public static let inFlightPerConnection = ConfigurationKey<Int>.integer(
        "database.in_flight_per_connection",
        default: 64,
        in: 1...1024,
        "Statements that may be in flight on one connection"
    )

    /// Statements that wait for a place.
    public static let maxWaiters = ConfigurationKey<Int>.integer(
        "database.max_waiters",
        default: 1024,
        in: 0...1_000_000,
        "Statements that may wait while every connection is full; further ones fail at once"
    )

    /// How long one attempt to connect may take.
    public static let connectTimeout = ConfigurationKey<Duration>.milliseconds(
        "database.connect_timeout_ms",
        default: 3000,
        in: 10...60_000,
        "Time for one attempt to connect, name resolution included"
    )

    /// How long one statement may take.
    public static let statementTimeout = ConfigurationKey<Duration>.milliseconds(
        "database.statement_timeout_ms",
        default: 5000,
        in: 10...3_600_000,
        "Time after which the server gives a statement up"
    )

    /// The longest wait before connecting anew.
    public static let reconnectCap = ConfigurationKey<Duration>.milliseconds(
        "database.reconnect_cap_ms",
        default: 250,
        in: 10...60_000,
        "Longest wait before an attempt to connect again; short, so that we are back soon after the server"
    )

    static let section = ConfigurationSection(
        "database",
        "PostgreSQL",
        url,
        host,
        port,
        user,
        password,
        name,
        connections,
        inFlightPerConnection,
        maxWaiters,
        connectTimeout,
        statementTimeout,
        reconnectCap
    )
}
