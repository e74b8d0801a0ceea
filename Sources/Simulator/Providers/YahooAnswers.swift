/// Yahoo's chart, version 8, in all that it was seen to answer.
enum YahooAnswers {
    static let all =
        ProviderAnswer.common { chart($0) } + [
            ProviderAnswer("unknown", .unknownSymbol, "404 with the code `Not Found`") { _ in
                .json(error("Not Found", "No data found, symbol may be delisted"), status: 404)
            },
            ProviderAnswer("unknown_null_chart", .unknownSymbol, "404 with `{\"chart\":null}`") { _ in
                .json(#"{"chart":null}"#, status: 404)
            },
            ProviderAnswer("null_chart", .malformed, "200 with `{\"chart\":null}`: absence alone says nothing") { _ in
                .json(#"{"chart":null}"#)
            },
            ProviderAnswer("neither", .malformed, "neither a result nor an error") { _ in
                .json(#"{"chart":{"result":null,"error":null}}"#)
            },
            ProviderAnswer("not_found_page", .malformed, "404 with a page") { _ in .page("404", status: 404) },
            ProviderAnswer("bad_request", .malformed, "400 with another code") { _ in
                .json(error("Bad Request", "Invalid input"), status: 400)
            },
            ProviderAnswer("edge_refused", .refused, "429 of the edge, with plain text") { _ in
                .text("Edge: Too Many Requests", status: 429)
            },
            ProviderAnswer("invalid_crumb", .refused, "401 with the code `Unauthorized`") { _ in
                .json(
                    #"{"finance":{"result":null,"error":{"code":"Unauthorized","description":"Invalid Crumb"}}}"#,
                    status: 401
                )
            },
            ProviderAnswer("before_open", .price, "no `timestamp` and `quote` = `[{}]`, the price in `meta`") {
                .json(chart($0, arrays: #","indicators":{"quote":[{}],"adjclose":[{}]}"#))
            },
            ProviderAnswer("before_first_trade", .noData, "no price in `meta` either") {
                .json(chart($0, price: nil, arrays: #","indicators":{"quote":[{}]}"#))
            },
            ProviderAnswer("nulls", .price, "no price in `meta`; nulls in arrays of different lengths") { question in
                let times = (0..<5).map { String(question.time - 4 + $0) }.joined(separator: ",")
                let closes = "1.5,2.5,\(question.price),null"
                let arrays = #","timestamp":[\#(times)],"indicators":{"quote":[{"close":[\#(closes)]}]}"#
                return .json(chart(question, price: nil, arrays: arrays))
            },
            ProviderAnswer("no_time", .price, "a price in `meta` without a time; the arrays have both") { question in
                let arrays =
                    #","timestamp":[\#(question.time)],"indicators":{"quote":[{"close":[\#(question.price)]}]}"#
                return .json(chart(question, arrays: arrays, withTime: false))
            },
            ProviderAnswer("zero", .noData, "a price of 0") { .json(chart($0, price: "0.0", arrays: "")) },
            ProviderAnswer("pence", .price, "the currency `GBp`, a hundredth of `GBP`") {
                .json(chart($0, currency: #""GBp""#))
            },
            ProviderAnswer("no_currency", .price, "`currency` is null") { .json(chart($0, currency: "null")) },
            ProviderAnswer("float_noise", .price, "80.0999984741211, which is 80.1 with the noise of 32 bits") {
                .json(chart($0, price: "80.0999984741211"))
            },
            ProviderAnswer("stale", .price, "a price of three days ago") { question in
                let old = ProviderQuestion(
                    symbol: question.symbol,
                    price: question.price,
                    time: question.time - 259_200
                )
                return .json(chart(old))
            },
            ProviderAnswer("future", .malformed, "milliseconds where seconds belong") { question in
                let time = question.time * 1000
                return .json(chart(ProviderQuestion(symbol: question.symbol, price: question.price, time: time)))
            },
            ProviderAnswer("quoted_price", .malformed, "the price is a string") {
                .json(chart($0, price: "\"\($0.price)\""))
            },
            ProviderAnswer("other_symbol", .malformed, "the price of another symbol") { question in
                let other = ProviderQuestion(symbol: question.symbol + "X", price: question.price, time: question.time)
                return .json(chart(other))
            },
        ]

    private static func error(_ code: String, _ description: String) -> String {
        #"{"chart":{"result":null,"error":{"code":"\#(code)","description":"\#(description)"}}}"#
    }

    private static func chart(
        _ question: ProviderQuestion,
        price: String? = "",
        currency: String = #""USD""#,
        arrays: String? = nil,
        withTime: Bool = true
    ) -> String {
        let price = price.map { $0.isEmpty ? question.price : $0 }
        var meta =
            #""currency":\#(currency),"symbol":"\#(question.symbol)","exchangeName":"SIM","instrumentType":"EQUITY""#
        if let price {
            meta += #","regularMarketPrice":\#(price)"#
            if withTime { meta += #","regularMarketTime":\#(question.time)"# }
        }
        meta += #","gmtoffset":0,"timezone":"UTC","priceHint":2,"dataGranularity":"1d","range":"1d""#
        let full = price.map { price in
            #","timestamp":[\#(question.time)],"indicators":{"quote":[{"close":[\#(price)],"volume":[100]}]}"#
        }
        return #"{"chart":{"result":[{"meta":{\#(meta)}\#(arrays ?? full ?? "")}],"error":null}}"#
    }
}
