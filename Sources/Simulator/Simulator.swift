public import ServiceRuntime

extension Service {
    /// Stands in for the outside world, so that everything can be tried on one machine without a network.
    public static let simulator = Service(schema: .simulator) { _ throws(StartupError) in
        RunningService(routes: ProviderRoutes().routes + Catalogue.routes, readiness: [], stop: { _ in })
    }
}
