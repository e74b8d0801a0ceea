internal import Configuration
public import Service

extension Role {
    /// Stands in for the outside world, so that everything can be tried on one machine without a network.
    public static let simulator = Role(schema: .simulator) { environment throws(StartupError) in
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
