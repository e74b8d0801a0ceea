internal import HTTPServer
internal import HTTPWire
internal import JSONWire
internal import Metrics
public import Reactor
internal import WebAPI

/// One part that a service needs, by its role.
public struct ReadinessCheck: Sendable {
    /// The roles, which are what a client may read; never a host name.
    public enum Role: String, CaseIterable, Sendable {
        case database, broker, api
    }

    let role: Role
    let isReady: @ReactorActor (Instant) async -> Bool

    /// - Parameter isReady: Whether the part can be used now; asked for each `GET /ready`, with the time until which an
    ///   answer is of use.
    public init(_ role: Role, isReady: @escaping @ReactorActor (Instant) async -> Bool) {
        self.role = role
        self.isReady = isReady
    }
}

/// The routes that operators and orchestrators ask.
enum OperationalRoutes {
    /// Longest time for `/ready` to find out; a part that needs longer is not ready.
    private static let checkTimeout = Duration.seconds(1)

    static func routes(_ checks: [ReadinessCheck]) -> [Route] {
        let alive = JSONValue.alive.encoded
        return [
            Route(.get, "/health", needs: nil, health) { _ in HTTPResponse(json: alive) }.answeredAlways,
            Route(.get, "/ready", needs: nil, readiness) { context async throws(APIError) in
                try await ready(checks, deadline: min(context.deadline, Reactor.now + checkTimeout))
            },
        ]
    }

    static func metrics(_ metrics: MetricsRegistry) -> Route {
        Route(.get, "/metrics", measurements) { _ in
            let fields: HTTPFields = ["Content-Type": MetricsPage.contentType]
            return HTTPResponse(.ok, fields: fields, body: .bytes(await metrics.page().text))
        }
        .answeredAlways
    }

    private static let health = RouteDocumentation(
        "Whether the process is alive: answers while the event loop turns",
        in: .operations,
        answers: [.json(.ok, "It is.", .object(["status": .word(["ok"])]), example: .alive)]
    )

    private static let readiness = RouteDocumentation(
        "Whether the service can do its work now, or which part is missing",
        in: .operations,
        answers: [.json(.ok, "It can.", .object(["status": .word(["ready"])]), example: .ready)],
        errors: [notReady(missing: ReadinessCheck.Role.allCases.map(\.rawValue))]
    )

    private static let measurements = RouteDocumentation(
        "What the process counts and measures, for Prometheus",
        in: .operations,
        answers: [
            .other(["text/plain"], "Metrics in Prometheus' text format.", example: "process_threads 1\n")
        ]
    )

    private static func notReady(missing: [String]) -> APIError {
        APIError(.unavailable, "Not ready, missing: \(missing.joined(separator: ", ")).")
    }

    @ReactorActor
    private static func ready(
        _ checks: [ReadinessCheck],
        deadline: Instant
    ) async throws(APIError) -> HTTPResponse {
        var missing: [String] = []
        for check in checks where await !check.isReady(deadline) { missing.append(check.role.rawValue) }
        guard missing.isEmpty else { throw notReady(missing: missing) }
        return HTTPResponse(json: JSONValue.ready.encoded)
    }
}

extension JSONValue {
    fileprivate static let alive: JSONValue = ["status": "ok"]
    fileprivate static let ready: JSONValue = ["status": "ready"]
}
