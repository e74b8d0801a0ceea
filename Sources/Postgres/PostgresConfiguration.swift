internal import Basics

/// Where a PostgreSQL server is, who we are there, and the bounds of what we ask of it.
public struct PostgresConfiguration: Sendable {
    /// A name, an address, or the directory of a Unix-domain socket if it begins with `/`.
    public var host: String
    /// The TCP port; for a Unix-domain socket, the number in its file name.
    public var port: UInt16
    /// The role to act as.
    public var user: String
    /// Its password, if the server asks for one.
    public var password: String?
    /// The database to connect to.
    public var database: String
    /// Numeric addresses of the server, which are used in place of what ``host`` resolves to; nil to resolve it.
    var address: String?
    /// What libpq itself carries out, by its keywords: TLS, what the server must be, keep-alive and the like.
    ///
    /// Without `sslmode` it is libpq's default, which `PGSSLMODE` changes, as the other variables of libpq do.
    ///
    /// - SeeAlso: PostgreSQL manual, "Parameter Key Words"; ``ConnectionKeyword``.
    var libpqOptions: [String: String] = [:]
    /// How the server's `pg_stat_activity` names us.
    public var applicationName = "tickloop"

    /// How many connections a pool keeps; 1 to 64.
    ///
    /// Few: statements that meet on a connection share its system calls and wake-ups. Measured with 64 short reads in
    /// flight on 2 cores: 40,000 a second on one connection, 47,000 on two, 37,000 on four.
    public var connections = 2
    /// Statements in flight on one connection at most, in the order of which the server answers.
    public var inFlightPerConnectionMax = 64
    /// Statements that may wait, each until its deadline, while all connections are full.
    public var waitersMax = 1024
    /// The longest that one attempt to connect may take, name resolution included.
    public var connectTimeout = Duration.seconds(3)
    /// After this the server gives up a statement (`statement_timeout`); zero for never.
    public var statementTimeout = Duration.seconds(5)
    /// After this without an acknowledgement, the kernel gives up a TCP connection (`TCP_USER_TIMEOUT`).
    var peerTimeout = Duration.seconds(5)
    /// The longest first delay before connecting anew, after an attempt that failed.
    var reconnectDelayFirst = Duration.milliseconds(20)
    /// The longest delay of all, however many attempts failed.
    public var reconnectDelayCap = Duration.milliseconds(250)
    /// The longest delay while the server itself turns us away for a reason that time alone does not heal.
    var refusalDelayCap = Duration.seconds(5)

    /// How often to look whether the server shuts down and waits for our sessions to end. A process looks once for all
    /// of its pools, and pools of one process on one server want the same.
    var shutdownProbeInterval = Duration.milliseconds(1250)

    /// Makes a configuration with the defaults above.
    public init(
        host: String,
        port: UInt16 = 5432,
        user: String,
        password: String? = nil,
        database: String
    ) {
        self.host = host
        self.port = port
        self.user = user
        self.password = password
        self.database = database
    }

    /// Whether ``host`` is the directory of a Unix-domain socket.
    var isLocal: Bool { address == nil && host.hasPrefix("/") }

    /// Beyond this without any reply, a connection with statements in flight counts as dead.
    ///
    /// The server ends every statement at its timeout, so a longer silence is not a slow statement. The margin is for
    /// the way and for a busy machine.
    var silenceMax: Duration? { statementTimeout > .zero ? statementTimeout + .seconds(1) : nil }
}

extension PostgresConfiguration {
    /// libpq's keywords for one attempt.
    ///
    /// - Parameter addresses: Numeric addresses of ``host``, tried in turn, so that libpq resolves no names, which
    ///   would block; empty for a Unix-domain socket.
    func keywords(addresses: [String]) -> [String: String] {
        var keywords = [
            "port": "\(port)", "user": user, "dbname": database, "application_name": applicationName,
            "client_encoding": "UTF8",
            // Kerberos would look for tickets, in files and over the network.
            "gssencmode": "disable",
            // A path that cannot exist: otherwise ~/.pgpass is read, and warned about on stderr.
            "passfile": "/dev/null/none",
        ]
        keywords["password"] = password
        if isLocal {
            keywords["host"] = host
        } else {
            // One name for each address: libpq matches them up by position.
            keywords["host"] = Array(repeating: host, count: addresses.count).joined(separator: ",")
            keywords["hostaddr"] = addresses.joined(separator: ",")
            // A peer that vanished without a word is noticed within about ten seconds, idle or not.
            keywords["keepalives"] = "1"
            keywords["keepalives_idle"] = "4"
            keywords["keepalives_interval"] = "2"
            keywords["keepalives_count"] = "3"
            keywords["tcp_user_timeout"] = "\(peerTimeout.millisecondsRoundedUp)"
        }
        return keywords.merging(libpqOptions) { $1 }
    }

    /// What a session begins with, by the names of the server's settings.
    ///
    /// They are set by a statement and not by libpq's `options`, which PgBouncer refuses as it comes.
    var sessionSettings: [(name: String, value: String, isFollowedByPoolers: Bool)] {
        [
            ("TimeZone", "UTC", true),
            ("DateStyle", "ISO", true),
            ("statement_timeout", "\(statementTimeout.millisecondsRoundedUp)", false),
            // Should we be stopped in the middle of a transaction, its locks are not held for ever.
            ("idle_in_transaction_session_timeout", "60000", false),
            // A statement whose client died is given up within a second instead of running to its end.
            ("client_connection_check_interval", "1000", false),
            ("client_min_messages", "warning", false),
        ]
    }

    /// The statement that sets ``sessionSettings``, and answers whether a pooler stands between us and the server.
    ///
    /// A pooler, such as PgBouncer, tells a process number of its own making. Where each transaction may be in another
    /// session, a setting would stay behind for others and not be there for us, but for the few that a pooler carries
    /// from session to session. So the others are left to the role (`alter role … set statement_timeout`).
    ///
    /// - Parameter serverProcess: The number that the server told when the session began.
    func sessionScript(serverProcess: CInt) -> String {
        let isDirect = "pg_backend_pid() = \(serverProcess)"
        let rows = sessionSettings.map { "('\($0.name)', '\($0.value)', \($0.isFollowedByPoolers))" }
        return """
            select \(isDirect), count(set_config(name, value, false))
            from (values \(rows.joined(separator: ", "))) as setting (name, value, always) where always or \(isDirect)
            """
    }
}
