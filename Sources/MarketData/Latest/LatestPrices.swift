internal import JSONWire
internal import Logging
internal import Postgres
internal import Prices
internal import Reactor
internal import Redis
internal import Tracing
internal import WebAPI

/// Answers what the latest price of a symbol is: from Redis, else from its provider, else what was stored last.
@ReactorActor
final class LatestPrices {
    /// Prices that are being fetched by this process at a time.
    private static let flightsMax = 4096
    /// What storing a price may take, after its provider has answered.
    private static let storeTime = Duration.seconds(5)

    /// Where an answer comes from, as `X-Cache` says it.
    enum Source: String, CaseIterable, Sendable {
        case hit = "HIT"
        case miss = "MISS"
        case stale = "STALE"
    }

    /// A price with its source.
    struct Answer: Sendable {
        let price: LatestPrice
        let source: Source
    }

    private struct FlightKey: Hashable {
        let symbol: Symbol
        let provider: String
    }

    private let providers: Providers
    private let flights: PriceFlights
    private let store: QuoteStore
    private let stored: StoredPrices
    private let settings: LatestPriceSettings
    private let logger: Logger
    /// Who waits for what this process fetches.
    private var waiting: [FlightKey: [Promise<FlightResult, Never>]] = [:]
    private(set) var answers: [Source: Int] = [:]
    private var failures = Reminder()

    init(
        _ settings: LatestPriceSettings,
        providers: Providers,
        redis: RedisClient,
        store: QuoteStore,
        database: PostgresPool,
        logger: Logger
    ) {
        self.settings = settings
        self.providers = providers
        self.store = store
        self.logger = logger
        flights = PriceFlights(redis)
        stored = StoredPrices(database)
    }

    /// Answers by one provider, or by those of the order, one after the other.
    ///
    /// - Parameter name: Of the provider; nil for the order.
    /// - Throws: 400 for a provider that there is not.
    func latest(
        _ symbol: Symbol,
        by name: String?,
        deadline: Instant,
        span: TraceSpan?
    ) async throws(APIError) -> Answer {
        let names = name.map { [$0] } ?? providers.order
        var results: [FlightResult] = []
        for name in names {
            guard let provider = providers.provider(named: name) else { throw .unsupportedProvider(name) }
            if let kept = try? await flights.kept(symbol, name) { return answered(kept, .hit) }
            let result = await fetch(symbol, provider, deadline: deadline, span: span)
            if case .price(let price) = result { return answered(price, .miss) }
            results.append(result)
            // What cannot be stored by one provider can be by none.
            if result == .notStored { break }
        }
        let failure = Failure(results)
        if failure.mayBeStale, let price = await lastStored(symbol, names, deadline: deadline) {
            return answered(price, .stale)
        }
        throw failure.error(symbol, names)
    }

    private func answered(_ price: LatestPrice, _ source: Source) -> Answer {
        answers[source, default: 0] += 1
        return Answer(price: price, source: source)
    }

    private func lastStored(_ symbol: Symbol, _ names: [String], deadline: Instant) async -> LatestPrice? {
        guard settings.staleMax > .zero,
            let stored = try? await stored.newest(of: symbol, by: names, deadline: deadline)
        else { return nil }
        return stored.age < settings.staleMax ? LatestPrice(stored, at: Reactor.now) : nil
    }

    // MARK: Fetching

    /// Waits for the one who fetches; that goes on when nobody waits any more.
    private func fetch(
        _ symbol: Symbol,
        _ provider: any QuoteProvider,
        deadline: Instant,
        span: TraceSpan?
    ) async -> FlightResult {
        let key = FlightKey(symbol: symbol, provider: provider.name)
        let promise = Promise<FlightResult, Never>()
        if waiting[key] != nil {
            waiting[key]?.append(promise)
        } else {
            guard waiting.count < Self.flightsMax else { return .failure(.refused(retryAfter: .seconds(1))) }
            waiting[key] = [promise]
            let limit = Reactor.now + providers.timeout(of: provider.name) + Self.storeTime
            Reactor.spawn { [self] in
                let child = span?.child("fetch price", .client)
                child?.set("tickloop.provider", .text(provider.name))
                child?.set("tickloop.symbol", .text(symbol.text))
                let result = await fly(symbol, provider, deadline: limit)
                if case .failure(let outcome) = result { child?.fail(outcome.kind.rawValue) }
                child?.end()
                for promise in waiting.removeValue(forKey: key) ?? [] { promise.succeed(result) }
            }
        }
        let timer = Timer { promise.succeed(.failure(.unreachable(reason: "no answer in time", isTimeout: true))) }
        timer.schedule(at: deadline)
        defer { timer.cancel() }
        return await promise.result.get()
    }

