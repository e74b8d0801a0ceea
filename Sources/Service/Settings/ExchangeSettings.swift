public import Configuration
public import HTTPClient

/// What an exchange does when it is given an order again.
public enum ExchangeDeduplication: String, CaseIterable, Sendable {
    /// It answers as it did, and executes nothing.
    case byID = "by_id"
    /// It refuses it as a duplicate.
    case refuses
    /// It executes it again.
    case none

    fileprivate static let meaning =
        "What it does with an order that it has: answers as before, refuses, executes again"
}

/// `[exchange]` of a worker: where orders are placed, and what is known of it.
public struct ExchangeSettings: Sendable {
    /// Where it is.
    public var baseURL = UpstreamAddress.simulator
    /// Until an answer counts as lost.
    public var timeout = Duration.seconds(5)
    /// Orders on their way at once.
    public var inFlight = 256
    /// What it does with an order that it has.
    public var deduplication = ExchangeDeduplication.byID
    /// How long an order may be on its way inside it.
    public var settleTime = Duration.seconds(30)

    /// The keys.
    public static let table = ConfigurationTable("exchange", "The exchange that orders are placed at", Self()) {
        Key("base_url", \.baseURL, form: UpstreamAddress.form, "Address of the exchange") {
            UpstreamAddress(parsing: $0)
        }
        Key("timeout_ms", \.timeout, in: 100...9000, "Time for an answer; then the outcome is unknown")
        Key("in_flight", \.inFlight, in: 1...10_000, "Orders that one worker is placing at once")
        Key("deduplication", \.deduplication, ExchangeDeduplication.meaning)
        Key(
            "settle_ms",
            \.settleTime,
            in: 0...600_000,
            "Time after which the exchange, asked for an order, knows it if it ever will"
        )
    }
}

/// `[exchange]` of the simulator: how the simulated exchange behaves. All of it can be changed while it runs.
public struct ExchangeBehaviour: Hashable, Sendable {
    /// Share of calls that are refused at once.
    public var failureRate = 0.1
    /// How long the others take.
    public var latency = Duration.milliseconds(500)
    /// Share of calls that are never answered; nothing is done for them.
    public var hangRate = 0.0
    /// Share of calls whose connection is cut; nothing is done for them.
    public var resetRate = 0.0
    /// Share of calls that are carried out, and whose connection is cut then.
    public var lostAnswerRate = 0.0
    /// Share of calls that are carried out, and answered with nonsense.
    public var garbledRate = 0.0
    /// Instruments that are refused for good.
    public var refusedInstruments: [String] = []
    /// What happens to an order that is there already.
    public var deduplication = ExchangeDeduplication.byID
    /// Whether orders are executed once they are taken.
    public var fills = true
    /// Where the ledger is kept; nil for nowhere.
    public var ledger: String?

    /// The keys.
    public static let table = ConfigurationTable("exchange", "The exchange that is simulated", Self()) {
        Key("failure_rate", \.failureRate, in: 0...1, "Share of calls that are refused at once")
        Key("latency_ms", \.latency, in: 0...600_000, "Time that the other calls take")
        Key("hang_rate", \.hangRate, in: 0...1, "Share of calls that are never answered, and do nothing")
        Key("reset_rate", \.resetRate, in: 0...1, "Share of calls that are cut, and do nothing")
        Key("lost_answer_rate", \.lostAnswerRate, in: 0...1, "Share of calls that are carried out, and cut then")
        Key("garbled_rate", \.garbledRate, in: 0...1, "Share of calls that are carried out, and answered nonsense")
        Key(
            "refused_instruments",
            \.refusedInstruments,
            count: 0...1000,
            form: "an instrument",
            "Instruments that are refused for good"
        ) { $0 }
        Key("deduplication", \.deduplication, ExchangeDeduplication.meaning)
        Key("fills", \.fills, "Whether orders are executed once they are taken")
        Key("ledger", \.ledger, upTo: 4096, "File that keeps the ledger; empty to forget it at the end")
    }
}
