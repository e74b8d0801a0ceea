internal import HTTPClient
internal import HTTPServer
internal import HTTPWire
internal import Logging
internal import Reactor
internal import Tracing
internal import WebAPI

/// The internal API, as the gateway asks it.
///
/// The one place where what the next hop says or fails to say becomes what the client sees.
@ReactorActor
final class UpstreamAPI {
    let client: HTTPClient
    private let authority: String
    private let logger: Logger

    init(_ upstream: Endpoint, _ configuration: HTTPClientConfiguration, logger: Logger) {
        client = HTTPClient(upstream: upstream, configuration: configuration)
        // RFC 9112 §3.2: a Host is always sent; a Unix-domain socket has none, so the role stands for it.
        authority = if case .tcp = upstream { upstream.description } else { "api" }
        self.logger = logger
        client.onCircuitChange = { isOpen in
            logger.warning(isOpen ? "internal API does not answer, circuit open" : "internal API answers again")
        }
    }

    /// Asks for what the client asked for, on the same path and with the same query.
    ///
    /// - Throws: What the client is to be told when there is no answer that could be passed on.
    func get(_ context: RequestContext, path: String) async throws(APIError) -> HTTPClientResponse {
        let target = if let query = context.head.query { "\(path)?\(query)" } else { path }
        var fields = HTTPFields()
        fields.append(WebService.requestIDField, context.identity.requestID)
        fields.append(WebService.traceField, context.identity.trace.description)
        if let state = context.identity.traceState { fields.append(WebService.traceStateField, state) }
        fields.append(WebService.timeoutField, String(context.remainingMilliseconds))
        let request = HTTPClientRequest(.get, target: target, authority: authority, fields: fields)
        do {
            return try await client.send(request, deadline: context.deadline)
        } catch {
            logger.debug(
                "internal API failed",
                metadata: ["reason": "\(error)", "request_id": "\(context.identity.requestID)"]
            )
            throw Self.answer(to: error)
        }
    }

    /// What a client may be told when the internal API did not do as it was asked.
    static let errors: [APIError] = [.upstreamError, .overloaded, .unavailable, .upstreamTimeout]

    /// What of a response reaches the client: a success or a 4xx as it is, 503 as 503, any other 5xx as 502.
    static func relay(_ response: HTTPClientResponse) throws(APIError) -> HTTPResponse {
        let status = response.status.rawValue
        guard response.fields["content-type"]?.hasPrefix("application/json") == true else { throw .upstreamError }
        guard (200..<300).contains(status) || (400..<500).contains(status) || status == 503 else {
            throw status == 504 ? .upstreamTimeout : .upstreamError
        }
        var relayed = HTTPResponse(json: response.body, status: response.status)
        if let seconds = response.fields["retry-after"] { relayed.fields.append("Retry-After", seconds) }
        return relayed
    }

    /// Whether the internal API says that it can work.
    func isReady(deadline: ContinuousClock.Instant) async -> Bool {
        let request = HTTPClientRequest(.get, target: "/ready", authority: authority)
        guard let response = try? await client.send(request, deadline: deadline) else { return false }
        return response.status == .ok
    }

    func close() { client.close() }

    private static func answer(to error: HTTPClientError) -> APIError {
        switch error {
        case .timedOut: .upstreamTimeout
        case .overloaded: .overloaded
        case .unreachable, .connectionLost, .malformedResponse, .responseTooLarge, .circuitOpen, .cancelled:
            .upstreamError
        }
    }
}
