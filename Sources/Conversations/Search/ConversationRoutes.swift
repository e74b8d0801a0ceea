internal import HTTPServer
internal import HTTPWire
internal import JSONWire
internal import Logging
internal import Metrics
internal import Postgres
internal import Reactor
internal import Redis
internal import Service
internal import SharedCache
internal import WebAPI

/// The routes of conversations, on each role that serves them.
///
/// The internal API keeps answers in Redis under the version of the set, which it asks the database for with each
/// request: an import is in the next answer. The gateway gives an answer of a search again for
/// ``repetition``; `tickloop import conversations` ends that long after the commit, so that nobody gets an
/// answer of the old set once it has ended.
@ReactorActor
final class ConversationRoutes {
    /// How long a gateway gives an answer again without asking for it.
    nonisolated static let repetition = Duration.milliseconds(250)

    /// Size of all answers that a gateway keeps.
    nonisolated private static let repeatedBytesMax = 16 * 1024 * 1024

    private let searches: PostgresPool
    private let cache: SharedCache
    private let version: ConversationVersion
    private let searchTimes = Histogram(
        "tickloop_conversations_query_duration_seconds",
        "Time from a question about conversations to the database's answer, waiting for a connection included."
    )
    private let logger: Logger
    private var outage = Reminder()

    /// - Parameters:
    ///   - database: Connections on which nothing takes long.
    ///   - searches: Connections for all else.
    ///   - redis: Where answers are kept.
    init(
        _ settings: ConversationSettings,
        database: PostgresPool,
        searches: PostgresPool,
        redis: RedisClient,
        logger: Logger
    ) {
        self.searches = searches
        var configuration = SharedCache.Configuration(name: "conversations")
        configuration.lifetime = settings.cacheLifetime
        configuration.bytesMax = settings.cacheMiBMax << 20
        cache = SharedCache(redis, configuration)
        version = ConversationVersion(database)
        self.logger = logger
    }

    /// What a gateway gives answers of searches again from.
    static func cache() -> RelayCache {
        RelayCache(
            timeToLive: repetition,
            byteLimit: repeatedBytesMax,
            versionField: ConversationOperations.versionField.name
        )
    }

    /// Of the routes of either role.
    nonisolated static let names = [
        ConversationOperations.search.name, ConversationOperations.one.name, ConversationOperations.companies.name,
        ConversationOperations.tags.name,
    ]

    /// The gateway's: checked, then relayed.
    static func relayed(by api: Relay, cache: RelayCache?) -> [Route] {
        [
            ConversationOperations.search.relayed(by: api, cache: cache), ConversationOperations.one.relayed(by: api),
            ConversationOperations.companies.relayed(by: api), ConversationOperations.tags.relayed(by: api),
        ]
        .map(\.tagged)
    }

    /// The internal API's: checked, then answered.
    var routes: [Route] { [search, one, companies, tags].map(\.tagged) }

    // MARK: Routes

    private var search: Route {
        ConversationOperations.search.answered(adding: Self.additions) {
            [self] question, context async throws(APIError) in
            try await answer(question.key, context) { () async throws(APIError) in
                try await found(question, context)
            }
        }
    }

    private func found(
        _ question: ConversationQuestion,
        _ context: RequestContext
    ) async throws(APIError) -> Answer {
        let statement = ConversationStatements.search(
            company: question.company != nil,
            tags: !question.tags.isEmpty,
            text: question.text != nil
        )
        let row = try await ask(
            statement,
            Self.parameters(question.page) + [
                question.company.map { .text($0) } ?? .null,
                question.tags.isEmpty ? .null : .array(question.tags),
                question.text.map { .text($0) } ?? .null, question.rank.map { .text($0) } ?? .null,
            ],
            context
        )
        guard question.company == nil || row.bool(0, 5) == true else { throw .noRelation }
        guard row.bool(0, 6) == true else { throw .noTextIndex }
        var members: [(String, [UInt8])] = [("conversation_ids", row.bytes(0, 1))]
        if question.text != nil {
            members.append(("total_is_exact", Array((row.bool(0, 7) == true ? "false" : "true").utf8)))
            members.append(("results", row.bytes(0, 2)))
        }
        let body = Self.page(question.page, members, total: row.int64(0, 3) ?? 0, next: row.text(0, 4))
        return Answer(version: row.text(0, 0) ?? "", body: body)
    }

    private var one: Route {
        ConversationOperations.one.answered(adding: Self.additions) { [self] id, context async throws(APIError) in
            try await answer("one \(id.text)", context) { () async throws(APIError) in
                let row = try await ask(ConversationStatements.one, [.text(id.text)], context)
                guard !row.isEmpty else { throw .unknownConversation }
                return Answer(version: row.text(0, 0) ?? "", body: row.bytes(0, 1))
            }
        }
    }

    private var companies: Route {
        list(ConversationOperations.companies, "companies", ConversationStatements.companies)
    }
    private var tags: Route { list(ConversationOperations.tags, "tags", ConversationStatements.tags) }

    private func list(_ operation: Operation<PageQuestion>, _ name: String, _ statement: PostgresStatement) -> Route {
        operation.answered(adding: Self.additions) { [self] page, context async throws(APIError) in
            try await answer("\(name) \(page.key)", context) { () async throws(APIError) in
                let row = try await ask(statement, Self.parameters(page), context)
                let members = [("data", row.bytes(0, 1))]
                let body = Self.page(page, members, total: row.int64(0, 2) ?? 0, next: row.text(0, 3))
                return Answer(version: row.text(0, 0) ?? "", body: body)
            }
        }
    }

