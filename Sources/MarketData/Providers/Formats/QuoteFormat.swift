internal import HTTPWire
internal import JSONWire

/// How one kind of provider is asked, and how its answers are read. Pure: bytes and the time in, a verdict out.
protocol QuoteFormat: Sendable {
    /// What is asked for the price of a symbol.
    ///
    /// - Parameters:
    ///   - symbol: As the provider calls it.
    ///   - key: Empty for none.
    static func question(_ symbol: String, key: String) -> ProviderQuestion

    /// What an answer of status 200 with JSON in it says; other statuses too if ``reads(_:)`` says so.
    static func verdict(_ json: JSONValue, _ answer: ProviderAnswer, symbol: String) -> ProviderVerdict

    /// Whether the JSON of an answer with a status other than 200 is the provider's word on the symbol.
    static func reads(_ status: HTTPStatus) -> Bool
}

extension QuoteFormat {
    static func reads(_ status: HTTPStatus) -> Bool { false }
}

/// A GET: what comes after the authority of the provider's URL, and its own header fields.
struct ProviderQuestion: Equatable, Sendable {
    var target: String
    var fields: [String: String] = [:]
}

struct ProviderAnswer: Sendable {
    let status: HTTPStatus
    let fields: HTTPFields
    let body: [UInt8]
    /// When it came, in UTC.
    let receivedAt: Timestamp
}

/// What an answer says.
enum ProviderVerdict: Hashable, Sendable {
    case price(QuotePrice, currency: String?, time: Timestamp)
    case unknownSymbol
    case noData
    /// The provider names the time after which it may be asked again, or not.
    case refused(retryAfter: Duration?)
    case malformed(String)
    /// The provider itself failed.
    case failed(String)
}

/// The kinds of providers that there are formats for.
enum ProviderKind: String, CaseIterable, Sendable {
    /// Yahoo's chart, version 8.
    case yahoo
    /// Alpha Vantage's `GLOBAL_QUOTE`.
    case alphaVantage = "alpha_vantage"
    /// Finnhub's `quote`.
    case finnhub

    var format: any QuoteFormat.Type {
        switch self {
        case .yahoo: YahooChart.self
        case .alphaVantage: AlphaVantageQuote.self
        case .finnhub: FinnhubQuote.self
        }
    }
}

extension QuoteFormat {
    /// Reads an answer: first by its status and type, so that no text or page is ever read for a value.
    static func read(_ answer: ProviderAnswer, symbol: String) -> ProviderVerdict {
        switch answer.status.rawValue {
        case 429, 401, 403, 999:
            return .refused(retryAfter: answer.retryAfter)
        case 503 where answer.retryAfter != nil:
            return .refused(retryAfter: answer.retryAfter)
        case 500...:
            return .failed("it answered with status \(answer.status.code)")
        case 200: break
        default:
            guard reads(answer.status) else {
                return .malformed("it answered with status \(answer.status.code)")
            }
        }
        guard answer.isJSON else {
            return .malformed("it answered with status \(answer.status.code) and no JSON")
        }
        let json: JSONValue
        do {
            json = try JSONValue(parsing: answer.body, limits: JSONLimits(bytes: ProviderAnswer.bodyBytesMax))
        } catch {
            return .malformed("its JSON is broken: \(error.reason)")
        }
        let verdict = verdict(json, answer, symbol: symbol)
        if case .price(_, _, let time) = verdict, time.unixTime > answer.receivedAt.unixTime + aheadMax {
            return .malformed("its price is of a time to come")
        }
        return verdict
    }
}

/// How far a provider's clock may be ahead of ours. A price of a time to come would be the newest for as long.
private let aheadMax = Duration.seconds(86_400)

extension ProviderAnswer {
    /// The largest answer that is read; ten years of days are a third of it.
    static let bodyBytesMax = 1 << 20

    /// Whether it says that it is JSON.
    var isJSON: Bool {
        let values = fields.values("content-type")
        guard values.count == 1, let type = MediaType(values[0]) else { return false }
        return type.essence == "application/json" || type.essence.hasSuffix("+json")
    }

    /// When the provider may be asked again, if it says so: in seconds or as a date (RFC 9110 §10.2.3), or as the
    /// moment of `X-Ratelimit-Reset`.
    var retryAfter: Duration? {
        let now = Int(receivedAt.unixTime.components.seconds)
        if let text = fields["retry-after"], let seconds = Self.seconds(text) ?? HTTPDate.parse(text).map({ $0 - now })
        {
            return .seconds(min(max(0, seconds), 86_400))
        }
        guard let reset = fields["x-ratelimit-reset"].flatMap({ Int($0) }), (now + 1...now + 86_400).contains(reset)
        else { return nil }
        return .seconds(reset - now)
    }

    /// A number of seconds, however large.
    private static func seconds(_ text: String) -> Int? {
        let isNumber = !text.isEmpty && text.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        return isNumber ? Int(text) ?? .max : nil
    }
}

extension Timestamp {
    /// A moment as a provider writes it: whole seconds since 1970. Nil for zero, for what is before and for what a
    /// calendar of four digits does not hold, such as milliseconds.
    init?(providerSeconds value: JSONValue?) {
        guard let seconds = value?.integer, (1..<253_402_300_800).contains(seconds) else { return nil }
        self.init(unixTime: .seconds(seconds))
    }
}

extension JSONValue {
    /// Whether a member is absent or null.
    func lacks(_ name: String) -> Bool { self[name]?.isNull ?? true }
}
