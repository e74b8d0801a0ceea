public import Configuration
public import Postgres
public import Redis

extension PostgresConfiguration {
    /// What a service's configuration says about its database.
    ///
    /// - Parameter name: What the server shows of these connections, in `pg_stat_activity`.
    /// - Throws: When `database.url` is given and is not a connection string.
    public init(_ configuration: Configuration, name: String) throws(StartupError) {
        let password = configuration[DatabaseSettings.password]
        self.init(
            host: configuration[DatabaseSettings.host],
            port: UInt16(configuration[DatabaseSettings.port]),
            user: configuration[DatabaseSettings.user],
            password: password.isEmpty ? nil : password,
            database: configuration[DatabaseSettings.name]
        )
        applicationName = "tickloop \(name)"
        connections = configuration[DatabaseSettings.connections]
        inFlightPerConnectionMax = configuration[DatabaseSettings.inFlightPerConnection]
        waitersMax = configuration[DatabaseSettings.maxWaiters]
        connectTimeout = configuration[DatabaseSettings.connectTimeout]
        statementTimeout = configuration[DatabaseSettings.statementTimeout]
        reconnectDelayCap = configuration[DatabaseSettings.reconnectCap]
        // Last, because what it says counts more than the other keys.
        guard let url = configuration[DatabaseSettings.url] else { return }
        do { try apply(connectionString: url) } catch { throw StartupError("database.url: \(error)") }
    }
}

extension RedisConfiguration {
    /// What a service's configuration says about its broker.
    ///
    /// - Parameter name: What the server shows of these connections, in `CLIENT LIST`.
    public init(_ configuration: Configuration, name: String) {
        let location = RedisLocation(configuration)
        self.init(
            endpoint: location.endpoint,
            username: location.username,
            password: location.password,
            database: location.database,
            clientName: "tickloop-\(name)"
        )
        connectTimeout = configuration[RedisSettings.connectTimeout]
        commandTimeout = configuration[RedisSettings.commandTimeout]
        pendingLimit = configuration[RedisSettings.maxPending]
        reconnectDelayCap = configuration[RedisSettings.reconnectCap]
    }
}
