internal import CPostgres

/// What becomes of a keyword of a connection string.
///
/// Each is done as PostgreSQL's manual says, or refused by name. None is dropped: what somebody wrote there may be what
/// keeps a password from an impostor.
enum ConnectionKeyword {
    /// A field of ``PostgresConfiguration``.
    case ours
    /// libpq does it; one of these values, where the choice is closed.
    case libpq(values: [String]? = nil)
    /// Done so in any case, and not otherwise.
    case only(values: [String])

    static let all: [String: ConnectionKeyword] = [
        "host": .ours, "hostaddr": .ours, "port": .ours, "user": .ours, "password": .ours, "dbname": .ours,
        "application_name": .ours, "connect_timeout": .ours, "options": .ours,
        // There always is an application_name, so that this one never counts.
        "fallback_application_name": .libpq(),
        "sslmode": .libpq(values: ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"]),
        "channel_binding": .libpq(values: ["disable", "prefer", "require"]),
        "target_session_attrs": .libpq(
            values: ["any", "read-write", "read-only", "primary", "standby", "prefer-standby"]
        ),
        "ssl_min_protocol_version": .libpq(values: ["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"]),
        "ssl_max_protocol_version": .libpq(values: ["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"]),
        "sslcertmode": .libpq(values: ["disable", "allow", "require"]),
        "sslnegotiation": .libpq(values: ["postgres", "direct"]),
        "sslsni": .libpq(values: ["0", "1"]), "sslcompression": .libpq(values: ["0", "1"]),
        "sslrootcert": .libpq(), "sslcert": .libpq(), "sslkey": .libpq(), "sslpassword": .libpq(),
        "sslcrl": .libpq(), "sslcrldir": .libpq(), "requirepeer": .libpq(), "require_auth": .libpq(),
        "passfile": .libpq(),
        "keepalives": .libpq(values: ["0", "1"]), "keepalives_idle": .libpq(), "keepalives_interval": .libpq(),
        "keepalives_count": .libpq(), "tcp_user_timeout": .libpq(),
        "gssencmode": .only(values: ["disable"]),
        "client_encoding": .only(values: ["UTF8", "UTF-8", "utf8", "utf-8"]),
        "load_balance_hosts": .only(values: ["disable"]),
    ]
}

/// Why a connection string is not one, or not one for us.
public enum PostgresConnectionStringError: Error, Equatable, Sendable {
    /// libpq cannot parse it.
    case malformed
    /// `user` or `host` is missing.
    case incomplete(keyword: String)
    /// A keyword that libpq does not know, or that cannot be had here.
    case unsupported(keyword: String)
    /// The value is not one that the keyword may have.
    case invalid(keyword: String, allowed: String)
}

extension PostgresConnectionStringError: CustomStringConvertible {
    /// For the operator: names the keyword, and never the value, which may be a part of a password.
    public var description: String {
        switch self {
        case .malformed: "it is not a connection string"
        case .incomplete(let keyword): "\(keyword) is missing"
        case .unsupported(let keyword): "\(keyword) is not supported here"
        case .invalid(let keyword, let allowed): "\(keyword) must be \(allowed)"
        }
    }
}

extension PostgresConfiguration {
    /// Parses `postgresql://user:password@host:port/database?sslmode=…` or `host=… user=…`; for the rest, the defaults.
    ///
    /// - SeeAlso: PostgreSQL manual, "Connection Strings"; ``apply(connectionString:)``.
    public init(connectionString: String) throws(PostgresConnectionStringError) {
        self.init(host: "", user: "", database: "")
        try apply(connectionString: connectionString)
    }

    /// Takes over what a connection string says, and from it alone server, role, password and database.
    ///
    /// Every keyword is carried out, or refused: see ``ConnectionKeyword``. A list of servers is refused.
    public mutating func apply(connectionString: String) throws(PostgresConnectionStringError) {
        let options = try Self.options(in: connectionString)
        for (keyword, value) in options.sorted(by: { $0.key < $1.key }) { try check(keyword, value) }
        guard let user = options["user"] else { throw .incomplete(keyword: "user") }
        guard let host = options["host"] ?? options["hostaddr"] else { throw .incomplete(keyword: "host") }
        guard let port = UInt16(options["port"] ?? "5432"), port > 0 else {
            throw .invalid(keyword: "port", allowed: "a number from 1 to 65535")
        }
        (self.host, self.port, self.user) = (host, port, user)
        address = options["hostaddr"]
        password = options["password"]
        database = options["dbname"] ?? user
        if let name = options["application_name"] { applicationName = name }
        if let text = options["connect_timeout"] {
            // libpq waits for ever at 0; here everything ends.
            guard let seconds = UInt16(text), seconds > 0 else {
                throw .invalid(keyword: "connect_timeout", allowed: "a number of seconds from 1 to 65535")
            }
            connectTimeout = .seconds(Int(seconds))
        }
        libpqOptions = options.filter { keyword, _ in
            if case .libpq = ConnectionKeyword.all[keyword] { true } else { keyword == "options" }
        }
    }

    private func check(_ keyword: String, _ value: String) throws(PostgresConnectionStringError) {
        switch ConnectionKeyword.all[keyword] {
        case nil:
            throw .unsupported(keyword: keyword)
        case .libpq(let values?), .only(let values):
            guard values.contains(value) else {
                throw .invalid(keyword: keyword, allowed: values.joined(separator: ", "))
            }
        case .libpq(nil):
            break
        case .ours where ["host", "hostaddr", "port"].contains(keyword) && value.contains(","):
            throw .invalid(keyword: keyword, allowed: "that of one server")
        case .ours where keyword == "options":
            // Ours are set later, and would win without a word.
            for (name, _, _) in sessionSettings where value.lowercased().contains(name.lowercased()) {
                throw .invalid(keyword: keyword, allowed: "without \(name), which is ours to set")
            }
        case .ours:
            break
        }
    }

    private static func options(
        in connectionString: String
    ) throws(PostgresConnectionStringError) -> [String: String] {
        var error: UnsafeMutablePointer<CChar>?
        let parsed = unsafe PQconninfoParse(connectionString, &error)
        defer { unsafe PQfreemem(error) }
        guard let first = unsafe parsed else {
            let words = unsafe error.map { unsafe String(cString: $0) } ?? ""
            throw unknownKeyword(in: words).map { .unsupported(keyword: $0) } ?? .malformed
        }
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

    /// The keyword that libpq complains about. Nothing else of its words is passed on: they may quote a password.
    private static func unknownKeyword(in complaint: String) -> String? {
        for start in ["invalid URI query parameter: \"", "invalid connection option \""]
        where complaint.hasPrefix(start) {
            return String(complaint.dropFirst(start.count).prefix { $0 != "\"" })
        }
        return nil
    }
}
