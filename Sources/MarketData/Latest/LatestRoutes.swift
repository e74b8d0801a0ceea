internal import HTTPServer
internal import HTTPWire
internal import JSONWire
internal import Logging
internal import Metrics
internal import Postgres
internal import Prices
internal import Reactor
internal import Redis
internal import WebAPI

/// `GET /prices/latest`, declared once for the roles that serve it.
@ReactorActor
final class LatestRoutes {
    let prices: LatestPrices

    /// - Parameters:
    ///   - redis: For what is kept, and for who fetches.
    ///   - store: Where fetched prices go.
    ///   - database: For prices that were stored before.
    init(
        _ settings: LatestPriceSettings,
        providers: Providers,
        redis: RedisClient,
        store: QuoteStore,
        database: PostgresPool,
        logger: Logger
    ) {
        prices = LatestPrices(
            settings,
            providers: providers,
            redis: redis,
            store: store,
            database: database,
            logger: logger
        )
    }

    nonisolated private static let operation = Operation(
        .get,
        "/prices/latest",
        needs: .pricesRead,
        LatestQuestion.documentation,
        faulty: LatestQuestion.faulty
    ) { request throws(APIError) in try LatestQuestion(request) }

    /// Of the route of either role.
    nonisolated static var name: String { operation.name }

    /// Size of all answers that a gateway repeats.
    nonisolated private static let repeatedBytesMax = 16 * 1024 * 1024

    /// What a gateway repeats answers from.
    static func cache(_ settings: LatestRepetitionSettings) -> RelayCache {
        RelayCache(timeToLive: settings.repetition, byteLimit: repeatedBytesMax, tellsAge: true)
    }

    /// The gateway's route: checks, then asks the internal API.
    static func relayed(by api: Relay, cache: RelayCache) -> Route { operation.relayed(by: api, cache: cache) }

    /// The internal API's route.
    var route: Route {
        Self.operation.answered { [prices] question, context async throws(APIError) in
            guard question.isList else {
                let answer = try await prices.latest(
                    question.symbols[0],
                    by: question.provider,
                    deadline: context.deadline,
                    span: context.span
                )
                return Self.response(answer.price.body, [answer])
            }
            return try await Self.list(question, context, prices)
        }
    }

    private static func list(
        _ question: LatestQuestion,
        _ context: RequestContext,
        _ prices: LatestPrices
    ) async throws(APIError) -> HTTPResponse {
        var outcomes: [Promise<LatestPrices.Answer, APIError>] = []
        for symbol in question.symbols {
            let outcome = Promise<LatestPrices.Answer, APIError>()
            outcomes.append(outcome)
            Reactor.spawn {
                do throws(APIError) {
                    let answer = try await prices.latest(
                        symbol,
                        by: question.provider,
                        deadline: context.deadline,
                        span: context.span
                    )
                    outcome.succeed(answer)
                } catch {
                    outcome.fail(error)
                }
            }
        }
        var found: [LatestPrices.Answer] = []
        var missing: [(symbol: Symbol, error: APIError)] = []
        for (symbol, outcome) in zip(question.symbols, outcomes) {
            do throws(APIError) {
                found.append(try await outcome.value)
            } catch {
                // The request is at fault, and not one of its symbols.
                if error.code == .invalidParameter { throw error }
                missing.append((symbol, error))
            }
        }
        var writer = JSONWriter(capacity: 128 * question.symbols.count)
        writer.object { writer in
            writer.key("data")
            writer.array { writer in for answer in found { writer.raw(answer.price.body) } }
            writer.key("missing")
            writer.array { writer in
                for (symbol, error) in missing {
                    writer.object { writer in
                        writer.member("symbol", symbol.text)
                        writer.member("code", error.code.rawValue)
                        writer.member("message", error.message)
                    }
                }
            }
        }
        return response(writer.take(), found)
    }

    private static func response(_ body: [UInt8], _ answers: [LatestPrices.Answer]) -> HTTPResponse {
        var response = HTTPResponse(json: body)
        let sources = answers.map(\.source)
        // The worst of several is what the answer as a whole is.
        if let source = [.stale, .miss, .hit].first(where: { sources.contains($0) }) {
            response.fields.append(LatestQuestion.cacheField.name, source.rawValue)
            let age = answers.map { $0.price.age(at: Reactor.now) }.max() ?? .zero
            response.fields.append(LatestQuestion.ageField.name, String(age.components.seconds))
        }
        return response
    }
}

extension LatestRoutes: Measured {
    func collect(into page: inout MetricsPage) {
        page.labelled("cache", "latest") { page in
            for source in LatestPrices.Source.allCases {
                page.add(.cacheLookups, prices.answers[source] ?? 0, [source.rawValue.lowercased()])
            }
        }
    }
}
