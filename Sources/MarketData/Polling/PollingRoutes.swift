internal import HTTPServer
internal import HTTPWire
internal import JSONWire
internal import Postgres
internal import Prices
internal import Reactor
internal import Service
internal import WebAPI

/// `/prices/poll` and `/prices/poll/{id}`, declared once for the roles that serve them.
enum PollingRoutes {
    /// Of the routes of either role.
    static let names = [create.name, list.name, one.name, change.name, delete.name]

    /// The gateway's: checked, then relayed.
    @ReactorActor
    static func relayed(by api: Relay) -> [Route] {
        [
            create.relayed(by: api), list.relayed(by: api), one.relayed(by: api), change.relayed(by: api),
            delete.relayed(by: api),
        ]
    }

    /// The internal API's: checked, then answered from the database.
    ///
    /// - Parameters:
    ///   - maximum: Most jobs at once.
    ///   - hasProvider: Whether the configuration has a provider of a name.
    @ReactorActor
    static func answered(
        from database: PostgresPool,
        maximum: Int,
        hasProvider: @escaping @ReactorActor @Sendable (String) -> Bool
    ) -> [Route] {
        let jobs = PollingJobs(database: database, maximum: maximum)
        return [
            create.answered { job, context async throws(APIError) in
                if let provider = job.provider, !hasProvider(provider) {
                    throw NewPollingJob.unknownProvider(provider)
                }
                let id = try await asked { () async throws(PostgresError) in
                    try await jobs.create(job, deadline: context.deadline)
                }
                guard let id else { throw tooMany }
                return accepted(id, job)
            },
            list.answered { page, context async throws(APIError) in
                self.page(
                    try await asked { () async throws(PostgresError) in
                        try await jobs.jobs(page, deadline: context.deadline)
                    },
                    limit: page.limit
                )
            },
            one.answered { question, context async throws(APIError) in
                try single(
                    try await asked { () async throws(PostgresError) in
                        try await jobs.job(question.id, deadline: context.deadline)
                    }
                )
            },
            change.answered { change, context async throws(APIError) in
                try single(
                    try await asked { () async throws(PostgresError) in
                        _ = try await jobs.change(change, deadline: context.deadline)
                        return try await jobs.job(change.id, deadline: context.deadline)
                    }
                )
            },
            delete.answered { question, context async throws(APIError) in
                let existed = try await asked { () async throws(PostgresError) in
                    try await jobs.delete(question.id, deadline: context.deadline)
                }
                guard existed else { throw unknownJob }
                return HTTPResponse(.noContent)
            },
        ]
    }

    // MARK: Answers

    private static func accepted(_ id: PollingJobID, _ job: NewPollingJob) -> HTTPResponse {
        var writer = JSONWriter(capacity: 128 + job.symbols.count * 16)
        writer.object { writer in
            writer.member("job_id", id.description)
            writer.member("status", "accepted")
            writer.key("config")
            writer.object { writer in
                writer.key("symbols")
                writer.array { writer in
                    for symbol in job.symbols { writer.string(symbol.text) }
                }
                writer.member("interval", job.interval)
            }
        }
        var response = HTTPResponse(json: writer.take(), status: .accepted)
        response.fields.append("Location", "/prices/poll/\(id)")
        return response
    }

    @ReactorActor
    private static func single(_ rows: PostgresResult) throws(APIError) -> HTTPResponse {
        guard !rows.isEmpty else { throw unknownJob }
        var writer = JSONWriter(capacity: 512)
        PollingJobs.write(rows, 0, to: &writer)
        return HTTPResponse(json: writer.take())
    }

    @ReactorActor
    private static func page(_ rows: PostgresResult, limit: Int) -> HTTPResponse {
        .page(0..<rows.count, limit: limit, elementBytes: 512) { writer, row in
            writer.string(PollingJobID(number: rows.int64(row, 0) ?? 0).description)
        } write: { writer, row in
            PollingJobs.write(rows, row, to: &writer)
        }
    }

    // MARK: Declarations

    private static let create = Operation(
        .post,
        "/prices/poll",
        needs: .pricesPoll,
        RouteDocumentation(
            "Have prices fetched again and again",
            details: """
                The job runs until it is deleted, whatever is restarted meanwhile. Its runs are whole intervals apart; \
                where in its interval a job runs is its own, so that jobs that are made together do not run together.
                """,
            in: .prices,
            body: .json(
                "NewPollingJob",
                [
                    NewPollingJob.symbols.documentation, NewPollingJob.interval.documentation,
                    NewPollingJob.provider.documentation,
                ],
                examples: [["symbols": ["AAPL", "MSFT"], "interval": 60]]
            ),
            answers: [
                .json(
                    .accepted,
                    "The job is stored, and runs.",
                    fields: [AnswerField("Location", "Where the job is.", example: "/prices/poll/poll_1")],
                    Schema.object([
                        "job_id": .string(), "status": .word(["accepted"]), "config": configurationSchema,
                    ])
                    .named("AcceptedPollingJob"),
                    example: [
                        "job_id": .string(PollingJobID.example), "status": "accepted",
                        "config": ["symbols": ["AAPL", "MSFT"], "interval": 60],
                    ]
                )
            ],
            errors: [NewPollingJob.unknownProvider("xx"), tooMany] + APIError.ofDatabase
        ),
        faulty: [#"{"symbols":["A","A"],"interval":0,"every":1}"#, #"{"symbols":["AAPL"]}"#].map { body in
            RequestContent(target: "/prices/poll", fields: ["Content-Type: application/json"], body: body)
        }
    ) { request throws(APIError) in try NewPollingJob(request) }

