internal import Metrics
internal import Reactor
public import Service

extension Metric {
    fileprivate static let answers = counter(
        "tickloop_provider_answers_total",
        "What came of asking a provider of prices, by verdict; refused also where it was not asked.",
        labels: "provider",
        "verdict"
    )
    fileprivate static let lastPrice = gauge(
        "tickloop_provider_last_price_timestamp_seconds",
        "When this process last got a price from a provider; 0 before the first.",
        labels: "provider"
    )
    fileprivate static let quoteAge = gauge(
        "tickloop_provider_quote_age_seconds",
        "How old the last price of a provider was when it came; 0 before the first.",
        labels: "provider"
    )
    fileprivate static let budgetLeft = gauge(
        "tickloop_provider_budget_left",
        "Calls that the budget of a provider still allows all processes; infinite where there is no limit.",
        labels: "provider",
        "window"
    )
    fileprivate static let cooldown = gauge(
        "tickloop_provider_cooldown_seconds",
        "Time for which a provider that has refused is still left alone.",
        labels: "provider"
    )
}

extension MetricsRegistry {
    /// Adds what is known of the providers of prices.
    public func add(_ providers: Providers) {
        for (name, client) in providers.clients { add(client, as: "provider-\(name)") }
        add(refresh: { await providers.refresh() }) { page in
            for provider in providers.statistics {
                for kind in QuoteOutcome.Kind.allCases {
                    page.add(.answers, provider.outcomes[kind] ?? 0, [provider.name, kind.rawValue])
                }
                page.add(.lastPrice, (provider.lastPriceAt ?? .zero) / .seconds(1), [provider.name])
                page.add(.quoteAge, (provider.lastPriceAge ?? .zero) / .seconds(1), [provider.name])
                for (window, left) in provider.budgetLeft {
                    page.add(.budgetLeft, left.map { Double($0) } ?? .infinity, [provider.name, window])
                }
                if let cooldown = provider.cooldown { page.add(.cooldown, cooldown / .seconds(1), [provider.name]) }
            }
        }
    }
}
