internal import HTTPWire
internal import JSONWire

/// Alpha Vantage's `GET /query?function=GLOBAL_QUOTE`.
///
/// It answers everything with 200; that it refuses is said under a key of its own, in words that change. So what
/// counts is which keys there are. The quote has a day and no time: the price is of the beginning of that day, in UTC.
/// It names no currency.
enum AlphaVantageQuote: QuoteFormat {
    static func question(_ symbol: String, key: String) -> ProviderQuestion {
        let target = "/query?function=GLOBAL_QUOTE&symbol=\(PercentEncoding.encode(symbol))"
        return ProviderQuestion(target: "\(target)&apikey=\(PercentEncoding.encode(key))")
    }

    /// What it says in place of data.
    private static let messages = ["Note", "Information", "Error Message"]

    static func verdict(_ json: JSONValue, _ answer: ProviderAnswer, symbol: String) -> ProviderVerdict {
        guard let members = json.object?.members else { return .malformed("it is no object") }
        let refuses = members.contains { messages.contains($0.name) }
        // A delayed plan has "Global Quote - DATA DELAYED…".
        guard let quote = members.first(where: { $0.name.hasPrefix("Global Quote") })?.value else {
            return refuses ? .refused(retryAfter: nil) : .malformed("there is no quote")
        }
        guard let fields = quote.object else { return .malformed("its quote is no object") }
        guard !fields.members.isEmpty else { return refuses ? .refused(retryAfter: nil) : .unknownSymbol }
        if let name = fields["01. symbol"]?.string, name.uppercased() != symbol.uppercased() {
            return .malformed("it is about another symbol")
        }
        guard let text = fields["05. price"]?.string, let day = fields["07. latest trading day"]?.string,
            let time = Timestamp("\(day)T00:00:00Z")
        else { return .malformed("price or day is missing, or none") }
        if let price = QuotePrice(text) { return .price(price, currency: nil, time: time) }
        return Double(text) == 0 ? .noData : .malformed("its price is none")
    }
}
