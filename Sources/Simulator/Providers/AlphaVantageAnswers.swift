internal import JSONWire

/// Alpha Vantage's `GLOBAL_QUOTE`, in all that it was seen to answer: always with status 200 when it is itself.
enum AlphaVantageAnswers {
    static let all =
        ProviderAnswer.common { quote($0) } + [
            ProviderAnswer("unknown", .unknownSymbol, "an empty quote") { _ in .json(#"{"Global Quote":{}}"#) },
            ProviderAnswer("delayed", .price, "the key of a delayed plan") {
                .json(quote($0, key: "Global Quote - DATA DELAYED BY 15 MINUTES"))
            },
            ProviderAnswer("note", .refused, "`Note`: too often in a minute, as said since 2018") { _ in
                .json(
                    #"{"Note":"Thank you for using Alpha Vantage! Our standard frequency is 5 calls per minute."}"#
                )
            },
            ProviderAnswer("information", .refused, "`Information`: 25 a day, 1 a second; it repeats the key") { _ in
                .json(
                    #"{"Information":"We have detected your API key as *** and the limit is 25 requests per day."}"#
                )
            },
            ProviderAnswer("error_message", .refused, "`Error Message`: a bad call") { _ in
                .json(#"{"Error Message":"Invalid API call. Please retry or visit the documentation."}"#)
            },
            ProviderAnswer("empty_object", .malformed, "`{}`: absence alone says nothing") { _ in .json("{}") },
            ProviderAnswer("zero", .noData, "a price of 0") { .json(quote($0, price: "0.0000")) },
            ProviderAnswer("no_price", .malformed, "`None` for a price") { .json(quote($0, price: "None")) },
            ProviderAnswer("no_day", .malformed, "no trading day") { .json(quote($0, day: "")) },
            ProviderAnswer("other_symbol", .malformed, "the price of another symbol") { question in
                let other = ProviderQuestion(symbol: question.symbol + "X", price: question.price, time: question.time)
                return .json(quote(other))
            },
        ]

    private static func quote(
        _ question: ProviderQuestion,
        key: String = "Global Quote",
        price: String? = nil,
        day: String? = nil
    ) -> String {
        let day = day ?? String(Timestamp(unixTime: .seconds(question.time)).description.prefix(10))
        return """
            {"\(key)":{"01. symbol":"\(question.symbol)","02. open":"1.0000","03. high":"1.0000","04. low":"1.0000",\
            "05. price":"\(price ?? question.price)","06. volume":"100","07. latest trading day":"\(day)",\
            "08. previous close":"1.0000","09. change":"0.0000","10. change percent":"0.0000%"}}
            """
    }
}
