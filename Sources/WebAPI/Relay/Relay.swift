internal import Basics
public import HTTPClient
internal import HTTPServer
internal import HTTPWire
public import Logging
public import Reactor
internal import Tracing

/// The next hop, as a role asks it for what its own clients ask.
///
/// The one place where what the next hop says, or fails to say, becomes what the client sees; see ``RelayFailure``.
@ReactorActor
public final class Relay {
    /// Most event streams that are relayed at a time; each is a connection.
    private static let streamsMax = 10_000

    /// Asks for what is answered in one piece.
    public let client: HTTPClient
    /// Asks for streams, which keep their connections for hours and have no end of their own.
    let streams: HTTPClient
    let authority: String
    private let host: FieldLine
    private let logger: Logger

    /// - Parameters:
    ///   - name: What the next hop is called in the log, and to it where its address has no name.
    public init(_ name: String, to upstream: Endpoint, _ configuration: HTTPClientConfiguration, logger: Logger) {
        client = HTTPClient(upstream: upstream, configuration: configuration)
        var streaming = configuration
        streaming.connections = Self.streamsMax
        streaming.idleConnections = 1
        streaming.responseLimits.bodyBytes = .max
        streams = HTTPClient(upstream: upstream, configuration: streaming)
        // RFC 9112 §3.2: a Host is always sent; a Unix-domain socket has none, so the role stands for it.
        authority = if case .tcp = upstream { upstream.description } else { name }
        host = .host(authority)
        self.logger = logger
        client.onCircuitChange = { isOpen in
            logger.warning(isOpen ? "\(name) does not answer, circuit open" : "\(name) answers again")
        }
    }

    /// What a client may be told when the next hop did not do as it was asked.
    nonisolated public static let errors: [APIError] = [.upstreamError, .overloaded, .unavailable, .upstreamTimeout]

    /// Whether the next hop says that it can work.
    public func isReady(deadline: Instant) async -> Bool {
        let request = HTTPClientRequest(.get, target: "/ready", authority: authority)
        guard let response = try? await client.send(request, deadline: deadline) else { return false }
        return response.status == .ok
    }

    /// Ends whatever is under way.
    public func close() {
        client.close()
        streams.close()
    }

    func log(_ failure: RelayFailure, _ context: RequestContext) {
        logger.debug(
            "next hop failed",
            metadata: ["reason": "\(failure)", "request_id": "\(context.identity.requestID)"]
        )
    }

    // MARK: Requests

    /// The request for the next hop: the client's, with what names it and the time that is left.
    func request(_ context: RequestContext, _ route: RelayedRoute) -> HTTPClientRequest {
        var bytes: [UInt8] = []
        let body = context.body
        bytes.reserveCapacity(384 + (body?.count ?? 0))
        HeadWriter.appendRequest(
            route.method,
            host: host,
            framing: body.map { .length($0.count) } ?? .none,
            to: &bytes
        ) { target in
            route.path.append(filledWith: context.parameters, to: &target)
            guard let query = context.head.queryBytes else { return }
            target.append(UInt8(ascii: "?"))
            target.append(contentsOf: query)
        } appendFields: { head in
            appendFields(context, route, to: &head)
        }
        if let body { bytes += body }
        return HTTPClientRequest(route.method, bytes: bytes, isIdempotent: route.isRepeatable(context.head))
    }

    private func appendFields(_ context: RequestContext, _ route: RelayedRoute, to head: inout [UInt8]) {
        HeadWriter.appendField(WebService.requestIDField, to: &head) { context.identity.requestID.append(to: &$0) }
        HeadWriter.appendField(WebService.traceField, to: &head) { context.identity.trace.append(to: &$0) }
        if let state = context.identity.traceState {
            HeadWriter.appendField(WebService.traceStateField, to: &head) { $0.append(utf8: state) }
        }
        HeadWriter.appendField(WebService.timeoutField, to: &head) {
            $0.append(decimal: UInt64(Self.milliseconds(toTell: timeLeft(context))))
        }
        // The next hop verifies for itself who asks.
        if context.caller != nil, let token = context.head.fields.valueBytes("authorization") {
            HeadWriter.appendField("Authorization", to: &head) { $0.append(contentsOf: token) }
        }
        for name in route.requestFields {
            guard let value = context.head.fields.valueBytes(name) else { continue }
            HeadWriter.appendField(name, to: &head) { $0.append(contentsOf: value) }
        }
    }

    private func timeLeft(_ context: RequestContext) -> Duration {
        min(context.deadline - Reactor.now, client.configuration.responseHeadTimeout)
    }

    /// A little less than is left, so that the next hop's own 504 still arrives: it says more than our silence, and is
    /// no sign of a next hop that does not answer.
    nonisolated static func milliseconds(toTell left: Duration) -> Int {
        let way = min(max(left / 20, .milliseconds(10)), .milliseconds(250))
        return max(0, (left - way).wholeMilliseconds)
    }
}

extension PathTemplate {
    /// Appends the path with its parameters as they came.
    func append(filledWith parameters: PathParameters, to target: inout [UInt8]) {
        guard !isExact else { return target.append(utf8: description) }
        for segment in segments {
            target.append(UInt8(ascii: "/"))
            switch segment {
            case .literal(let text): target.append(utf8: text)
            case .parameter(let name): target.append(utf8: parameters[name])
            }
        }
    }
}