    // MARK: Answers

    /// A body, and the version of the set that it tells of.
    private struct Answer {
        let version: String
        let body: [UInt8]
    }

    /// Answers with what is kept of the set that is there now, or with what is made of it.
    ///
    /// - Parameter key: Names the question.
    private func answer(
        _ key: String,
        _ context: RequestContext,
        make: @ReactorActor () async throws(APIError) -> Answer
    ) async throws(APIError) -> HTTPResponse {
        guard cache.isEnabled else {
            let answer = try await make()
            return Self.response(answer, isHit: nil)
        }
        let current = try await asking(context) { () async throws(PostgresError) -> String in
            try await version.now(deadline: context.deadline)
        }
        let kept = try await cache.value(of: Self.key(current, key)) { () async throws(APIError) in
            // An import may have come meanwhile; the answer says of which set it is.
            let answer = try await make()
            return SharedCache.Entry(key: Self.key(answer.version, key), value: answer.body)
        }
        let answer = Answer(version: String(kept.key.prefix { $0 != " " }), body: kept.value)
        return Self.response(answer, isHit: kept.isHit)
    }

    private static func key(_ version: String, _ key: String) -> String { "\(version) \(key)" }

    private static func response(_ answer: Answer, isHit: Bool?) -> HTTPResponse {
        var response = HTTPResponse(json: answer.body)
        if let isHit { response.fields.append(ConversationOperations.cacheField.name, isHit ? "HIT" : "MISS") }
        response.fields.append(
            ConversationOperations.versionField.name,
            String(ConversationVersion.number(of: answer.version))
        )
        return response
    }

    private static func parameters(_ page: PageQuestion) -> [PostgresParameter] {
        let after = page.after.flatMap { $0.isEmpty ? nil : PostgresParameter.text($0) }
        return [.int64(Int64(page.size)), .int64(Int64(page.offset)), after ?? .null]
    }

    /// A page: what is on it, and where it is.
    private static func page(
        _ page: PageQuestion,
        _ members: [(name: String, json: [UInt8])],
        total: Int64,
        next: String?
    ) -> [UInt8] {
        var writer = JSONWriter(capacity: members.reduce(128) { $0 + $1.json.count })
        writer.object { writer in
            for member in members.prefix(1) {
                writer.key(member.name)
                writer.raw(member.json)
            }
            writer.member("total", Int(total))
            if page.after == nil { writer.member("page", page.number) }
            writer.member("per_page", page.size)
            if page.after != nil {
                writer.key("next")
                if let next { writer.string(next) } else { writer.null() }
            }
            for member in members.dropFirst() {
                writer.key(member.name)
                writer.raw(member.json)
            }
        }
        return writer.take()
    }

    // MARK: Database

    nonisolated private static let additions = RouteAdditions(errors: APIError.ofDatabase)

    private func ask(
        _ statement: PostgresStatement,
        _ parameters: [PostgresParameter],
        _ context: RequestContext
    ) async throws(APIError) -> PostgresResult {
        let askedAt = Reactor.now
        defer { searchTimes.observe(Reactor.now - askedAt) }
        return try await asking(context) { () async throws(PostgresError) -> PostgresResult in
            try await searches.query(statement, parameters, deadline: context.deadline)
        }
    }

    /// Asks the database; what it does not answer is said in the log, and 503, 504 or 500.
    private func asking<Value>(
        _ context: RequestContext,
        _ question: @ReactorActor () async throws(PostgresError) -> Value
    ) async throws(APIError) -> Value {
        do {
            return try await question()
        } catch {
            let answer = APIError(error)
            let isFault = answer.code == .internalError
            // While the database is away each request fails alike.
            if isFault || outage.isDue(at: Reactor.now) != nil {
                logger.log(
                    level: isFault ? .error : .warning,
                    "conversations_query_failed",
                    metadata: ["reason": "\(String(reflecting: error))", "request_id": "\(context.identity.requestID)"]
                )
            }
            throw answer
        }
    }
}

extension PostgresResult {
    fileprivate func bytes(_ row: Int, _ column: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        append(row, column, to: &bytes)
        return bytes
    }
}

// What a question is called in the cache: the same for the same question, however it was written.

extension ConversationQuestion {
    fileprivate var key: String {
        // Lengths, because what was asked for may hold anything.
        let words = [company ?? "", text ?? "", rank ?? ""] + tags.sorted()
        return "search \(page.key) " + words.map { "\($0.utf8.count):\($0)" }.joined()
    }
}

extension PageQuestion {
    fileprivate var key: String { after.map { "\(size) after \($0.utf8.count):\($0)" } ?? "\(size) \(number)" }
}

extension ConversationRoutes: Measured {
    func collect(into page: inout MetricsPage) {
        page.labelled("cache", cache.configuration.name) { page in
            page.add(.cacheLookups, cache.counters.hits, ["hit"])
            page.add(.cacheLookups, cache.counters.misses, ["miss"])
            page.add(.cacheLookups, cache.counters.merged, ["merged"])
            page.counter(
                "tickloop_cache_failures_total",
                "Times that Redis did not do as a cache in it wanted; the answer was made then.",
                cache.counters.failures
            )
        }
        page.add(searchTimes)
        page.gauge(
            "tickloop_conversations_set_version",
            "Which set of conversations this process has seen last.",
            ConversationVersion.number(of: version.latest)
        )
    }
}
