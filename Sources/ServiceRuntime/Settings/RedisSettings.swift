public import Configuration
public import Reactor

/// `[redis]`: the broker and cache.
public enum RedisSettings {
    /// Everything in one text.
    public static let url = ConfigurationKey<RedisLocation?>.optional(
        "redis.url",
        form: "a redis:// or unix:// URL",
        isSecret: true,
        "Takes the place of address, username, password and database",
        parse: RedisLocation.init(url:)
    )

    /// The address.
    public static let address = ConfigurationKey<Endpoint>.parsed(
        "redis.address",
        default: "127.0.0.1:6379",
        form: Settings.endpointForm,
        "Address of the server",
        parse: Settings.endpoint
    )

    /// The ACL user.
    public static let username = ConfigurationKey<String>.text(
        "redis.username",
        default: "",
        length: 0...128,
        "ACL user; empty for the default user"
    )

    /// Its password.
    public static let password = ConfigurationKey<String>.text(
        "redis.password",
        default: "",
        length: 0...1024,
        isSecret: true,
        "Password of the user; empty for none"
    )

    /// The database.
    public static let database = ConfigurationKey<Int>.integer(
        "redis.database",
        default: 0,
        in: 0...65_535,
        "Number of the database"
    )

    /// How long one attempt to connect may take.
    public static let connectTimeout = ConfigurationKey<Duration>.milliseconds(
        "redis.connect_timeout_ms",
        default: 2000,
        in: 10...60_000,
        "Time for one attempt to connect, name resolution included"
    )

    /// How long a reply may take.
    public static let commandTimeout = ConfigurationKey<Duration>.milliseconds(
        "redis.command_timeout_ms",
        default: 2000,
        in: 10...60_000,
        "Time in which a command must be answered"
    )

    /// Commands that may be unanswered.
    public static let maxPending = ConfigurationKey<Int>.integer(
        "redis.max_pending",
        default: 16_384,
        in: 1...1_000_000,
        "Commands that may be sent and not yet answered; further ones fail at once"
    )

    /// The longest wait before connecting anew.
    public static let reconnectCap = ConfigurationKey<Duration>.milliseconds(
        "redis.reconnect_cap_ms",
        default: 250,
        in: 10...60_000,
        "Longest wait before an attempt to connect again; short, so that we are back soon after the server"
    )

    static let section = ConfigurationSection(
        "redis",
        "Redis: the broker of the task queue, and the cache",
        url,
        address,
        username,
        password,
        database,
        connectTimeout,
        commandTimeout,
        maxPending,
        reconnectCap
    )
}

/// Which Redis, as whom, and which of its databases.
public struct RedisLocation: Hashable, Sendable {
    /// The server.
    public var endpoint: Endpoint
    /// The ACL user; nil for the default user.
    public var username: String?
    /// The password; nil for none.
    public var password: String?
    /// The number of the database.
    public var database: Int

    /// Parses `redis://[USER[:PASSWORD]@]HOST[:PORT][/DATABASE]` or `unix://[USER[:PASSWORD]@]/PATH[?db=DATABASE]`.
    ///
    /// These are the forms of the IANA registration of `redis` and of redis-py. Percent-encoding is decoded in the user
    /// and the password; an IPv6 address stands in brackets.
    ///
    /// - Returns: nil when the text has neither form.
    public init?(url: String) {
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

    /// What a configuration says: its URL, or else its separate keys.
    public init(_ configuration: Configuration) {
        if let location = configuration[RedisSettings.url] {
            self = location
            return
        }
        let username = configuration[RedisSettings.username]
        let password = configuration[RedisSettings.password]
        endpoint = configuration[RedisSettings.address]
        self.username = username.isEmpty ? nil : username
        self.password = password.isEmpty ? nil : password
        database = configuration[RedisSettings.database]
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
            guard let high = rest.popFirst(), let low = rest.popFirst(),
                let decoded = UInt8(String(decoding: [high, low], as: UTF8.self), radix: 16),
                high != UInt8(ascii: "+")
            else { return nil }
            bytes.append(decoded)
        }
        return String(validating: bytes, as: UTF8.self)
    }
}
