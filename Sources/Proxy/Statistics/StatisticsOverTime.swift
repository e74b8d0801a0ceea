internal import HTTPWire
internal import JSONWire
internal import Reactor
internal import WebAPI

/// What `GET /api/statistics/series` asks for: what was carried in each minute, hour or day.
struct SeriesQuestion: Hashable, Sendable {
    /// How long each piece is.
    enum Width: Int, CaseIterable {
        case minute = 60
        case hour = 3600
        case day = 86_400

        /// The shortest that does not cut a range into too many.
        init(for range: Duration) {
            self = Self.allCases.first { range <= .seconds($0.rawValue * Self.piecesMax) } ?? .day
        }

        /// Pieces of an answer at most, but for days.
        static let piecesMax = 180

        /// As SQL writes it.
        var interval: String { "\(rawValue) seconds" }
    }

    static let rangeDefault = Duration.seconds(3600)

    let route: String?
    let since: Timestamp?
    let until: Timestamp?

    init(_ request: RequestContent) throws(APIError) {
        var fields = try Fields(request)
        route = StatisticsFilter.readRoute(&fields)
        (since, until) = StatisticsFilter.readRange(&fields)
        try fields.finish()
    }

    /// What is asked for at a moment.
    func range(at now: Timestamp) -> (since: Timestamp, until: Timestamp, width: Width) {
        let until = until ?? Timestamp(unixTime: max(now.unixTime, since?.unixTime ?? .zero))
        let since = since ?? Timestamp(unixTime: max(.zero, until.unixTime - Self.rangeDefault))
        return (since, until, Width(for: until.unixTime - since.unixTime))
    }

    static let operation = Operation(
        .get,
        "/api/statistics/series",
        needs: .statisticsRead,
        RouteDocumentation(
            "What the proxy carried in each minute, hour or day",
            details: """
                By the minute for 3 hours at most, by the hour for 180, and by the day beyond; without `since` it is \
                the hour before `until`, and without `until` until now. The first piece is the one that `since` is \
                in. Pieces without requests are left out.
                """,
            in: .statistics,
            parameters: [StatisticsFilter.routeField.documentation] + StatisticsFilter.rangeDocumentation,
            answers: [.json(.ok, "The pieces, oldest first.", StatisticsSchema.series, example: nil)]
        ),
        faulty: [RequestContent(target: "/?since=2025-01-02T00:00:00Z&until=2025-01-01T00:00:00Z")]
    ) { request throws(APIError) in try SeriesQuestion(request) }
}

/// What `GET /api/statistics/routes` asks for: the summary of each route.
struct RoutesQuestion: Hashable, Sendable {
    let since: Timestamp?
    let until: Timestamp?

    init(_ request: RequestContent) throws(APIError) {
        var fields = try Fields(request)
        (since, until) = StatisticsFilter.readRange(&fields)
        try fields.finish()
    }

    static let operation = Operation(
        .get,
        "/api/statistics/routes",
        needs: .statisticsRead,
        RouteDocumentation(
            "What each route of the proxy carried",
            details: "A route is named by its prefix, also one that is not configured any more.",
            in: .statistics,
            parameters: StatisticsFilter.rangeDocumentation,
            answers: [.json(.ok, "The routes, the busiest first.", StatisticsSchema.routes, example: nil)]
        ),
        faulty: [RequestContent(target: "/?since=yesterday")]
    ) { request throws(APIError) in try RoutesQuestion(request) }
}

/// What `GET /api/statistics/top` asks for: the paths that were asked for most.
struct TopQuestion: Hashable, Sendable {
    let route: String?
    let since: Timestamp?
    let until: Timestamp?
    let limit: Int

    static let limitMax = 100
    static let limitDefault = 10
    static let limitField = Field<Int>.query(
        "limit",
        .wholeNumber(in: 1...limitMax),
        "How many; \(limitDefault) if not given.",
        example: .integer(limitDefault)
    )

    init(_ request: RequestContent) throws(APIError) {
        var fields = try Fields(request)
        route = StatisticsFilter.readRoute(&fields)
        (since, until) = StatisticsFilter.readRange(&fields)
        limit = fields.read(Self.limitField) ?? Self.limitDefault
        try fields.finish()
    }

    static let operation = Operation(
        .get,
        "/api/statistics/top",
        needs: .statisticsRead,
        RouteDocumentation(
            "The paths that the proxy was asked for most",
            details: """
                By whole hours, the first being the one that `since` is in. Of each hour and route some hundred paths \
                are known by name, the busiest; all others are `other`, together.
                """,
            in: .statistics,
            parameters: [StatisticsFilter.routeField.documentation] + StatisticsFilter.rangeDocumentation
                + [limitField.documentation],
            answers: [.json(.ok, "The paths, the busiest first.", StatisticsSchema.top, example: nil)]
        ),
        faulty: [RequestContent(target: "/?limit=0")]
    ) { request throws(APIError) in try TopQuestion(request) }
}
