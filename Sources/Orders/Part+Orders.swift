internal import Configuration
internal import Postgres
internal import Reactor
internal import Redis
package import Service
internal import WebAPI

extension Part<GatewayShared> {
    /// Orders, checked.
    package static var orders: Part {
        Part(scopes: [.ordersRead, .ordersWrite], routes: OrderRoutes.names) {
            RunningPart(routes: OrderRoutes.relayed(by: $0.api))
        }
    }
}

extension Part<APIShared> {
    /// The intake of orders, and what is known of them.
    package static var orders: Part {
        Part(scopes: [.ordersRead, .ordersWrite]) { api throws(StartupError) in
            let environment = api.environment
            // Nobody reads on these connections, so that no reader waits for a commit.
            let intake = try environment.database(connections: OrderRoutes.intakeConnections)
            let orders = OrderRoutes(
                intake: intake,
                database: api.database,
                redis: environment.redis,
                logger: environment.logger
            )
            environment.metrics.register(orders)
            return RunningPart(
                routes: orders.routes,
                adminRoutes: OrderConsole.routes(api.database, audit: api.audit),
                console: [OrderConsole.section(api.database)],
                stop: { _ in
                    orders.close()
                    intake.close()
                }
            )
        }
    }
}

extension Part<WorkerShared> {
    /// The placement of orders, and what has to be done for them in time.
    package static var orders: Part {
        Part(sections: [ExchangeSettings.table.section]) { shared throws(StartupError) in
            let upkeep = OrderUpkeep(shared.database, logger: shared.environment.logger)
            shared.environment.metrics.register(upkeep)
            let placer = try OrderPlacer(shared.environment)
            return RunningPart(stop: { deadline in
                upkeep.stop()
                await placer.end(by: deadline)
            })
        }
    }
}
