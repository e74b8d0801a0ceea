internal import Reactor

/// A stand-in for one provider of prices: how it behaves now, and who has asked it.
@ReactorActor
final class SimulatedProvider {
    /// The providers that there are, as the default configuration names them.
    nonisolated static let answers: KeyValuePairs<String, [ProviderAnswer]> = [
        "yfinance": YahooAnswers.all, "alpha_vantage": AlphaVantageAnswers.all, "finnhub": FinnhubAnswers.all,
    ]

    /// Symbols that are counted and steered one by one; beyond, they are not.
    nonisolated static let symbolsMax = 10_000
    nonisolated static let latencyMax = 600_000

    struct Behaviour: Hashable, Sendable {
        /// The answer to every symbol that is not named.
        var answer = "price"
        /// Answers to single symbols.
        var symbols: [String: String] = [:]
        /// Prices of single symbols, as texts of numbers; others move as the market does.
        var prices: [String: String] = [:]
        /// How long each answer takes.
        var latencyMilliseconds = 0
    }

    let name: String
    private let answers: [String: ProviderAnswer]
    var behaviour = Behaviour()
    /// Calls by symbol.
    private(set) var calls: [String: Int] = [:]

    init(_ name: String, _ answers: [ProviderAnswer]) {
        self.name = name
        self.answers = Dictionary(uniqueKeysWithValues: answers.map { ($0.name, $0) })
    }

    /// Whether there is an answer of this name.
    func knows(_ answer: String) -> Bool { answers[answer] != nil }

    /// Counts a call, and says what to do with it.
    func reply(to symbol: String) -> ProviderReply {
        if calls[symbol] != nil || calls.count < Self.symbolsMax { calls[symbol, default: 0] += 1 }
        let second = Int(Reactor.unixTime.components.seconds)
        let market = MarketModel.price(of: symbol, unixSecond: second)
        let price = behaviour.prices[symbol] ?? market ?? MarketModel.text(cents: 10_000)
        let question = ProviderQuestion(symbol: symbol, price: price, time: second)
        var name = behaviour.symbols[symbol] ?? behaviour.answer
        // A market does not trade everything.
        if name == "price", market == nil, behaviour.prices[symbol] == nil { name = "unknown" }
        guard let answer = answers[name] else { preconditionFailure("\(self.name) has no answer \(name)") }
        return answer.reply(question)
    }
}
