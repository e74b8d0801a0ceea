internal import HTTPWire
internal import JSONWire

/// Yahoo's chart, version 8: `GET /v8/finance/chart/{symbol}`.
///
/// The price is `meta.regularMarketPrice` at `meta.regularMarketTime`; where one of the two is missing, the newest pair
/// of `timestamp` and `close` in which both are there. Yahoo works with numbers of 32 bits and writes them with 64: see
/// ``QuotePrice/withoutFloatNoise``.
enum YahooChart: QuoteFormat {
    static func question(_ symbol: String, key: String) -> ProviderQuestion {
        ProviderQuestion(target: "/v8/finance/chart/\(PercentEncoding.encode(symbol))?interval=1d&range=1d")
    }

    /// With 404 and 400 comes a code.
    static func reads(_ status: HTTPStatus) -> Bool { status == .notFound || status == .badRequest }

    static func verdict(_ json: JSONValue, _ answer: ProviderAnswer, symbol: String) -> ProviderVerdict {
        guard let chart = json["chart"] else { return .malformed("there is no chart") }
        if chart.isNull, answer.status == .notFound { return .unknownSymbol }
        if !chart.lacks("error") {
            guard let code = chart["error"]?["code"]?.string else { return .malformed("its error has no code") }
            return code == "Not Found" ? .unknownSymbol : .malformed("its code is \(code.shortASCII)")
        }
        guard answer.status == .ok else { return .malformed("status \(answer.status.code) without an error") }
        guard let results = chart["result"]?.array, results.count == 1, results[0].object != nil else {
            return .malformed("there is neither a result nor an error")
        }
        return verdict(results[0], symbol: symbol)
    }

    private static func verdict(_ result: JSONValue, symbol: String) -> ProviderVerdict {
        let meta = result["meta"] ?? .null
        if let name = meta["symbol"]?.string, name.uppercased() != symbol.uppercased() {
            return .malformed("it is about another symbol")
        }
        let currency = meta["currency"]?.string?.currency
        if !meta.lacks("regularMarketPrice"), !meta.lacks("regularMarketTime") {
            guard let text = meta["regularMarketPrice"]?.numberText,
                let time = Timestamp(providerSeconds: meta["regularMarketTime"])
            else { return .malformed("regularMarketPrice or regularMarketTime is none") }
            if let price = QuotePrice(text) {
                return .price(price.withoutFloatNoise, currency: currency, time: time)
            }
            guard Double(text) == 0 else { return .malformed("regularMarketPrice is out of bounds") }
        }
        guard let (price, time) = newestPair(result) else { return .noData }
        return .price(price.withoutFloatNoise, currency: currency, time: time)
    }

    /// The newest moment that has a price.
    private static func newestPair(_ result: JSONValue) -> (QuotePrice, Timestamp)? {
        let times = result["timestamp"]?.array ?? []
        let closes = result["indicators"]?["quote"]?.array?.first?["close"]?.array ?? []
        var newest: (QuotePrice, Timestamp)?
        for (time, close) in zip(times, closes) {
            guard let price = close.numberText.flatMap({ QuotePrice($0) }),
                let time = Timestamp(providerSeconds: time),
                newest.map({ $0.1.unixTime <= time.unixTime }) ?? true
            else { continue }
            newest = (price, time)
        }
        return newest
    }
}

extension String {
    /// A name of a currency as a provider writes it, `GBp` being another than `GBP`; nil for what is none.
    var currency: String? {
        (1...8).contains(utf8.count) && utf8.allSatisfy { (0x21...0x7E).contains($0) } ? self : nil
    }

    /// What may be repeated of a provider's word in a log line.
    var shortASCII: String {
        String(decoding: utf8.prefix(40).map { (0x20...0x7E).contains($0) ? $0 : UInt8(ascii: "?") }, as: UTF8.self)
    }
}
