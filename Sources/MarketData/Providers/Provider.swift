internal import HTTPClient
internal import HTTPWire
internal import JSONWire
internal import Logging
internal import Prices
internal import Reactor
internal import Redis
internal import TLS

/// One provider, asked over HTTP: within its budget, not while it cools down, and never with its key in anything that
/// is kept or shown.
@ReactorActor
final class Provider: QuoteProvider {
    /// Connections to one provider, and so its calls at a time.
    private static let connectionsMax = 64
    /// Calls that wait for a connection.
    private static let waitersMax = 1024

    /// What it has answered, for metrics.
    struct Counters: Hashable, Sendable {
        var outcomes: [QuoteOutcome.Kind: Int] = [:]
        /// When the last price came, in UTC; nil for none yet.
        var lastPriceAt: Duration?
        /// How old that price was when it came.
        var lastPriceAge: Duration?
    }

    let name: String
    let client: HTTPClient
    let timeout: Duration
    private(set) var counters = Counters()
    /// Of each kind of failure: under load the same is said of every request.
    private var failures: [QuoteOutcome.Kind: Reminder] = [:]
    private let settings: ProviderSettings
    private let gate: ProviderGate
    private let pathPrefix: String
    private let authority: String
    private let logger: Logger
    /// Whether a price of the symbol by this provider is stored: then it cannot be unknown.
    private let hasPriced: @ReactorActor (Symbol, _ provider: String) async -> Bool

    init(
        _ name: String,
        _ settings: ProviderSettings,
        at url: HTTPBaseURL,
        tls: TLSClientContext?,
        policy: ProviderGate.Policy = ProviderGate.Policy(),
        redis: RedisClient,
        logger: Logger,
        hasPriced: @escaping @ReactorActor (Symbol, _ provider: String) async -> Bool
    ) {
        self.name = name
        self.settings = settings
        self.logger = logger
        self.hasPriced = hasPriced
        timeout = settings.timeout
        pathPrefix = url.path
        authority = url.authority
        var configuration = HTTPClientConfiguration()
        configuration.tls = tls
        configuration.connections = Self.connectionsMax
        configuration.waitingRequests = Self.waitersMax
        configuration.responseHeadTimeout = settings.timeout
        configuration.connectTimeout = min(settings.timeout, .seconds(1))
        configuration.connectWindow = configuration.connectTimeout
        configuration.responseLimits.bodyBytes = ProviderAnswer.bodyBytesMax
        client = HTTPClient(upstream: url.endpoint, configuration: configuration)
        client.onCircuitChange = { isOpen in
            logger.warning(
                isOpen ? "provider does not answer, circuit open" : "provider answers again",
                metadata: ["provider": "\(name)"]
            )
        }
        // What came of a probe is known when its time is up, and then some.
        let probeTime = settings.timeout + .seconds(1)
        gate = ProviderGate(name, settings.budget, probeTime: probeTime, policy: policy, redis: redis)
    }

    /// How budget and cool-down stand; nil while Redis is away.
    func look(timeout: Duration) async -> ProviderGate.State? { await gate.look(timeout: timeout) }

    func quote(_ symbol: Symbol, deadline: Instant) async -> QuoteOutcome {
        let outcome = await outcome(symbol, deadline: deadline)
        counters.outcomes[outcome.kind, default: 0] += 1
        switch outcome {
        case .price(let quote, raw: _):
            counters.lastPriceAt = Reactor.unixTime
            counters.lastPriceAge = max(.zero, Reactor.unixTime - quote.time.unixTime)
        case .unknownSymbol, .noData: break
        case .refused, .malformed, .unreachable:
            guard let unsaid = failures[outcome.kind, default: Reminder()].isDue(at: Reactor.now) else { break }
            logger.warning(
                "no price from a provider",
                metadata: [
                    "provider": "\(name)", "symbol": "\(symbol)", "reason": "\(outcome)", "unsaid": "\(unsaid)",
                ]
            )
        }
        return outcome
    }

    private func outcome(_ symbol: Symbol, deadline: Instant) async -> QuoteOutcome {
        let isProbe: Bool
        switch await gate.ask(for: symbol.text) {
        case .ask(let probe): isProbe = probe
        case .wait(let duration): return .refused(retryAfter: duration)
        case .unknownSymbol: return .unknownSymbol
        case .away: return .refused(retryAfter: .seconds(1))
        }
        let outcome = await ask(symbol, deadline: min(deadline, Reactor.now + timeout))
        switch outcome {
        case .refused(let retryAfter):
            let named = retryAfter > .zero ? retryAfter : nil
            return .refused(retryAfter: await gate.wasRefused(isProbe: isProbe, retryAfter: named))
        case .malformed, .unreachable:
            if isProbe { await gate.probeFailed() }
        case .unknownSymbol:
            if isProbe { await gate.probeSucceeded() }
            guard await !hasPriced(symbol, name) else {
                return .malformed(reason: "it does not know a symbol that it has priced before")
            }
            await gate.remember(unknown: symbol.text)
        case .price, .noData:
            if isProbe { await gate.probeSucceeded() }
        }
        return outcome
    }

    // MARK: HTTP

    /// A refusal has a time of zero here if the provider names none.
    private func ask(_ symbol: Symbol, deadline: Instant) async -> QuoteOutcome {
        let own = settings.symbols[symbol.text] ?? symbol.text
        let format = settings.kind.format
        let question = format.question(own, key: settings.key ?? "")
        var fields: HTTPFields = ["User-Agent": settings.userAgent, "Accept": "application/json"]
        for (name, value) in question.fields { fields.append(name, value) }
        let request = HTTPClientRequest(
            .get,
            target: pathPrefix + question.target,
            authority: authority,
            fields: fields
        )
        let response: HTTPClientResponse
        do { response = try await client.send(request, deadline: deadline) } catch { return QuoteOutcome(error) }
        let now = Timestamp(unixTime: Reactor.unixTime)
        let answer = ProviderAnswer(
            status: response.status,
            fields: response.fields,
            body: response.body,
            receivedAt: now
        )
        switch format.read(answer, symbol: own) {
        case .price(let price, let currency, let time):
            let quote = Quote(symbol: symbol, price: price, currency: currency, time: time, provider: name)
            return .price(quote, raw: withoutKey(String(decoding: response.body, as: UTF8.self)))
        case .unknownSymbol: return .unknownSymbol
        case .noData: return .noData
        case .refused(let retryAfter): return .refused(retryAfter: retryAfter ?? .zero)
        case .malformed(let reason): return .malformed(reason: reason)
        case .failed(let reason): return .unreachable(reason: reason, isTimeout: false)
        }
    }

    /// What a provider repeats of our key is not kept.
    private func withoutKey(_ text: String) -> String {
        guard let key = settings.key else { return text }
        return text.split(separator: key, omittingEmptySubsequences: false).joined(separator: "***")
    }
}

extension QuoteOutcome {
    fileprivate init(_ error: HTTPClientError) {
        switch error {
        case .responseTooLarge: self = .malformed(reason: "its answer is too large")
        case .malformedResponse: self = .malformed(reason: "its answer is not HTTP")
        case .timedOut: self = .unreachable(reason: error.description, isTimeout: true)
        case .unreachable(.timedOut): self = .unreachable(reason: error.description, isTimeout: true)
        case .unreachable, .connectionLost, .overloaded, .circuitOpen, .cancelled:
            self = .unreachable(reason: error.description, isTimeout: false)
        }
    }
}
