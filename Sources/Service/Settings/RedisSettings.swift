internal import Basics
public import Configuration
internal import Reactor
public import Redis

/// `[redis]`: the broker of the task queue, and the cache.
public struct RedisSettings: Sendable {
    /// Everything in one text, which takes the place of the separate keys.
    var url: RedisLocation?
    var server = RedisConfiguration(endpoint: .tcp(host: "127.0.0.1", port: 6379))

    /// The keys.
    public static let table = ConfigurationTable("redis", "Redis: the broker of the task queue, and the cache", Self())
    {
        Key(
            "url",
            optional: \.url,
            form: "a redis:// or unix:// URL",
            isSecret: true,
            "Takes the place of address, username, password and database",
            parse: { RedisLocation(url: $0) }
        )
        Key("address", \.server.endpoint, "Address of the server")
        Key("username", \.server.username, upTo: 128, "ACL user; empty for the default user")
        Key("password", \.server.password, upTo: 1024, isSecret: true, "Password of the user; empty for none")
        Key("database", \.server.database, in: 0...65_535, "Number of the database")
        Key(
            "connect_timeout_ms",
            \.server.connectTimeout,
            in: 10...60_000,
            "Time for one attempt to connect, name resolution included"
        )
        Key(
            "command_timeout_ms",
            \.server.commandTimeout,
            in: 10...60_000,
            "Time in which a command must be answered"
        )
        Key(
            "max_pending",
            \.server.pendingLimit,
            in: 1...1_000_000,
            "Commands that may be sent and not yet answered; further ones fail at once"
        )
        Key(
            "reconnect_cap_ms",
            \.server.reconnectDelayCap,
            in: 10...60_000,
            "Longest wait before an attempt to connect again; short, so that we are back soon after the server"
        )
    }
}

extension RedisConfiguration {
    /// What a service's configuration says about its broker.
    ///
    /// - Parameter name: What the server shows of these connections, in `CLIENT LIST`.
    public init(_ configuration: Configuration, name: String) {
        let settings = configuration[RedisSettings.table]
        self = settings.server
        clientName = "tickloop-\(name)"
        guard let location = settings.url else { return }
        endpoint = location.endpoint
        username = location.username
        password = location.password
        database = location.database
    }
}

/// Which Redis, as whom, and which of its databases.
struct RedisLocation: Hashable, Sendable {
    /// The server.
    var endpoint: Endpoint
    /// The ACL user; nil for the default user.
    var username: String?
    /// The password; nil for none.
    var password: String?
    /// The number of the database.
    var database: Int

    /// Parses `redis://[USER[:PASSWORD]@]HOST[:PORT][/DATABASE]` or `unix://[USER[:PASSWORD]@]/PATH[?db=DATABASE]`.
    ///
    /// These are the forms of the IANA registration of `redis` and of redis-py. Percent-encoding is decoded in the user
    /// and the password; an IPv6 address stands in brackets.
    ///
    /// - Returns: nil when the text has neither form.
    init?(url: String) {
        guard let schemeEnd = url.firstRange(of: "://") else { return nil }
        var rest = url[schemeEnd.upperBound...]
        // A password may hold a slash only when it is encoded, a path may hold an at sign.
        if let at = rest.prefix(while: { $0 != "/" }).lastIndex(of: "@") {
            let parts = rest[..<at].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            guard let user = parts[0].percentDecoded else { return nil }
            username = user.isEmpty ? nil : user
            if parts.count == 2 {
                guard let secret = parts[1].percentDecoded else { return nil }
                password = secret.isEmpty ? nil : secret
            }
            rest = rest[rest.index(after: at)...]
        }
        let number: Substring
        switch url[..<schemeEnd.lowerBound] {
        case "redis":
            let parts = rest.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
            let hasPort = parts[0].contains(":") && !parts[0].hasSuffix("]")
            guard let endpoint = try? Endpoint(parsing: hasPort ? String(parts[0]) : "\(parts[0]):6379") else {
                return nil
            }
            self.endpoint = endpoint
            number = parts.count == 2 ? parts[1] : ""
        case "unix":
            let parts = rest.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts[0].hasPrefix("/"), let endpoint = try? Endpoint(parsing: "unix:\(parts[0])") else { return nil }
            self.endpoint = endpoint
            guard parts.count == 1 || parts[1].hasPrefix("db=") else { return nil }
            number = parts.count == 2 ? parts[1].dropFirst(3) : ""
        default: return nil
        }
        guard let database = number.isEmpty ? 0 : UInt16(number) else { return nil }
        self.database = Int(database)
    }
}

extension Substring {
    /// The text with `%XX` decoded (RFC 3986 §2.1); nil when an escape is broken or the result is not UTF-8.
    fileprivate var percentDecoded: String? {
        var bytes: [UInt8] = []
        var rest = utf8
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let high = rest.popFirst().flatMap(Hexadecimal.value),
                let low = rest.popFirst().flatMap(Hexadecimal.value)
            else { return nil }
            bytes.append(high << 4 | low)
        }
        return String(validating: bytes, as: UTF8.self)
    }
}
