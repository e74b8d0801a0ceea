internal import HTTPServer
internal import JSONWire
internal import Postgres
internal import Reactor
internal import WebAPI

/// `GET /api/statistics/` and what is below it, on the gateway and on the internal API.
@ReactorActor
enum StatisticsRoutes {
    private static let additions = RouteAdditions(errors: [.unavailable, .upstreamTimeout])

    /// The routes of the internal API.
    static func answered(by database: PostgresPool) -> [Route] {
        let reader = StatisticsReader(database)
        return [
            StatisticsQuestion.operation.answered(adding: additions) { question, context async throws(APIError) in
                HTTPResponse(json: try await reader.list(question, deadline: context.deadline))
            },
            SummaryQuestion.operation.answered(adding: additions) { question, context async throws(APIError) in
                HTTPResponse(json: try await reader.summary(question.filter, deadline: context.deadline))
            },
            SeriesQuestion.operation.answered(adding: additions) { question, context async throws(APIError) in
                HTTPResponse(json: try await reader.series(question, deadline: context.deadline))
            },
            RoutesQuestion.operation.answered(adding: additions) { question, context async throws(APIError) in
                HTTPResponse(json: try await reader.routes(question, deadline: context.deadline))
            },
            TopQuestion.operation.answered(adding: additions) { question, context async throws(APIError) in
                HTTPResponse(json: try await reader.top(question, deadline: context.deadline))
            },
        ]
    }

    /// Of the routes of either role.
    nonisolated static let names = [
        StatisticsQuestion.operation.name, SummaryQuestion.operation.name, SeriesQuestion.operation.name,
        RoutesQuestion.operation.name, TopQuestion.operation.name,
    ]

    /// The routes of the gateway.
    static func relayed(by api: Relay) -> [Route] {
        [
            StatisticsQuestion.operation.relayed(by: api), SummaryQuestion.operation.relayed(by: api),
            SeriesQuestion.operation.relayed(by: api), RoutesQuestion.operation.relayed(by: api),
            TopQuestion.operation.relayed(by: api),
        ]
    }
}
