public import Reactor

/// Where Redis is, and how long and how much to wait for it.
public struct RedisConfiguration: Sendable {
    /// The server. A host name is resolved anew for each connection.
    public var endpoint: Endpoint
    /// The ACL user; nil for the default user.
    public var username: String?
    /// The password; nil sends no `AUTH`.
    public var password: String?
    /// The database index for `SELECT`; 0 sends none.
    public var database: Int
    /// What `CLIENT LIST` shows; no spaces.
    public var clientName: String

    /// Longest time for resolving, connecting and introducing ourselves together.
    public var connectTimeout: Duration = .seconds(2)
    /// How long a caller waits for a reply, unless the call says otherwise.
    public var commandTimeout: Duration = .seconds(2)
    /// How long the oldest command may go without a reply before the connection is given up.
    ///
    /// Longer than ``commandTimeout``: a slow command makes its caller fail first, and only silence ends the connection
    /// that all other callers share.
    public var stallTimeout: Duration = .seconds(5)
    /// Most commands sent and not answered.
    public var pendingLimit = 16 * 1024
    /// Most bytes handed to the connection and not yet taken by the kernel.
    var unsentBytesLimit = 64 * 1024 * 1024
    /// Longest wait before the first try to connect again; it doubles with each failure.
    var reconnectFirstDelay: Duration = .milliseconds(20)
    /// Longest wait before a try to connect again. Short, so that answers are right again within a second.
    public var reconnectDelayCap: Duration = .milliseconds(250)

    /// Describes a server.
    public init(
        endpoint: Endpoint,
        username: String? = nil,
        password: String? = nil,
        database: Int = 0,
        clientName: String = "tickloop"
    ) {
        self.endpoint = endpoint
        self.username = username
        self.password = password
        self.database = database
        self.clientName = clientName
    }

    /// The commands that every connection sends before any other.
    ///
    /// `PING` is the last: unlike the others it is refused while Redis loads its data, so its answer means readiness.
    func introduction(as purpose: String, asksForID: Bool) -> [RedisCommand] {
        var commands: [RedisCommand] = []
        if let password {
            if let username {
                commands.append(["AUTH", .string(username), .string(password)])
            } else {
                commands.append(["AUTH", .string(password)])
            }
        }
        if database != 0 { commands.append(["SELECT", .integer(Int64(database))]) }
        commands.append(["CLIENT", "SETNAME", .string(clientName + purpose)])
        if asksForID { commands.append(["CLIENT", "ID"]) }
        commands.append(["PING"])
        return commands
    }
}
