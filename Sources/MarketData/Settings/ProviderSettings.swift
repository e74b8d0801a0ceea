internal import Configuration
internal import HTTPClient
internal import Prices

/// `[providers.NAME]`: a provider of prices.
struct ProviderSettings: Hashable, Sendable {
    /// Whose format it speaks.
    var kind = ProviderKind.yahoo
    var baseURL = UpstreamAddress.simulator
    /// What it knows us by; nil for nothing.
    var key: String?
    /// How long an answer may take.
    var timeout = Duration.seconds(3)
    /// What we call ourselves.
    var userAgent = "Mozilla/5.0 (compatible; Tickloop)"
    /// How often it may be asked by all processes together.
    var budget = CallBudget()
    /// What it calls symbols that others call otherwise.
    var symbols: [String: String] = [:]

    /// A provider of a kind, at the simulator.
    init(_ kind: ProviderKind = .yahoo) { self.kind = kind }

    static let table = RepeatedTable.named(
        "providers",
        "A provider of prices",
        count: 1...32,
        Self(),
        defaults: [
            ("yfinance", Self(.yahoo)), ("alpha_vantage", Self(.alphaVantage)), ("finnhub", Self(.finnhub)),
        ]
    ) {
        Key("kind", \.kind, "Whose format it speaks").required
        Key("base_url", \.baseURL, form: UpstreamAddress.form, "Where it is") { UpstreamAddress(parsing: $0) }
        Key("api_key", \.key, upTo: 256, isSecret: true, "What it knows us by")
        Key("timeout_ms", \.timeout, in: 10...60_000, "Time in which it must answer; then it counts as unreachable")
        Key("user_agent", \.userAgent, length: 1...256, "What we call ourselves") { text in
            text.utf8.allSatisfy { (0x20...0x7E).contains($0) }
        }
        Key("budget.per_second", \.budget.perSecond, in: 0...100_000, "Calls a second by all processes; 0 for any")
        Key("budget.per_minute", \.budget.perMinute, in: 0...100_000, "Calls a minute by all processes; 0 for any")
        Key("budget.per_day", \.budget.perDay, in: 0...1_000_000_000, "Calls a day of UTC by all processes; 0 for any")
        Key("symbols", \.symbols, upTo: 1000, form: "symbols", "What it calls symbols that others call otherwise") {
            Symbol($0) != nil
        }
    }
}

/// How often a provider may be asked; 0 is no limit.
struct CallBudget: Hashable, Sendable {
    /// In any second.
    var perSecond = 0
    /// In any minute.
    var perMinute = 0
    /// In a day of UTC.
    var perDay = 0
}

/// `[prices]`: whom to ask for a price where nobody says.
struct PriceSettings: Sendable {
    /// In the order in which they are asked: the next one where the one before has no price to give.
    var providers = ["yfinance"]

    static let table = ConfigurationTable("prices", "Prices as they come", Self()) {
        Key(
            "providers",
            \.providers,
            count: 1...8,
            form: "a provider",
            "Who is asked for a price if nobody says, the next where the one before has none to give"
        ) { $0 }
    }
    .requiring { prices, configuration in
        let known = Set(configuration[ProviderSettings.table].map(\.name))
        return prices.providers.filter { !known.contains($0) }.map {
            configuration.problem(with: "prices.providers", "names \($0), and there is no [providers.\($0)]")
        }
    }
}

/// The keys of `[cache]` for latest prices.
struct LatestPriceSettings: Sendable {
    /// How long a price is given again without asking its provider.
    var lifetime = Duration.seconds(60)
    /// How old a stored price may be that is given in place of a failure.
    var staleMax = Duration.seconds(3600)

    static let table = ConfigurationTable("cache", "Answers that are kept to be given again", Self()) {
        Key("latest_ttl_s", \.lifetime, in: 0...86_400, "Time for which a latest price is given again; 0 for never")
        Key(
            "latest_stale_max_s",
            \.staleMax,
            in: 0...604_800,
            "Age up to which a stored price is given where its provider fails; 0 for never"
        )
    }
}

/// The key of `[cache]` for what a gateway repeats of latest prices.
struct LatestRepetitionSettings: Sendable {
    /// How long an answer is given again without asking the internal API.
    var repetition = Duration.zero

    static let table = ConfigurationTable("cache", "Answers that are kept to be given again", Self()) {
        Key(
            "latest_repeat_ms",
            \.repetition,
            in: 0...60_000,
            "Time for which the gateway repeats an answer about latest prices without asking; 0 for never"
        )
    }
}