    private static let list = Operation(
        .get,
        "/prices/poll",
        needs: .pricesPoll,
        RouteDocumentation(
            "All jobs, oldest first",
            in: .prices,
            parameters: [Field.pageLimit.documentation, PollingJobPage.after.documentation],
            answers: [
                .page(of: schema, next: .string(PollingJobID.example), "PollingJobs", example: example)
            ],
            errors: APIError.ofDatabase
        ),
        faulty: [RequestContent(target: "/prices/poll?limit=0&after=1")]
    ) { request throws(APIError) in try PollingJobPage(request) }

    private static let one = Operation(
        .get,
        "/prices/poll/{id}",
        needs: .pricesPoll,
        RouteDocumentation(
            "One job, and what came of it so far",
            in: .prices,
            parameters: [PollingJobQuestion.id.documentation],
            answers: [.json(.ok, "The job.", schema, example: example)],
            errors: [unknownJob] + APIError.ofDatabase
        )
    ) { request throws(APIError) in try PollingJobQuestion(request) }

    private static let change = Operation(
        .patch,
        "/prices/poll/{id}",
        needs: .pricesPoll,
        RouteDocumentation(
            "Pause a job, let it go on, or change its interval",
            details: "What would have been due while it was paused is not made up for, and not counted as missed.",
            in: .prices,
            parameters: [PollingJobQuestion.id.documentation],
            body: .json(
                "PollingJobChange",
                [PollingJobChange.paused.documentation, PollingJobChange.interval.documentation],
                examples: [["paused": true], ["interval": 30]]
            ),
            answers: [.json(.ok, "The job as it is now.", schema, example: example)],
            errors: [unknownJob] + APIError.ofDatabase
        ),
        faulty: ["{}", #"{"paused":1,"interval":"30"}"#].map { body in
            RequestContent(
                target: "/prices/poll/poll_1",
                fields: ["Content-Type: application/json"],
                parameters: ["id": PollingJobID.example],
                body: body
            )
        }
    ) { request throws(APIError) in try PollingJobChange(request) }

    private static let delete = Operation(
        .delete,
        "/prices/poll/{id}",
        needs: .pricesPoll,
        RouteDocumentation(
            "End a job",
            details: "A run that is under way is finished.",
            in: .prices,
            parameters: [PollingJobQuestion.id.documentation],
            answers: [.empty(.noContent, "It is gone.")],
            errors: [unknownJob] + APIError.ofDatabase
        )
    ) { request throws(APIError) in try PollingJobQuestion(request) }

    private static let configurationSchema = Schema.object([
        "symbols": .array(of: .string(), count: 1...100), "interval": .integer(in: 1...86_400),
    ])

    private static let schema = Schema.object([
        "job_id": .string(), "status": .word(["active", "paused"]), "config": configurationSchema,
        "provider": .anything.described("Who is asked; null for whoever the configuration says."),
        "next_run_at": .anything.described("When it is due next; null while it is paused."),
        "last_run_at": .anything.described("When the last run began; null before the first."),
        "runs": .integer(in: 0...Int.max).described("Runs that have ended."),
        "failures": .integer(in: 0...Int.max)
            .described("Symbols that had no price in a run, over all runs, and runs whose worker was lost."),
        "missed": .integer(in: 0...Int.max).described("Due moments at which no worker looked."),
        "skipped": .integer(in: 0...Int.max)
            .described("Due moments at which the run before was still under way."),
        "last_error": .anything.described("What was wrong in the last run that had a failure; null if none had."),
    ])
    .named("PollingJob")

    private static let example: JSONValue = [
        "job_id": .string(PollingJobID.example), "status": "active",
        "config": ["symbols": ["AAPL", "MSFT"], "interval": 60], "provider": .null,
        "next_run_at": "2024-03-20T10:31:00Z", "last_run_at": "2024-03-20T10:30:00.012Z", "runs": 12, "failures": 1,
        "missed": 0, "skipped": 0, "last_error": "MSFT: the provider has no price now",
    ]

    private static let unknownJob = APIError(.notFound, "There is no polling job of this id.")
    private static let tooMany = APIError(
        .overloaded,
        "There are as many polling jobs as may be; delete one first.",
        retryAfterSeconds: 60
    )
}

extension Scope {
    static let pricesPoll = Scope("prices:poll", "Jobs that fetch prices")
}
