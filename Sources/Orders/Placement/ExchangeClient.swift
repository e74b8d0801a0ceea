internal import HTTPClient
internal import HTTPWire
internal import JSONWire
internal import Outbox
internal import Reactor
internal import TLS

/// Asks the exchange over HTTP; each call is sent once.
///
/// What an answer means:
///
/// | answer | means |
/// |---|---|
/// | 200 or 201 that names the order | placed |
/// | 409 | the exchange has an order with this id |
/// | 400 or 422 with a message | refused for good |
/// | 401, 403, 404, 405, 429, 503 with a message | it certainly did nothing; another time it may |
/// | everything else, nothing, or what cannot be read | unknown |
///
/// Where no connection was made, or nothing was sent, it certainly did nothing.
@ReactorActor
final class ExchangeClient {
    /// Longest text of the exchange that is kept.
    private static let messageMax = 200
    /// Largest answer.
    private static let answerBytes = 64 * 1024

    private let base: HTTPBaseURL
    private let timeout: Duration
    private let client: HTTPClient

    init(_ base: HTTPBaseURL, tls: TLSClientContext?, timeout: Duration, connections: Int) {
        precondition(tls != nil || !base.isSecure, "whom to trust must be known")
        self.base = base
        self.timeout = timeout
        var configuration = HTTPClientConfiguration()
        configuration.tls = tls
        configuration.connections = connections
        configuration.idleConnections = connections
        configuration.waitingRequests = connections
        // The relay waits, and its breaker decides; an attempt that cannot be made fails at once.
        configuration.connectWindow = .milliseconds(1)
        configuration.responseHeadTimeout = timeout
        configuration.circuitBreaker.failures = .max
        configuration.circuitBreaker.longestOpening = configuration.circuitBreaker.firstOpening
        configuration.responseLimits.bodyBytes = Self.answerBytes
        client = HTTPClient(upstream: base.endpoint, configuration: configuration)
    }

    func close() { client.close() }

    /// Places an order.
    ///
    /// - Parameter deadline: When there is no right to send it any more.
    func place(_ id: String, order: [UInt8], deadline: Instant) async -> SendOutcome {
        let request = HTTPClientRequest(
            .post,
            target: "\(base.path)/exchange/orders",
            authority: base.authority,
            fields: ["Content-Type": "application/json", "Idempotency-Key": id],
            body: order,
            isIdempotent: false
        )
        switch await ask(request, deadline: min(deadline, Reactor.now + timeout)) {
        case .failure(let error):
            return error.mayHaveBeenProcessed ? .unknown("\(error)") : .failed("\(error)")
        case .success(let response): return Self.meaning(of: response, for: id)
        }
    }

    /// Asks whether the exchange has an order.
    func lookUp(_ id: String) async -> LookUpOutcome {
        let request = HTTPClientRequest(
            .get,
            target: "\(base.path)/exchange/orders/\(id)",
            authority: base.authority
        )
        switch await ask(request, deadline: Reactor.now + timeout) {
        case .failure(let error): return .failed("\(error)")
        case .success(let response):
            let answer = Self.object(response)
            if response.status == .ok, answer?["order_id"]?.string == id { return .found }
            if response.status == .notFound, answer != nil { return .absent }
            return .failed(Self.text(answer) ?? "answer \(response.status.rawValue) that cannot be read")
        }
    }

    private func ask(
        _ request: HTTPClientRequest,
        deadline: Instant
    ) async -> Result<HTTPClientResponse, HTTPClientError> {
        do throws(HTTPClientError) {
            return .success(try await client.send(request, deadline: deadline))
        } catch {
            return .failure(error)
        }
    }

    // MARK: Answers

    static func meaning(of response: HTTPClientResponse, for id: String) -> SendOutcome {
        let answer = object(response)
        let unreadable = SendOutcome.unknown("answer \(response.status.rawValue) that cannot be read")
        switch response.status {
        case .ok, .created: return answer?["order_id"]?.string == id ? .done : unreadable
        case .conflict: return .duplicate
        case .badRequest, .unprocessableContent: return text(answer).map { .refused($0) } ?? unreadable
        case .unauthorized, .forbidden, .notFound, .methodNotAllowed, .tooManyRequests, .serviceUnavailable:
            return text(answer).map { .failed($0) } ?? unreadable
        default: return .unknown(text(answer) ?? "answer \(response.status.rawValue)")
        }
    }

    private static func object(_ response: HTTPClientResponse) -> JSONValue? {
        let value = try? JSONValue(parsing: response.body, limits: JSONLimits(bytes: answerBytes))
        return value?.object == nil ? nil : value
    }

    /// The exchange's own words, as far as they can be stored.
    private static func text(_ answer: JSONValue?) -> String? {
        guard let message = answer?["message"]?.string else { return nil }
        return String(String.UnicodeScalarView(message.unicodeScalars.filter { $0.value >= 0x20 }.prefix(messageMax)))
    }
}
