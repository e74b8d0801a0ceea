internal import HTTPWire
internal import JSONWire
internal import WebAPI

/// Which requests are asked about.
struct StatisticsFilter: Hashable, Sendable {
    let pathPrefix: String?
    let since: Timestamp?
    let until: Timestamp?

    static let pathPrefixField = Field<String>.query(
        "path_prefix",
        .searchText,
        "With what the URL of the upstream begins, or its path where this begins with a slash.",
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
        let prefix = fields.read(Self.pathPrefixField)
        pathPrefix = prefix.flatMap { $0.isEmpty ? nil : $0 }
        since = fields.read(Self.sinceField)
        until = fields.read(Self.untilField)
    }

    static var documentation: [RouteParameter] {
        [pathPrefixField.documentation, sinceField.documentation, untilField.documentation]
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
        RouteDocumentation(
            "How many requests the proxy carried, and how long they took",
            details: """
                Requests, mean and maximum are exact; percentiles are at most 3.2 % off. Where there are no requests, \
                `success_rate` and `seconds` are null. Successful is a status below 400.
                """,
            in: .statistics,
            parameters: StatisticsFilter.documentation,
            answers: [.json(.ok, "The summary.", .object([:], isOpen: true).named("Summary"), example: nil)]
        ),
        faulty: [RequestContent(target: "/?until=never")]
    ) { request throws(APIError) in try SummaryQuestion(request) }
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
