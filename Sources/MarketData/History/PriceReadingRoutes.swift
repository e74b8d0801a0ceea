internal import HTTPServer
internal import HTTPWire
internal import JSONWire
internal import Postgres
internal import Prices
internal import Reactor
internal import Service
internal import WebAPI

/// `GET /prices/history`, `/prices/bars` and `/prices/moving-average`, declared once for the roles that serve them.
enum PriceReadingRoutes {
    /// Of the routes of either role.
    static let names = [history.name, bars.name, movingAverage.name]

    /// The gateway's: checked, then relayed.
    @ReactorActor
    static func relayed(by api: Relay) -> [Route] {
        [history.relayed(by: api), bars.relayed(by: api).tagged, movingAverage.relayed(by: api)]
    }

    /// The internal API's: checked, then answered from the database.
    @ReactorActor
    static func answered(from database: PostgresPool) -> [Route] {
        let reader = PriceReader(database: database)
        return [
            history.answered { question, context async throws(APIError) in
                try await asked { () async throws(PostgresError) in
                    page(
                        try await reader.history(question, deadline: context.deadline),
                        limit: question.limit,
                        question
                    )
                }
            },
            bars.answered { question, context async throws(APIError) in
                try await asked { () async throws(PostgresError) in
                    barList(try await reader.bars(question, deadline: context.deadline))
                }
            }
            .tagged,
            movingAverage.answered { question, context async throws(APIError) in
                let response = try await asked { () async throws(PostgresError) in
                    let row = try await reader.movingAverage(question.symbol, deadline: context.deadline)
                    return row.map { average(question, $0) }
                }
                guard let response else { throw unknownAverage }
                return response
            },
        ]
    }

    // MARK: Answers

    private static func page(_ rows: PostgresResult, limit: Int, _ question: HistoryQuestion) -> HTTPResponse {
        .page(0..<rows.count, limit: limit, elementBytes: 160) { writer, row in
            let (time, id) = (rows.int64(row, 6) ?? 0, rows.int64(row, 5) ?? 0)
            writer.string(PricePosition(microseconds: time, id: id).description)
        } write: { writer, row in
            writer.object { writer in
                writer.member("symbol", question.symbol.text)
                writer.member("price", number: rows, row, 1)
                writer.member("timestamp", text: rows, row, 0)
                writer.member("provider", text: rows, row, 2)
                writer.member("currency", text: rows, row, 3)
                writer.member("fetched_at", text: rows, row, 4)
            }
        }
    }

    private static func barList(_ rows: PostgresResult) -> HTTPResponse {
        var writer = JSONWriter(capacity: 64 + rows.count * 112)
        writer.object { writer in
            writer.key("data")
            writer.array { writer in
                for row in 0..<rows.count {
                    writer.object { writer in
                        writer.member("time", text: rows, row, 0)
                        writer.member("open", number: rows, row, 1)
                        writer.member("high", number: rows, row, 2)
                        writer.member("low", number: rows, row, 3)
                        writer.member("close", number: rows, row, 4)
                        writer.member("count", number: rows, row, 5)
                    }
                }
            }
        }
        return HTTPResponse(json: writer.take())
    }

    private static func average(_ question: SymbolQuestion, _ rows: PostgresResult) -> HTTPResponse {
        var writer = JSONWriter(capacity: 160)
        writer.object { writer in
            writer.member("symbol", question.symbol.text)
            writer.member("moving_average", number: rows, 0, 0)
            writer.member("window", 5)
            writer.member("points", number: rows, 0, 1)
            writer.member("updated_at", text: rows, 0, 2)
        }
        return HTTPResponse(json: writer.take())
    }

    // MARK: Declarations

    private static let history = Operation(
        .get,
        "/prices/history",
        needs: .pricesRead,
        RouteDocumentation(
            "A symbol's single prices, newest first",
            details: """
                Ordered by time, and where times are equal by the order in which they were stored. `provider`, \
                `currency` and `fetched_at` are null for prices that were imported or written by hand.
                """,
            in: .prices,
            parameters: HistoryQuestion.parameters,
            answers: [
                .page(
                    of: Schema.object([
                        "symbol": .string(), "price": .number, "timestamp": .timestamp, "provider": .anything,
                        "currency": .anything, "fetched_at": .anything,
                    ]),
                    next: .string(PricePosition.example),
                    "PriceHistory",
                    example: [
                        "symbol": "AAPL", "price": .number("150.25"), "timestamp": "2024-03-20T10:30:00Z",
                        "provider": "yfinance", "currency": "USD", "fetched_at": "2024-03-20T10:30:02.125Z",
                    ]
                )
            ],
            errors: APIError.ofDatabase
        ),
        faulty: [RequestContent(target: "/prices/history?from=yesterday&limit=0&page=2")]
    ) { request throws(APIError) in try HistoryQuestion(request) }

    private static let bars = Operation(
        .get,
        "/prices/bars",
        needs: .pricesRead,
        RouteDocumentation(
            "A symbol's prices as bars",
            details: """
                Exact, computed from every price that is stored. A bar is always whole: `from` and `to` choose those \
                that overlap with the time between them. Without `to` it is now, without `from` 300 bars earlier; \
                5000 bars are the most. A bar without a price is left out.
                """,
            in: .prices,
            parameters: BarQuestion.parameters,
            answers: [
                .json(
                    .ok,
                    "The bars, oldest first.",
                    Schema.object([
                        "data": .array(
                            of: Schema.object([
                                "time": .timestamp, "open": .number, "high": .number, "low": .number,
                                "close": .number, "count": .integer(in: 1...Int.max),
                            ])
                        )
                    ])
                    .named("PriceBars"),
                    example: [
                        "data": [
                            [
                                "time": "2024-03-20T10:30:00Z", "open": .number("150.25"), "high": .number("150.9"),
                                "low": .number("150.2"), "close": .number("150.7"), "count": 12,
                            ]
                        ]
                    ]
                )
            ],
            errors: APIError.ofDatabase
        ),
        faulty: [
            RequestContent(target: "/prices/bars?symbol=AAPL&interval=2m"),
            RequestContent(target: "/prices/bars?symbol=AAPL&interval=1m&from=2024-01-01&to=2024-02-01"),
        ]
    ) { request throws(APIError) in try BarQuestion(request) }

    private static let movingAverage = Operation(
        .get,
        "/prices/moving-average",
        needs: .pricesRead,
        RouteDocumentation(
            "The mean of a symbol's newest five prices",
            details: """
                Made anew by each price that a provider brings; `points` are fewer than the window while there are \
                fewer prices.
                """,
            in: .prices,
            parameters: [PriceFields.symbol.documentation],
            answers: [
                .json(
                    .ok,
                    "The average, rounded half away from zero to 6 decimals.",
                    Schema.object([
                        "symbol": .string(), "moving_average": .number, "window": .integer(in: 5...5),
                        "points": .integer(in: 1...5), "updated_at": .timestamp,
                    ])
                    .named("MovingAverage"),
                    example: [
                        "symbol": "AAPL", "moving_average": .number("102.22"), "window": 5, "points": 5,
                        "updated_at": "2024-03-20T10:30:02.125Z",
                    ]
                )
            ],
            errors: [unknownAverage] + APIError.ofDatabase
        ),
        faulty: [RequestContent(target: "/prices/moving-average?symbol=a%20b")]
    ) { request throws(APIError) in try SymbolQuestion(request) }

    private static let unknownAverage = APIError(.notFound, "There is no moving average of this symbol yet.")
}
