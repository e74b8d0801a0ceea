internal import HTTPBodies
internal import HTTPServer
internal import HTTPWire
internal import JSONWire
public import Reactor

/// An OpenTelemetry collector for tests: takes spans as OTLP JSON, and misbehaves when asked to.
@ReactorActor
public final class TestCollector {
    /// What it answers.
    public enum Behavior: Sendable {
        /// 200, and keeps the spans.
        case accept
        /// 200, keeps all but so many, and says so.
        case reject(Int)
        /// This status, and keeps nothing.
        case refuse(status: UInt16, fields: [String])
        /// Nothing, ever.
        case hang
    }

    /// A span as it arrived.
    public struct Span: Sendable {
        /// The process: `service.name`.
        public let service: String
        /// The process: `service.instance.id`.
        public let instance: String
        /// 32 digits.
        public let traceID: String
        /// 16 digits.
        public let spanID: String
        /// Nil at a root.
        public let parentID: String?
        /// What it is called.
        public let name: String
        /// Its number in OTLP.
        public let kind: Int
        /// Nanoseconds since 1970.
        public let start: UInt64
        /// Nanoseconds since 1970.
        public let end: UInt64
        /// Values as text, whatever their type.
        public let attributes: [String: String]
        /// `traceId-spanId` of each.
        public let links: [String]
        /// Whether its status is an error.
        public let isFailed: Bool
        /// What was carried along.
        public let traceState: String?
    }

    /// What the next requests are answered.
    public var behavior = Behavior.accept
    /// Everything it kept.
    public private(set) var spans: [Span] = []
    /// Requests so far.
    public private(set) var requestCount = 0
    /// What was wrong with them.
    public private(set) var faults: [String] = []
    /// Where it listens.
    public private(set) var endpoint: Endpoint
    private var server: HTTPServer?

    /// Starts one.
    public init(on endpoint: Endpoint = .tcp(host: "127.0.0.1", port: 0)) async throws {
        self.endpoint = endpoint
        try await start()
    }

    /// Its base URL.
    public var url: String { "http://\(endpoint)" }

    /// Listens again after ``stop()``, at the same address.
    public func start() async throws {
        var configuration = HTTPServerConfiguration()
        configuration.limits.bodyBytes = 16 * 1024 * 1024
        let server = HTTPServer(configuration: configuration, handler: Handler(self))
        endpoint = try await server.listen(on: endpoint)
        self.server = server
    }

    /// Closes everything, as a killed process would.
    public func stop() {
        server?.close()
        server = nil
    }

    fileprivate func answer(_ request: HTTPRequest, _ body: [UInt8]) -> HTTPResponse? {
        requestCount += 1
        if request.head.method != .post || request.head.path != "/v1/traces" { faults.append("asked for \(request)") }
        if request.head.fields["content-type"] != "application/json" { faults.append("not sent as JSON") }
        switch behavior {
        case .accept: take(body, leavingOut: 0)
        case .reject(let count): take(body, leavingOut: count)
        case .refuse(let status, let lines):
            var response = HTTPResponse(HTTPStatus(rawValue: status))
            for line in lines {
                let parts = line.split(separator: ":", maxSplits: 1)
                response.fields.append(String(parts[0]), String(parts[1].drop { $0 == " " }))
            }
            return response
        case .hang: return nil
        }
        var text = "{}"
        if case .reject(let count) = behavior {
            text = #"{"partialSuccess":{"rejectedSpans":"\#(count)","errorMessage":"too old"}}"#
        }
        return HTTPResponse(.ok, fields: ["Content-Type": "application/json"], body: .bytes(Array(text.utf8)))
    }

    private func take(_ body: [UInt8], leavingOut count: Int) {
        guard let document = try? JSONValue(parsing: body, limits: JSONLimits(bytes: 16 * 1024 * 1024)) else {
            return faults.append("not JSON")
        }
        for resource in document["resourceSpans"]?.array ?? [] {
            let origin = Self.attributes(resource["resource"])
            for scope in resource["scopeSpans"]?.array ?? [] {
                for span in (scope["spans"]?.array ?? []).dropFirst(count) { take(span, from: origin) }
            }
        }
    }

    private func take(_ span: JSONValue, from origin: [String: String]) {
        guard let traceID = span["traceId"]?.string, traceID.utf8.count == 32, let spanID = span["spanId"]?.string,
            spanID.utf8.count == 16, let name = span["name"]?.string, let kind = span["kind"]?.integer,
            let start = span["startTimeUnixNano"]?.string.flatMap({ UInt64($0) }),
            let end = span["endTimeUnixNano"]?.string.flatMap({ UInt64($0) }), start <= end
        else { return faults.append("not a span: \(span)") }
        spans.append(
            Span(
                service: origin["service.name"] ?? "",
                instance: origin["service.instance.id"] ?? "",
                traceID: traceID,
                spanID: spanID,
                parentID: span["parentSpanId"]?.string,
                name: name,
                kind: kind,
                start: start,
                end: end,
                attributes: Self.attributes(span),
                links: (span["links"]?.array ?? []).map {
                    "\($0["traceId"]?.string ?? "")-\($0["spanId"]?.string ?? "")"
                },
                isFailed: span["status"]?["code"]?.integer == 2,
                traceState: span["traceState"]?.string
            )
        )
    }

    private static func attributes(_ owner: JSONValue?) -> [String: String] {
        var found: [String: String] = [:]
        for attribute in owner?["attributes"]?.array ?? [] {
            guard let key = attribute["key"]?.string, let value = attribute["value"] else { continue }
            found[key] =
                value["stringValue"]?.string ?? value["intValue"]?.string
                ?? value["doubleValue"]?.numberText ?? value["boolValue"]?.bool.map { "\($0)" }
        }
        return found
    }
}

/// Reads whole requests for a collector.
private final class Handler: HTTPHandler {
    private weak var collector: TestCollector?

    init(_ collector: TestCollector) { self.collector = collector }

    func handle(_ request: HTTPRequest, _ exchange: HTTPExchange) {
        request.body.collect(limitBytes: 16 * 1024 * 1024) { [weak collector] result in
            guard case .success(let body) = result, let response = collector?.answer(request, body) else { return }
            exchange.respond(response)
        }
    }

    func response(to refusal: HTTPRefusal, fields _: HTTPFields?) -> HTTPResponse { HTTPResponse(refusal.status) }
}
