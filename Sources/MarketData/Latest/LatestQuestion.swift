internal import HTTPWire
internal import JSONWire
internal import Prices
internal import WebAPI

/// What `GET /prices/latest` asks for.
struct LatestQuestion: Sendable {
    /// The most symbols in one request.
    static let symbolsMax = 50

    /// At least one, each once.
    let symbols: [Symbol]
    /// Whether the answer is a list, because the request had one.
    let isList: Bool
    /// Nil for whom the configuration names.
    let provider: String?

    private static let symbol = Field.query(
        "symbol",
        .symbolList,
        "A symbol, or up to \(symbolsMax) of them, separated by commas.",
        isRequired: true,
        example: "AAPL"
    )
    private static let provider = Field.query(
        "provider",
        .text(of: .visible, length: 1...64),
        "Who is asked, by the name of the configuration. Without it, those that the configuration names, in order.",
        example: "yfinance"
    )

    init(_ content: RequestContent) throws(APIError) {
        var fields = try Fields(content)
        let symbols = fields.read(Self.symbol)
        provider = fields.read(Self.provider)
        let all = try fields.finish(symbols)
        var distinct: [Symbol] = []
        for symbol in all where !distinct.contains(symbol) { distinct.append(symbol) }
        self.symbols = distinct
        isList = all.count > 1
    }

    // MARK: Documentation

    static let documentation = RouteDocumentation(
        "The latest price of a symbol, or of several",
        details: """
            From the cache if the price is young enough there, else from its provider; concurrent requests for one \
            price make one call. If the provider fails, refuses or may not be asked, the price that was stored last is \
            given, unless it is too old; `X-Cache` and `Age` say which it is. Of several symbols each is answered by \
            itself: those without a price are listed under `missing`.
            """,
        in: .prices,
        parameters: [symbol.documentation, provider.documentation],
        answers: [
            .json(
                .ok,
                "The price; of several symbols a list.",
                fields: [cacheField, ageField],
                .any(of: [price, list]),
                example: example
            )
        ],
        errors: [
            .unsupportedProvider("xx"), APIError(.notFound, "Provider 'yfinance' does not know the symbol 'AAPL'."),
            APIError(.upstreamError, "Provider 'yfinance' did not answer properly."),
            APIError(.upstreamTimeout, "Provider 'yfinance' did not answer in time."),
            APIError(
                .unavailable,
                "Provider 'yfinance' may not be asked now; try again later.",
                retryAfterSeconds: 30
            ),
        ]
    )

    static let faulty = ["", "?symbol=", "?symbol=A%20B", "?symbol=AAPL&page=1"].map {
        RequestContent(target: "/prices/latest\($0)")
    }

    private static let example: JSONValue = [
        "symbol": "AAPL", "price": .number("150.25"), "timestamp": "2024-03-20T10:30:00Z", "provider": "yfinance",
    ]
    private static let price = Schema.object([
        "symbol": .string(), "price": .number.described("Exactly as the provider wrote it; never 0."),
        "timestamp": Schema.timestamp.described("The quote's own time."), "provider": .string(),
    ])
    .named("LatestPrice")
    private static let list = Schema.object([
        "data": .array(of: price),
        "missing": .array(
            of: .object(["symbol": .string(), "code": .word(ErrorCode.allCases.map(\.rawValue)), "message": .string()])
        ),
    ])
    .named("LatestPrices")
    static let cacheField = AnswerField(
        "X-Cache",
        "Where the price comes from: of several symbols, the worst of them.",
        .word(["HIT", "MISS", "STALE"]),
        example: "HIT",
        isAlwaysThere: false
    )
    static let ageField = AnswerField(
        "Age",
        "Seconds since the provider was asked: of several symbols, the most.",
        .integer(in: 0...604_800),
        example: 12,
        isAlwaysThere: false
    )
}

extension FieldRule<[Symbol]> {
    /// Symbols, separated by commas.
    static let symbolList = FieldRule(
        "must be 1 to \(LatestQuestion.symbolsMax) symbols, separated by commas, each of 1 to \(Symbol.lengthMax) "
            + "characters of A-Z a-z 0-9 . ^ = - _ : &",
        schema: .string(
            pattern: "^[A-Za-z0-9.^=_:&-]+(,[A-Za-z0-9.^=_:&-]+)*$",
            length: 1...LatestQuestion.symbolsMax * (Symbol.lengthMax + 1) - 1
        )
    ) { text in
        let parts = text.split(separator: ",", omittingEmptySubsequences: false)
        guard parts.count <= LatestQuestion.symbolsMax else { return nil }
        let symbols = parts.compactMap { Symbol(String($0)) }
        return symbols.count == parts.count ? symbols : nil
    }
}
