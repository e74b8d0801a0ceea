package import Admin
internal import Logging
package import Postgres
internal import Reactor
package import Redis
package import TaskQueue
package import WebAPI

/// What the parts of the gateway share.
package struct GatewayShared {
    /// The role as it is told to run.
    package let environment: ServiceEnvironment
    /// The internal API.
    package let api: Relay
    /// What all gateways share.
    package let redis: RedisClient

    package init(_ environment: ServiceEnvironment, api: Relay, redis: RedisClient) {
        self.environment = environment
        self.api = api
        self.redis = redis
    }
}

/// What the parts of the internal API share.
package struct APIShared {
    /// The role as it is told to run.
    package let environment: ServiceEnvironment
    /// For statements that are short.
    package let database: PostgresPool
    /// Where tasks go.
    package let queue: TaskQueueClient
    /// For what is kept for a while.
    package let redis: RedisClient
    /// What operators have done.
    package let audit: AuditLog

    package init(
        _ environment: ServiceEnvironment,
        database: PostgresPool,
        queue: TaskQueueClient,
        redis: RedisClient,
        audit: AuditLog
    ) {
        self.environment = environment
        self.database = database
        self.queue = queue
        self.redis = redis
        self.audit = audit
    }
}

/// What the parts of a worker share.
package struct WorkerShared {
    /// The role as it is told to run.
    package let environment: ServiceEnvironment
    /// For statements that are short.
    package let database: PostgresPool
    /// Runs the tasks whose handlers are registered.
    package let worker: TaskWorker
    /// For what is kept for a while.
    package let redis: RedisClient

    package init(_ environment: ServiceEnvironment, database: PostgresPool, worker: TaskWorker, redis: RedisClient) {
        self.environment = environment
        self.database = database
        self.worker = worker
        self.redis = redis
    }
}

extension ServiceEnvironment {
    /// How Redis is reached, under the name of the role.
    package var redis: RedisConfiguration { RedisConfiguration(configuration, name: logger.label) }

    /// Connections of a part alone, so that it waits for nobody else's statements.
    ///
    /// - Parameter connections: How many; nil for as many as the role's own.
    @ReactorActor
    package func database(connections: Int? = nil) throws(StartupError) -> PostgresPool {
        var settings = try PostgresConfiguration(configuration, name: logger.label)
        if let connections { settings.connections = connections }
        return PostgresPool(settings, logger: logger)
    }
}
