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

    /// What its key means.
    package static let meaning =
        "What it does with an order that it has: answers as before, refuses, executes again"
}

/// `[exchange]` of a worker: where orders are placed, and what is known of it.
public struct ExchangeSettings: Sendable {
    /// Where it is.
    public var baseURL = UpstreamAddress.simulator
    /// Until an answer counts as lost.
    var timeout = Duration.seconds(5)
    /// Orders on their way at once.
    var inFlight = 1000
    /// What it does with an order that it has.
    var deduplication = ExchangeDeduplication.byID
    /// How long an order may be on its way inside it.
    var settleTime = Duration.seconds(30)

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
