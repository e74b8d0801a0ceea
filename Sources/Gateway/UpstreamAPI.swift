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
    /// - Parameter done: Called once, later, with the response or with what the client is to be told without one.
    func get(
        _ context: RequestContext,
        path: String,
        then done: @escaping @ReactorActor (Result<HTTPClientResponse, APIError>) -> Void
    ) {
        client.send(request(context, path), deadline: context.deadline) { [logger] result in
            done(
                result.mapError { error in
                    logger.debug(
                        "internal API failed",
                        metadata: ["reason": "\(error)", "request_id": "\(context.identity.requestID)"]
                    )
                    return Self.answer(to: error)
                }
            )
        }
    }

    private func request(_ context: RequestContext, _ path: String) -> HTTPClientRequest {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(384)
        HeadWriter.appendRequest(.get, authority: authority, to: &bytes) { target in
            target.append(utf8: path)
            guard let query = context.head.queryBytes else { return }
            target.append(UInt8(ascii: "?"))
            target.append(contentsOf: query)
        } appendFields: { head in
            HeadWriter.appendField(WebService.requestIDField, to: &head) { context.identity.requestID.append(to: &$0) }
            HeadWriter.appendField(WebService.traceField, to: &head) { context.identity.trace.append(to: &$0) }
            if let state = context.identity.traceState {
                HeadWriter.appendField(WebService.traceStateField, to: &head) { $0.append(utf8: state) }
            }
            HeadWriter.appendField(WebService.timeoutField, to: &head) {
                $0.append(decimal: context.remainingMilliseconds)
            }
        }
        return HTTPClientRequest(.get, bytes: bytes)
    }

    /// What a client may be told when the internal API did not do as it was asked.
    static let errors: [APIError] = [.upstreamError, .overloaded, .unavailable, .upstreamTimeout]

    /// What of a response reaches the client: a success or a 4xx as it is, 503 as 503, any other 5xx as 502.
    static func relay(_ response: HTTPClientResponse) -> Result<HTTPResponse, APIError> {
        let status = response.status.rawValue
        guard let type = response.fields.valueBytes("content-type"), type.starts(with: "application/json".utf8) else {
            return .failure(.upstreamError)
        }
        guard (200..<300).contains(status) || (400..<500).contains(status) || status == 503 else {
            return .failure(status == 504 ? .upstreamTimeout : .upstreamError)
        }
        var relayed = HTTPResponse(json: response.body, status: response.status)
        if let seconds = response.fields["retry-after"] { relayed.fields.append("Retry-After", seconds) }
        return .success(relayed)
    }

    /// Whether the internal API says that it can work.
    func isReady(deadline: Instant) async -> Bool {
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
