/// Finnhub's `quote`, in all that it was seen to answer.
enum FinnhubAnswers {
    static let all =
        ProviderAnswer.common { quote($0) } + [
            ProviderAnswer("unknown", .unknownSymbol, "zeros, and null for the change") { _ in
                .json(#"{"c":0,"d":null,"dp":null,"h":0,"l":0,"o":0,"pc":0,"t":0}"#)
            },
            ProviderAnswer("zero", .noData, "a price of 0 of a symbol that it knows") {
                .json(#"{"c":0,"d":0,"dp":0,"h":0,"l":0,"o":0,"pc":1,"t":\#($0.time)}"#)
            },
            ProviderAnswer("first_day", .price, "null for the change of a symbol that has a price") {
                .json(#"{"c":\#($0.price),"d":null,"dp":null,"h":1,"l":1,"o":1,"pc":0,"t":\#($0.time)}"#)
            },
            ProviderAnswer("refused_until", .refused, "429 with `X-Ratelimit-Reset`, a moment 5 s away") { question in
                .json(
                    #"{"error":"API limit reached. Please try again later. Remaining Limit: 0"}"#,
                    status: 429,
                    fields: [
                        "X-Ratelimit-Limit": "60", "X-Ratelimit-Remaining": "0",
                        "X-Ratelimit-Reset": String(question.time + 5),
                    ]
                )
            },
            ProviderAnswer("error", .refused, "200 with an error in place of a quote") { _ in
                .json(#"{"error":"API limit reached."}"#)
            },
            ProviderAnswer("stale", .price, "a price of three days ago") { question in
                .json(
                    quote(
                        ProviderQuestion(symbol: question.symbol, price: question.price, time: question.time - 259_200)
                    )
                )
            },
            ProviderAnswer("empty_object", .malformed, "`{}`: absence alone says nothing") { _ in .json("{}") },
            ProviderAnswer("quoted_price", .malformed, "the price is a string") {
                .json(#"{"c":"\#($0.price)","d":0,"dp":0,"h":1,"l":1,"o":1,"pc":1,"t":\#($0.time)}"#)
            },
        ]

    private static func quote(_ question: ProviderQuestion) -> String {
        #"{"c":\#(question.price),"d":0.5,"dp":0.1,"h":1,"l":1,"o":1,"pc":1,"t":\#(question.time)}"#
    }
}
