import JSONWire
import Postgres
import Prices
import Reactor
import TestSupport

@testable import MarketData

extension TestDatabase {
    /// Stores quotes of `yfinance`, each a second later than the one before.
    func store(_ symbol: String, _ prices: [String], from second: Int = 0) async throws {
        for (offset, price) in prices.enumerated() {
            let time = "2024-03-20T10:30:\(second + offset < 10 ? "0" : "")\(second + offset)Z"
            try await execute(
                """
                select store_quotes(
                    '{yfinance}', '{"\(symbol)"}', '{\(price)}', '{USD}', '{\(time)}', '{2024-03-20T10:31:00Z}',
                    array['{}'::bytea]
                )
                """
            )
        }
    }
}

extension FetchedQuote {
    /// A quote of `yfinance`, which was asked a minute ago.
    init(_ symbol: String, _ price: String, at time: String = "2024-03-20T10:30:00Z", currency: String? = "USD") {
        guard let symbol = Symbol(symbol), let price = QuotePrice(price), let time = Timestamp(time)
        else { preconditionFailure("not a quote") }
        self.init(
            Quote(symbol: symbol, price: price, currency: currency, time: time, provider: "yfinance"),
            raw: "{\"symbol\":\"\(symbol)\",\"é\":\"\\\\\"}",
            askedAt: .now - .seconds(60)
        )
    }
}
