internal import JSONWire
internal import Prices

/// What a provider says of a symbol: its latest price.
struct Quote: Hashable, Sendable {
    /// The symbol as it was asked for, which may not be what the provider calls it.
    let symbol: Symbol
    /// The price, exactly as written.
    let price: QuotePrice
    /// The unit of the price as the provider names it, such as `USD` or `GBp`, which is a hundredth of `GBP`; nil if it
    /// does not say. Never converted.
    let currency: String?
    /// When the price was valid, in the provider's words; not when it was fetched.
    let time: Timestamp
    /// The name of the provider that answered, as it is configured.
    let provider: String
}

/// What came of asking a provider: exactly one of these, and never a price that might be something else.
enum QuoteOutcome: Hashable, Sendable {
    /// A price, and the answer that it was read from, without any key.
    case price(Quote, raw: String)
    /// The provider says that it knows no such symbol.
    case unknownSymbol
    /// The provider knows the symbol and has no price for it now, as before the first trade.
    case noData
    /// The provider refuses to answer, or may not be asked: its budget is used up, or it cools down. It may be asked
    /// again after a while.
    case refused(retryAfter: Duration)
    /// The answer is not what the provider promises; text and HTML are never read for a value.
    case malformed(reason: String)
    /// There is no answer. `isTimeout` is true when it did not come in time.
    case unreachable(reason: String, isTimeout: Bool)

    /// The verdict in one word, for a metric's label.
    enum Kind: String, CaseIterable, Sendable {
        case price
        case unknownSymbol = "unknown_symbol"
        /// No price now.
        case noData = "no_data"
        /// Not now.
        case refused
        /// Not understood.
        case malformed
        /// No answer.
        case unreachable
    }

    /// The verdict in one word.
    var kind: Kind {
        switch self {
        case .price: .price
        case .unknownSymbol: .unknownSymbol
        case .noData: .noData
        case .refused: .refused
        case .malformed: .malformed
        case .unreachable: .unreachable
        }
    }
}

extension QuoteOutcome: CustomStringConvertible {
    /// Fit for a log line and for the list of a job's errors: bounded, without a key, a URL or a body.
    var description: String {
        switch self {
        case .price(let quote, raw: _): "\(quote.symbol) at \(quote.price)"
        case .unknownSymbol: "the provider does not know the symbol"
        case .noData: "the provider has no price now"
        case .refused(let retryAfter): "the provider may not be asked for \(retryAfter.components.seconds) s"
        case .malformed(let reason): "the answer is malformed: \(reason)"
        case .unreachable(let reason, isTimeout: _): "the provider cannot be reached: \(reason)"
        }
    }
}
