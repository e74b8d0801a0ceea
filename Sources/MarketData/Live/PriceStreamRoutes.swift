internal import HTTPWire
internal import JSONWire
internal import Logging
internal import Postgres
internal import Prices
internal import Reactor
internal import Redis
internal import WebAPI

/// What `GET /prices/stream` asks.
struct PriceStreamQuestion: Sendable {
    /// Distinct, in the order in which they were given.
    let symbols: [String]
    /// The id of the last event that the client has.
    let after: Int64?

    static let symbols = Field.query(
        "symbols",
        .symbolList,
        "A symbol, or up to \(LatestQuestion.symbolsMax) of them, separated by commas.",
        isRequired: true,
        example: "AAPL,MSFT"
    )
    static let lastEventID = LastEventID(.wholeNumber(in: 0...Int(Int64.max)), example: 0)

    init(_ content: RequestContent) throws(APIError) {
        var fields = try Fields(content)
        let symbols = fields.read(Self.symbols)
        after = Self.lastEventID.read(&fields).map { Int64($0) }
        var distinct: [String] = []
        let all = try fields.finish(symbols)
        for symbol in all where !distinct.contains(symbol.text) { distinct.append(symbol.text) }
        self.symbols = distinct
    }
}

/// `GET /prices/stream`, declared once for the roles that serve it, and the stream between them.
enum PriceStreamRoutes {
    /// All symbols, for gateways.
    static let allPath = "/prices/stream/all"

    /// The gateway's: all clients are told from one stream of the internal API.
    @ReactorActor
    static func relayed(by api: Relay) -> LivePrices { LivePrices(from: UpstreamPrices(api)) }

    /// The internal API's: what the database says.
    ///
    /// - Parameter redis: Of a connection on which workers say that there is something new.
    @ReactorActor
    static func answered(
        from database: PostgresPool,
        redis: RedisConfiguration,
        logger: Logger
    ) -> LivePrices {
        LivePrices(from: PriceChangeReader(database, redis: redis, logger: logger))
    }

    private static let price: JSONValue = [
        "symbol": "AAPL", "price": .number("150.25"), "timestamp": "2024-03-20T10:30:00Z", "provider": "yfinance",
        "moving_average": .number("149.98"),
    ]
    private static let example = ServerSentEvent("price", id: "1", data: price.description.utf8)

    static let stream = Operation(
        .get,
        "/prices/stream",
        needs: .pricesRead,
        RouteDocumentation(
            "Prices and moving averages as they change",
            details: """
                First the newest of each symbol that has one, then what changes, as it does. A client that comes back \
                with the `id` of its last event gets what it has missed; if that is not known any more it gets an \
                event `reset`, after which nothing counts that it had, and begins anew. A client that reads too slowly \
                gets the newest event of each symbol only, and one that does not read for 30 s is cut off.
                """,
            in: .prices,
            parameters: [PriceStreamQuestion.symbols.documentation] + PriceStreamQuestion.lastEventID.documentation,
            answers: [.events("Events of the type `price`.", example: example)],
            errors: errors
        ),
        faulty: ["", "?symbols=A%20B", "?symbols=AAPL&last_event_id=x"].map {
            RequestContent(target: "/prices/stream\($0)")
        }
    ) { request throws(APIError) in try PriceStreamQuestion(request) }

    static let all = Operation(
        .get,
        PathTemplate(stringLiteral: allPath),
        needs: .pricesRead,
        RouteDocumentation(
            "The same of all symbols, for gateways",
            details: "An event `current` says that the newest of all symbols have been told.",
            in: .prices,
            parameters: PriceStreamQuestion.lastEventID.documentation,
            answers: [.events("Events of the types `price` and `current`.", example: example)],
            errors: errors
        )
    ) { request throws(APIError) -> Int64? in
        var fields = try Fields(request)
        let after = PriceStreamQuestion.lastEventID.read(&fields).map { Int64($0) }
        return try fields.finish(Optional.some(after))
    }

    private static let errors: [APIError] = [.overloaded, .unavailable, .upstreamTimeout]
}

extension LivePrices {
    /// What both roles serve.
    var route: Route {
        PriceStreamRoutes.stream.answeredDirectly { [self] question, context in
            serve(context, question.symbols, after: question.after)
        }
    }

    /// What the internal API serves besides.
    var routeOfAll: Route {
        PriceStreamRoutes.all.answeredDirectly { [self] after, context in serve(context, nil, after: after) }
    }
}
