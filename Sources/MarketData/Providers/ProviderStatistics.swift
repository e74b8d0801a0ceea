public import HTTPClient
internal import Reactor

/// What is known of a provider, for metrics.
public struct ProviderStatistics: Sendable {
    /// As it is configured.
    public let name: String
    /// What came of asking it.
    public let outcomes: [QuoteOutcome.Kind: Int]
    /// When the last price came, in UTC; nil for none yet.
    public let lastPriceAt: Duration?
    /// How old that price was when it came.
    public let lastPriceAge: Duration?
    /// Calls that are left, by window; nil where there is no limit. Empty while nobody knows.
    public let budgetLeft: [(window: String, calls: Int?)]
    /// How long it is still left alone; nil while nobody knows.
    public let cooldown: Duration?
}

extension Providers {
    /// Metrics are not worth a longer wait for Redis.
    private static let patience = Duration.milliseconds(500)

    /// Asks Redis how budgets and cool-downs stand, for ``statistics``.
    public func refresh() async {
        for provider in all { states[provider.name] = await provider.look(timeout: Self.patience) }
    }

    /// What is known of each provider, in the order of the configuration.
    public var statistics: [ProviderStatistics] {
        all.map { provider in
            let state = states[provider.name]
            let left = state.map { state in
                [
                    (window: "second", calls: state.leftPerSecond), (window: "minute", calls: state.leftPerMinute),
                    (window: "day", calls: state.leftPerDay),
                ]
            }
            return ProviderStatistics(
                name: provider.name,
                outcomes: provider.counters.outcomes,
                lastPriceAt: provider.counters.lastPriceAt,
                lastPriceAge: provider.counters.lastPriceAge,
                budgetLeft: left ?? [],
                cooldown: state?.cooldown
            )
        }
    }

    /// How each provider is asked.
    public var clients: [(name: String, client: HTTPClient)] { all.map { ($0.name, $0.client) } }
}

extension LatestRoutes {
    /// How many prices were answered, by where they came from.
    public var answers: [(source: String, count: Int)] {
        LatestPrices.Source.allCases.map { ($0.rawValue.lowercased(), prices.answers[$0] ?? 0) }
    }
}
