internal import Configuration
internal import HTTPClient
internal import Logging
internal import Postgres
internal import Prices
internal import Reactor
internal import Redis
internal import TLS

/// The providers of a configuration.
@ReactorActor
final class Providers {
    /// By name.
    private let providers: [String: Provider]
    /// How budgets and cool-downs stood when somebody last looked.
    var states: [String: ProviderGate.State] = [:]
    /// As they are configured.
    let names: [String]
    /// Who is asked where nobody says, in order.
    let order: [String]

    /// - Parameters:
    ///   - tls: For those whose URL is `https`.
    ///   - redis: For budgets and cool-downs, which all processes share.
    ///   - database: For what was priced before.
    /// - Throws: A problem with its place in the configuration.
    init(
        _ configuration: Configuration,
        simulator: HTTPBaseURL,
        tls: () throws(TLSSetupError) -> TLSClientContext,
        redis: RedisClient,
        database: PostgresPool,
        logger: Logger
    ) throws(ConfigurationProblem) {
        let stored = StoredPrices(database)
        var providers: [String: Provider] = [:]
        let rows = configuration[ProviderSettings.table]
        for row in rows {
            let url = row.values.baseURL.resolved(simulator: simulator)
            var context: TLSClientContext?
            if url.isSecure {
                do { context = try tls() } catch { throw row.problem(with: "base_url", "needs TLS: \(error)") }
            }
            providers[row.name] = Provider(row.name, row.values, at: url, tls: context, redis: redis, logger: logger) {
                await stored.has($0, by: $1)
            }
        }
        names = rows.map(\.name)
        order = configuration[PriceSettings.table].providers
        self.providers = providers
    }

    /// A provider by its name, nil if there is none such; without a name, those of the order as one.
    func provider(named name: String?) -> (any QuoteProvider)? {
        if let name { return providers[name] }
        return FallbackProvider(order.compactMap { providers[$0] })
    }

    /// Ends whatever is under way.
    func close() { for provider in providers.values { provider.client.close() } }

    /// How long an answer of a provider may take.
    func timeout(of name: String) -> Duration { providers[name]?.timeout ?? .zero }

    /// In the order of the configuration.
    var all: [Provider] { names.compactMap { providers[$0] } }
}

/// Several providers as one: the next is asked where the one before has no price to give.
@ReactorActor
final class FallbackProvider: QuoteProvider {
    let name: String
    private let providers: [any QuoteProvider]

    init(_ providers: [any QuoteProvider]) {
        precondition(!providers.isEmpty, "somebody has to be asked")
        self.providers = providers
        name = providers[0].name
    }

    func quote(_ symbol: Symbol, deadline: Instant) async -> QuoteOutcome {
        var outcomes: [QuoteOutcome] = []
        for provider in providers {
            let outcome = await provider.quote(symbol, deadline: deadline)
            if case .price = outcome { return outcome }
            outcomes.append(outcome)
        }
        return Self.worst(outcomes)
    }

    /// What is said where nobody has a price: that a symbol is unknown, only if all say so.
    nonisolated static func worst(_ outcomes: [QuoteOutcome]) -> QuoteOutcome {
        outcomes.first { $0.kind != .unknownSymbol && $0.kind != .noData }
            ?? outcomes.first { $0.kind == .noData } ?? .unknownSymbol
    }
}
