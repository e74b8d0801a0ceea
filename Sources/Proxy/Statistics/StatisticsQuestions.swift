internal import HTTPWire
internal import JSONWire
internal import WebAPI

/// Which requests are asked about.
struct StatisticsFilter: Hashable, Sendable {
    let pathPrefix: String?
    let route: String?
    let since: Timestamp?
    let until: Timestamp?

    static let pathPrefixField = Field<String>.query(
        "path_prefix",
        .searchText,
        "With what the URL of the upstream begins, or its path where this begins with a slash.",
        example: "/categories/"
    )
    static let routeField = Field<String>.query(
        "route",
        .searchText,
        "The prefix of the route that carried them, as it is configured.",
        example: "/categories/"
    )
    static let sinceField = Field<Timestamp>.query(
        "since",
        .timestamp,
        "Requests from this moment on.",
        example: "2025-01-01T00:00:00Z"
    )
    static let untilField = Field<Timestamp>.query(
        "until",
        .timestamp,
        "Requests before this moment.",
        example: "2100-01-01T00:00:00Z"
    )

    init(_ fields: inout Fields) {
        pathPrefix = Self.readText(Self.pathPrefixField, &fields)
        route = Self.readRoute(&fields)
        (since, until) = Self.readRange(&fields)
    }

    static var documentation: [RouteParameter] {
        [pathPrefixField.documentation, routeField.documentation] + rangeDocumentation
    }
    static var rangeDocumentation: [RouteParameter] { [sinceField.documentation, untilField.documentation] }

    /// An empty one is none: everything begins with it.
    private static func readText(_ field: Field<String>, _ fields: inout Fields) -> String? {
        fields.read(field).flatMap { $0.isEmpty ? nil : $0 }
    }

    static func readRoute(_ fields: inout Fields) -> String? { readText(routeField, &fields) }

    /// Both ends of a stretch of time, either of which may be open.
    static func readRange(_ fields: inout Fields) -> (since: Timestamp?, until: Timestamp?) {
        let since = fields.read(sinceField)
        let until = fields.read(untilField)
        if let since, let until, since.unixTime > until.unixTime {
            fields.refuse(sinceField, "since must not be after until", .invalidDateRange)
        }
        return (since, until)
    }
}

/// What `GET /api/statistics/` asks for.
struct StatisticsQuestion: Hashable, Sendable {
    let filter: StatisticsFilter
    let status: Int?
    let page: Int
    let perPage: Int

    static let pageMax = 1_000_000
    static let perPageMax = 1000
    static let perPageDefault = 50

    static let statusField = Field<Int>.query(
        "status_code",
        .wholeNumber(in: 100...599),
        "Only answers of this status.",
        example: 200
    )
    static let pageField = Field<Int>.query("page", .wholeNumber(in: 1...pageMax), "The page, from 1.", example: 1)
    static let perPageField = Field<Int>.query(
        "per_page",
        .wholeNumber(in: 1...perPageMax),
        "Requests of one page; \(perPageDefault) if not given.",
        example: .integer(perPageDefault)
    )

    init(_ request: RequestContent) throws(APIError) {
        var fields = try Fields(request)
        filter = StatisticsFilter(&fields)
        status = fields.read(Self.statusField)
        page = fields.read(Self.pageField) ?? 1
        perPage = fields.read(Self.perPageField) ?? Self.perPageDefault
        try fields.finish()
    }

    static let operation = Operation(
        .get,
        "/api/statistics",
        needs: .statisticsRead,
        RouteDocumentation(
            "Requests that the proxy carried, newest first",
            details: "Of a client that left before its answer, `status_code` is 499.",
            in: .statistics,
            parameters: StatisticsFilter.documentation
                + [statusField.documentation, pageField.documentation, perPageField.documentation],
            answers: [
                .json(
                    .ok,
                    "The requests of the page; maybe none.",
                    .array(
                        of: .object([
                            "id": .integer(in: 1...Int.max), "path": .string().described("The URL, without the query."),
                            "status_code": .integer(in: 100...599), "seconds": .number,
                            "created_at": .string(),
                        ])
                        .named("CarriedRequest"),
                        count: 0...perPageMax
                    ),
                    example: nil
                )
            ]
        ),
        faulty: [RequestContent(target: "/?page=0&status_code=42&since=yesterday")]
    ) { request throws(APIError) in try StatisticsQuestion(request) }
}

/// What `GET /api/statistics/summary` asks for.
struct SummaryQuestion: Hashable, Sendable {
    let filter: StatisticsFilter

    init(_ request: RequestContent) throws(APIError) {
        var fields = try Fields(request)
        filter = StatisticsFilter(&fields)
        try fields.finish()
    }

    static let operation = Operation(
        .get,
        "/api/statistics/summary",
        needs: .statisticsRead,
        RouteDocumentation(
            "How many requests the proxy carried, and how long they took",
            details: """
                Requests, mean and maximum are exact; percentiles are at most 3.2 % off. Where there are no requests, \
                `success_rate` and `seconds` are null. Successful is a status below 400.
                """,
            in: .statistics,
            parameters: StatisticsFilter.documentation,
            answers: [.json(.ok, "The summary.", StatisticsSchema.summary, example: nil)]
        ),
        faulty: [RequestContent(target: "/?until=never")]
    ) { request throws(APIError) in try SummaryQuestion(request) }
}

/// What answers look like.
enum StatisticsSchema {
    private static let requests = Schema.integer(in: 0...Int.max)
    private static let successRate = Schema.number.orNull.described("Of statuses below 400; null without requests.")
    private static let status = Schema.object([:], isOpen: true).described(
        "Requests by class of status: `2xx` to `5xx`."
    )
    private static let seconds = Schema.object([
        "mean": .number, "p50": .number, "p90": .number, "p99": .number, "max": .number,
    ])

    static let summary = Schema.object([
        "requests": requests, "success_rate": successRate, "status": status,
        "seconds": seconds.orNull.described("Null without requests."),
    ])
    .named("Summary")

    static let series = Schema.object([
        "width_s": .integer(in: 60...86_400),
        "data": .array(
            of: .object([
                "time": Schema.timestamp.described("When the piece begins."), "requests": requests,
                "success_rate": successRate, "status": status, "seconds": seconds,
            ])
        ),
    ])
    .named("StatisticsSeries")

    static let routes = Schema.object([
        "data": .array(
            of: .object([
                "route": .string(), "requests": requests, "success_rate": successRate, "status": status,
                "seconds": seconds,
            ])
        )
    ])
    .named("StatisticsByRoute")

    private static let mean = Schema.object(["mean": .number, "max": .number])
    static let top = Schema.object([
        "data": .array(
            of: .object([
                "path": .string().described("At the upstream, without the query."), "requests": requests,
                "success_rate": successRate, "seconds": mean,
            ])
        ),
        "other": Schema.object(["requests": requests, "success_rate": successRate, "seconds": mean]).orNull
            .described("Of all other paths together; null where there are none."),
    ])
    .named("TopPaths")
}

extension Scope {
    static let statisticsRead = Scope("statistics:read", "What the proxy carried")
}

extension RouteGroup {
    static let statistics = RouteGroup("Statistics", "What the proxy carried.")
}

extension FieldRule<String> {
    /// Any text that a database can be asked about.
    static let searchText = FieldRule(
        "must be at most 2048 characters, none of them NUL",
        schema: .string(length: 0...2048)
    ) { text in text.unicodeScalars.count <= 2048 && !text.utf8.contains(0) ? text : nil }
}
