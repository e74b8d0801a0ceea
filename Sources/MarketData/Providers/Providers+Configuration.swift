internal import Configuration
internal import Postgres
internal import Redis
internal import Service
internal import TLS

extension Providers {
    /// The providers of a role's configuration.
    ///
    /// - Parameters:
    ///   - redis: For budgets and cool-downs, which all processes share.
    ///   - database: For what was priced before.
    /// - Throws: What is wrong with the configuration, with its place.
    convenience init(
        _ environment: ServiceEnvironment,
        redis: RedisClient,
        database: PostgresPool
    ) throws(StartupError) {
        do {
            try self.init(
                environment.configuration,
                simulator: environment.configuration[SimulatorSettings.table].url,
                tls: { () throws(TLSSetupError) in try environment.tls.client() },
                redis: redis,
                database: database,
                logger: environment.logger
            )
        } catch { throw StartupError("\(error)") }
    }
}
