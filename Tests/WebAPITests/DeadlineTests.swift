import HTTPServer
import HTTPWire
import Reactor
import TestSupport
import Testing

@testable import WebAPI

/// How long a request may take, by the service's limit and the caller's.
@Suite struct DeadlineTests {
    init() { Reactor.runInBackground() }

    /// The seconds that a request's handler has, as it sees them.
    @ReactorActor
    private func patience(_ fields: [String], takesDeadlineFromCaller: Bool = true) async throws -> Double {
        let documentation = RouteDocumentation("", in: .operations, answers: [.empty(.noContent, "")])
        var patience = Duration.zero
        let route = Route(.get, "/x", documentation) { context in
            patience = context.deadline - Reactor.now
            return HTTPResponse(.noContent)
        }
        let web = WebService(
            routes: [route],
            requestTimeout: .seconds(100),
            takesDeadlineFromCaller: takesDeadlineFromCaller
        )
        let server = HTTPServer(handler: web)
        defer { server.close() }
        let endpoint = try await server.listen(on: .tcp(host: "127.0.0.1", port: 0))
        #expect(try await request("GET", "/x", on: endpoint, fields: fields).status == 204)
        return patience / .seconds(1)
    }

    @Test(
        arguments: [
            ([], 100), (["X-Request-Timeout-Ms: 50000"], 50), (["X-Request-Timeout-Ms: 100000"], 100),
            (["X-Request-Timeout-Ms: 100001"], 100), (["X-Request-Timeout-Ms: 9223372036854775807"], 100),
            (["X-Request-Timeout-Ms: -1"], 100), (["X-Request-Timeout-Ms: 50000.5"], 100),
        ] as [([String], Double)]
    )
    @ReactorActor
    func `a caller can shorten the time of its request and not lengthen it`(fields: [String], limit: Double)
        async throws
    {
        let patience = try await patience(fields)
        // Less by what has passed since the request came; the next lower limit is far away.
        #expect(patience <= limit && patience > limit - 40)
    }

    @Test @ReactorActor func `the public cannot set it at all`() async throws {
        #expect(try await patience(["X-Request-Timeout-Ms: 1"], takesDeadlineFromCaller: false) > 60)
    }
}
