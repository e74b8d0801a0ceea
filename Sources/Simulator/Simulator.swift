internal import Configuration
internal import HTTPServer
public import Service

extension Role {
    /// Stands in for the outside world, so that everything can be tried on one machine without a network.
    public static let simulator = Role(
        schema: ConfigurationSchema(
            service: "simulator",
            [
                // Whoever steers it wants it slow without its own admission control in between.
                ServerSettings.table(port: 8090).defaulting {
                    $0.http.requestLimit = 20_000
                    $0.http.targetWait = .zero
                }.section,
                ExchangeBehaviour.table.section,
            ] + ConfigurationSection.common
        )
    ) { environment throws(StartupError) in
        let exchange: Exchange
        do throws(Ledger.Failure) {
            exchange = try Exchange(environment.configuration[ExchangeBehaviour.table])
        } catch {
            throw StartupError("exchange.ledger: \(error)")
        }
        return RunningService(
            routes: ProviderRoutes().routes + Catalogue.routes + exchange.routes,
            readiness: [],
            stop: { _ in }
        )
    }
}
