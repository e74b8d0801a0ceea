internal import Configuration
internal import Orders

/// `[exchange]` of the simulator: how the simulated exchange behaves. All of it can be changed while it runs.
struct ExchangeBehaviour: Hashable, Sendable {
    /// Share of calls that are refused at once.
    var failureRate = 0.1
    /// How long the others take.
    var latency = Duration.milliseconds(500)
    /// Share of calls that are never answered; nothing is done for them.
    var hangRate = 0.0
    /// Share of calls whose connection is cut; nothing is done for them.
    var resetRate = 0.0
    /// Share of calls that are carried out, and whose connection is cut then.
    var lostAnswerRate = 0.0
    /// Share of calls that are carried out, and answered with nonsense.
    var garbledRate = 0.0
    /// Instruments that are refused for good.
    var refusedInstruments: [String] = []
    /// What happens to an order that is there already.
    var deduplication = ExchangeDeduplication.byID
    /// Whether orders are executed once they are taken.
    var fills = true
    /// Where the ledger is kept; nil for nowhere.
    var ledger: String?

    static let table = ConfigurationTable("exchange", "The exchange that is simulated", Self()) {
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
