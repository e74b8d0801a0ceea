internal import HTTPWire
internal import JSONWire

/// Finnhub's `GET /api/v1/quote`.
///
/// A symbol that it does not know has a price and a time of 0. The key goes in a header field, so that it is in no URL.
/// It names no currency.
enum FinnhubQuote: QuoteFormat {
    static func question(_ symbol: String, key: String) -> ProviderQuestion {
        ProviderQuestion(
            target: "/api/v1/quote?symbol=\(PercentEncoding.encode(symbol))",
            fields: key.isEmpty ? [:] : ["X-Finnhub-Token": key]
        )
    }

    static func verdict(_ json: JSONValue, _ answer: ProviderAnswer, symbol: String) -> ProviderVerdict {
        guard json.object != nil else { return .malformed("it is no object") }
        guard let text = json["c"]?.numberText, let seconds = json["t"]?.integer else {
            return json["error"]?.string == nil ? .malformed("price or time is missing") : .refused(retryAfter: nil)
        }
        if seconds == 0 || Double(text) == 0 && json.lacks("d") { return .unknownSymbol }
        guard Double(text) != 0 else { return .noData }
        guard let price = QuotePrice(text), let time = Timestamp(providerSeconds: json["t"]) else {
            return .malformed("price or time is out of bounds")
        }
        return .price(price, currency: nil, time: time)
    }
}
