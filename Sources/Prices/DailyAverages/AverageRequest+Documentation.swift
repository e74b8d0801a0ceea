internal import HTTPWire
internal import JSONWire
public import WebAPI

extension AverageRequest {
    /// What callers may know of `GET /prices/average`, wherever it is served.
    ///
    /// - Parameter rangeDaysMax: As in ``init(_:rangeDaysMax:)``.
    static func documentation(rangeDaysMax: Int) -> RouteDocumentation {
        RouteDocumentation(
            "Mean price of each day in a range",
            details: """
                Both dates are inclusive, days are UTC days, and a day without prices is left out. A mean is exact: \
                rounded half away from zero to 6 decimals, trailing zeros dropped. Each parameter may be given once; \
                others are refused. `start_date` must not be after `end_date`, and there are at most \(rangeDaysMax) \
                days from one to the other, both counted.
                """,
            in: .prices,
            parameters: [startDate.documentation, endDate.documentation, symbol.documentation],
            answers: [averages(rangeDaysMax: rangeDaysMax)]
        )
    }

    private static func averages(rangeDaysMax: Int) -> RouteAnswer {
        let day = Schema.object(["date": .date, "average_price": .number]).named("DailyAverage")
        return .json(
            .ok,
            "The mean of each day that has prices, in ascending order; maybe none.",
            .object(["data": .array(of: day, count: 0...rangeDaysMax)]).named("DailyAverages"),
            example: [
                "data": [
                    ["date": "2025-01-06", "average_price": .number("100.38")],
                    ["date": "2025-01-07", "average_price": .number("102.75")],
                ]
            ]
        )
    }

    /// Queries with a fault of each kind, whose refusals are the examples.
    static let faultyQueries = [
        "start_date=2025-01-06", "start_date=2025-02-30&end_date=2025-03-01",
        "start_date=2025-01-07&end_date=2025-01-06", "start_date=0001-01-01&end_date=9999-12-31",
        "start_date=2025-01-06&end_date=2025-01-06&symbol=A%20B", "start_date=2025-01-06&end_date=2025-01-06&limit=5",
    ]
}

extension Schema {
    /// A day, as ``CalendarDate`` reads it.
    static let date = Schema.string(
        format: "date",
        pattern: "^[0-9]{4}-[0-9]{2}-[0-9]{2}$",
        length: 10...10
    )
}

extension Scope {
    /// Prices, and the tasks that are asked for them.
    package static let pricesRead = Scope("prices:read", "Prices, means of them, their streams, and tasks")
}

extension RouteGroup {
    /// What is told about prices.
    public static let prices = RouteGroup("Prices", "What was paid, and means of it.")
}
