internal import HTTPClient
internal import Metrics
internal import Reactor

extension Providers: Measured {
    /// Metrics are not worth a longer wait for Redis.
    private static let patience = Duration.milliseconds(500)

    private static let answers = Metric.counter(
        "tickloop_provider_answers_total",
        "What came of asking a provider of prices, by verdict; refused also where it was not asked.",
        labels: "verdict"
    )
    private static let budgetLeft = Metric.gauge(
        "tickloop_provider_budget_left",
        "Calls that the budget of a provider still allows all processes; infinite where there is no limit.",
        labels: "window"
    ).announced()
    private static let cooldown = Metric.gauge(
        "tickloop_provider_cooldown_seconds",
        "Time for which a provider that has refused is still left alone."
    ).announced()

    /// Asks Redis how budgets and cool-downs stand.
    func refresh() async {
        for provider in all { states[provider.name] = await provider.look(timeout: Self.patience) }
    }

    func collect(into page: inout MetricsPage) {
        for provider in all {
            page.labelled("upstream", "provider-\(provider.name)") { provider.client.collect(into: &$0) }
            page.labelled("provider", provider.name) { collect(provider, into: &$0) }
        }
    }

    private func collect(_ provider: Provider, into page: inout MetricsPage) {
        let counters = provider.counters
        for kind in QuoteOutcome.Kind.allCases { page.add(Self.answers, counters.outcomes[kind] ?? 0, [kind.rawValue]) }
        page.gauge(
            "tickloop_provider_last_price_timestamp_seconds",
            "When this process last got a price from a provider; 0 before the first.",
            counters.lastPriceAt ?? .zero
        )
        page.gauge(
            "tickloop_provider_quote_age_seconds",
            "How old the last price of a provider was when it came; 0 before the first.",
            counters.lastPriceAge ?? .zero
        )
        // Nil while nobody knows.
        guard let state = states[provider.name] else { return }
        for (window, left) in [
            ("second", state.leftPerSecond), ("minute", state.leftPerMinute), ("day", state.leftPerDay),
        ] {
            page.add(Self.budgetLeft, left.map { Double($0) } ?? .infinity, [window])
        }
        page.add(Self.cooldown, state.cooldown)
    }
}
