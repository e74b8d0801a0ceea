internal import CPostgres

/// Where a PostgreSQL server is, who we are there, and the bounds of what we ask of it.
public struct PostgresConfiguration: Sendable {
    /// Whether the connection is encrypted. Unix-domain sockets never are.
    public enum TLS: String, Sendable, CaseIterable {
        case disable
        /// If the server can; without checking its certificate.
        case prefer
        /// Always; without checking the server's certificate.
        case require
        /// Always, with a server certificate for its name from an authority in `~/.postgresql/root.crt`.
        case verifyFull = "verify-full"
    }

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
    /// Encryption of TCP connections.
    public var tls = TLS.prefer
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
    public var peerTimeout = Duration.seconds(5)
    /// The longest first delay before connecting anew, after an attempt that failed.
    public var reconnectDelayFirst = Duration.milliseconds(20)
    /// The longest delay of all, however many attempts failed.
    public var reconnectDelayCap = Duration.milliseconds(250)

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
    var isLocal: Bool { host.hasPrefix("/") }

    /// Beyond this without any reply, a connection with statements in flight counts as dead.
    ///
    /// The server ends every statement at its timeout, so a longer silence is not a slow statement. The margin is for
    /// the way and for a busy machine.
    var silenceMax: Duration? { statementTimeout > .zero ? statementTimeout + .seconds(1) : nil }
}

/// Why a connection string is not one.
public enum PostgresConnectionStringError: Error, Equatable, Sendable {
    /// libpq cannot parse it.
    case malformed
    /// `user`, `host` or `dbname` is missing, or `port` is not a port.
    case incomplete(keyword: String)
}

extension PostgresConfiguration {
    /// Parses `postgresql://user:password@host:port/database` or `host=… user=…`.
    ///
    /// Understood are `host`, `port`, `user`, `password`, `dbname`, `sslmode` and `application_name`; other keywords
    /// are accepted and ignored.
    ///
    /// - SeeAlso: PostgreSQL manual, "Connection Strings".
    public init(connectionString: String) throws(PostgresConnectionStringError) {
        guard let options = Self.options(in: connectionString) else { throw .malformed }
        guard let user = options["user"] else { throw .incomplete(keyword: "user") }
        guard let host = options["host"] ?? options["hostaddr"] else { throw .incomplete(keyword: "host") }
        guard let port = UInt16(options["port"] ?? "5432") else { throw .incomplete(keyword: "port") }
        self.init(
            host: host,
            port: port,
            user: user,
            password: options["password"],
            database: options["dbname"] ?? user
        )
        if let tls = options["sslmode"].flatMap(TLS.init(rawValue:)) { self.tls = tls }
        if let name = options["application_name"] { applicationName = name }
    }

    private static func options(in connectionString: String) -> [String: String]? {
        var error: UnsafeMutablePointer<CChar>?
        let parsed = unsafe PQconninfoParse(connectionString, &error)
        unsafe PQfreemem(error)
        guard let first = unsafe parsed else { return nil }
        defer { unsafe PQconninfoFree(first) }
        var options: [String: String] = [:]
        var option = unsafe first
        while let keyword = unsafe option.pointee.keyword {
            if let value = unsafe option.pointee.val {
                options[unsafe String(cString: keyword)] = unsafe String(cString: value)
            }
            unsafe option += 1
        }
        return options
    }

    /// libpq's keywords for one attempt.
    ///
    /// - Parameter addresses: Numeric addresses of ``host``, tried in turn, so that libpq resolves no names, which
    ///   would block; empty for a Unix-domain socket.
    func keywords(addresses: [String]) -> [(keyword: String, value: String)] {
        var keywords: [(keyword: String, value: String)] = [
            ("port", "\(port)"), ("user", user), ("dbname", database), ("application_name", applicationName),
            ("client_encoding", "UTF8"), ("options", serverOptions),
            // Kerberos would look for tickets, in files and over the network.
            ("gssencmode", "disable"),
            // A path that cannot exist: otherwise ~/.pgpass is read, and warned about on stderr.
            ("passfile", "/dev/null/none"),
        ]
        if let password { keywords.append(("password", password)) }
        guard !isLocal else { return keywords + [("host", host)] }
        return keywords + [
            // One name for each address: libpq matches them up by position.
            ("host", Array(repeating: host, count: addresses.count).joined(separator: ",")),
            ("hostaddr", addresses.joined(separator: ",")),
            ("sslmode", tls.rawValue),
            // A peer that vanished without a word is noticed within about ten seconds, idle or not.
            ("keepalives", "1"), ("keepalives_idle", "4"), ("keepalives_interval", "2"), ("keepalives_count", "3"),
            ("tcp_user_timeout", "\(peerTimeout.wholeMilliseconds)"),
        ]
    }

    /// Settings that the session starts with.
    private var serverOptions: String {
        [
            "statement_timeout=\(statementTimeout.wholeMilliseconds)",
            // Should we be stopped in the middle of a transaction, its locks are not held for ever.
            "idle_in_transaction_session_timeout=60000",
            // A statement whose client died is given up within a second instead of running to its end.
            "client_connection_check_interval=1000",
            "TimeZone=UTC", "DateStyle=ISO", "client_min_messages=warning",
        ].map { "-c \($0)" }.joined(separator: " ")
    }
}

extension Duration {
    /// Rounded up, so that a positive duration never becomes 0, which means "for ever" in PostgreSQL.
    var wholeMilliseconds: Int64 {
        let (seconds, attoseconds) = components
        return seconds * 1000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000
    }
}
