internal import HTTPServer
internal import HTTPWire
internal import JSONWire
internal import Reactor
internal import Redis
internal import RedisStreams
public import WebAPI

/// What operators look at: the console, what it shows, and what others have done.
public enum ConsoleRoutes {
    /// The routes of the admin listener.
    @ReactorActor
    public static func answered(by feed: ConsoleFeed, audit: AuditLog) -> [Route] {
        [
            snapshot.answered { _, _ async throws(APIError) in HTTPResponse(json: await feed.snapshot()) },
            stream.answeredDirectly { _, context throws(APIError) in try feed.open(context) },
            log.answered { page, _ async throws(APIError) in
                let entries = try await brokered { () async throws(RedisError) in
                    try await audit.entries(limit: page.limit + 1, before: page.before)
                }
                return .page(entries, limit: page.limit) { writer, entry in
                    writer.string(entry.id.description)
                } write: { writer, entry in
                    entry.write(to: &writer)
                }
            },
        ] + ConsolePage.routes
    }

    private struct Page: Sendable {
        let limit: Int
        let before: StreamPosition?
    }

    private static let snapshot = Operation(
        .get,
        "/admin/snapshot",
        RouteDocumentation(
            "What the console shows, now",
            in: .administration,
            answers: [.json(.ok, "Each part with its `data`, or with its `error`.", .anything, example: nil)]
        )
    ) { request throws(APIError) in
        var fields = try Fields(request)
        try fields.finish()
    }

    private static let stream = Operation(
        .get,
        "/admin/stream",
        RouteDocumentation(
            "The same each second, as server-sent events",
            in: .administration,
            answers: [
                .events(
                    "Events of the type `snapshot`, each of them whole.",
                    example: ServerSentEvent("snapshot", id: "1", data: "{}".utf8)
                )
            ],
            errors: [.overloaded]
        )
    ) { request throws(APIError) in
        var fields = try Fields(request)
        try fields.finish()
    }

    private static let before = Field.query(
        "after",
        FieldRule<StreamPosition>.auditEntry,
        "`next` of the page before.",
        example: "1764331200000-0"
    )

    private static let log = Operation(
        .get,
        "/admin/audit",
        RouteDocumentation(
            "What operators did, newest first",
            in: .administration,
            parameters: [Field.pageLimit.documentation, before.documentation],
            answers: [.json(.ok, "A page.", .anything, example: nil)],
            errors: APIError.ofBroker
        )
    ) { request throws(APIError) in
        var fields = try Fields(request)
        let limit = fields.readPageLimit()
        let before = fields.read(Self.before)
        try fields.finish()
        return Page(limit: limit, before: before)
    }
}

extension FieldRule<StreamPosition> {
    fileprivate static let auditEntry = FieldRule("must be the id of an entry", schema: .string()) {
        StreamPosition($0)
    }
}