    /// Fetches a price, or waits for the process that does.
    private func fly(_ symbol: Symbol, _ provider: any QuoteProvider, deadline: Instant) async -> FlightResult {
        let lease = deadline - Reactor.now + .seconds(1)
        do {
            while Reactor.now < deadline {
                switch try await flights.start(symbol, provider.name, lease: lease) {
                case .kept(let price): return .price(price)
                case .follow(let token):
                    let result = try await flights.follow(symbol, provider.name, token: token, deadline: deadline)
                    if let result { return result }
                case .lead(let token):
                    let result = await ask(symbol, provider, deadline: deadline)
                    await flights.end(symbol, provider.name, token: token, result, lifetime: settings.lifetime)
                    return result
                }
            }
            return .failure(.unreachable(reason: "no answer in time", isTimeout: true))
        } catch {
            // Without Redis nobody knows what the budget is, or who else asks.
            return .failure(.refused(retryAfter: .seconds(1)))
        }
    }

    /// Asks the provider and stores what it says.
    private func ask(_ symbol: Symbol, _ provider: any QuoteProvider, deadline: Instant) async -> FlightResult {
        let askedAt = Reactor.now
        switch await provider.quote(symbol, deadline: deadline - Self.storeTime / 2) {
        case .price(let quote, let raw):
            do {
                _ = try await store.store(FetchedQuote(quote, raw: raw, askedAt: askedAt), deadline: deadline)
                return .price(LatestPrice(quote, askedAt: askedAt))
            } catch {
                if let unsaid = failures.isDue(at: Reactor.now) {
                    logger.warning(
                        "a price was not stored",
                        metadata: [
                            "symbol": "\(symbol)", "provider": "\(provider.name)", "reason": "\(error)",
                            "unsaid": "\(unsaid)",
                        ]
                    )
                }
                return .notStored
            }
        case let outcome: return .failure(outcome)
        }
    }
}

/// What is said where nobody has a price.
private enum Failure {
    case notStored
    case outcome(QuoteOutcome)

    init(_ results: [FlightResult]) {
        var outcomes: [QuoteOutcome] = []
        for result in results {
            switch result {
            case .notStored:
                self = .notStored
                return
            case .failure(let outcome): outcomes.append(outcome)
            case .price: break
            }
        }
        self = .outcome(FallbackProvider.worst(outcomes))
    }

    /// Whether a price that was stored before is better than this.
    var mayBeStale: Bool {
        switch self {
        case .notStored: true
        case .outcome(let outcome): outcome != .unknownSymbol
        }
    }

    func error(_ symbol: Symbol, _ names: [String]) -> APIError {
        let who = names.count == 1 ? "Provider '\(names[0])'" : "Each provider"
        switch self {
        case .notStored: return .unavailable
        case .outcome(.unknownSymbol): return APIError(.notFound, "\(who) does not know the symbol '\(symbol)'.")
        case .outcome(.noData): return APIError(.notFound, "\(who) has no price of '\(symbol)' now.")
        case .outcome(.refused(let retryAfter)):
            let seconds = min(max(1, retryAfter.wholeSeconds), 3600)
            return APIError(.unavailable, "\(who) may not be asked now; try again later.", retryAfterSeconds: seconds)
        case .outcome(.unreachable(_, isTimeout: true)):
            return APIError(.upstreamTimeout, "\(who) did not answer in time.")
        case .outcome: return APIError(.upstreamError, "\(who) did not answer properly.")
        }
    }
}

extension APIError {
    /// 400, for a provider that is not configured.
    static func unsupportedProvider(_ name: String) -> APIError {
        let message = "Provider '\(name)' not supported."
        return APIError(.invalidParameter, message, details: [Detail(field: "provider", message: message)])
    }
}
