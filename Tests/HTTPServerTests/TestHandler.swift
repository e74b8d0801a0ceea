import HTTPBodies
import HTTPServer
import HTTPWire
import Reactor
import TestSupport

/// A handler made of a closure, which renders refusals as their sentence.
@ReactorActor
final class TestHandler: HTTPHandler {
    private let body: @ReactorActor (HTTPRequest, HTTPExchange) -> Void
    private(set) var refusals: [HTTPRefusal] = []
    /// The fields of the requests that were refused with a whole head.
    private(set) var refusedFields: [HTTPFields] = []
    /// The path that is answered also while no more requests are taken.
    var pathAnsweredAlways: String?

    init(_ body: @escaping @ReactorActor (HTTPRequest, HTTPExchange) -> Void) { self.body = body }

    func handle(_ request: HTTPRequest, _ exchange: HTTPExchange) { body(request, exchange) }

    func answersAtOnce(_ head: RequestHead) -> Bool { head.path == pathAnsweredAlways }

    func response(to refusal: HTTPRefusal, fields: HTTPFields?) -> HTTPResponse {
        refusals.append(refusal)
        if let fields { refusedFields.append(fields) }
        return .text("refused", status: refusal.status)
    }
}

extension HTTPResponse {
    /// A response with a line of text.
    static func text(_ text: String, status: HTTPStatus = .ok) -> HTTPResponse {
        HTTPResponse(status, fields: ["Content-Type": "text/plain"], body: .bytes(Array(text.utf8)))
    }
}

extension HTTPServerConfiguration {
    /// Sets every timeout of a client, so that none of them hides what a test is about.
    mutating func setTimeouts(_ timeout: Duration) {
        headTimeout = timeout
        bodyTimeout = timeout
        keepAliveTimeout = timeout
        answerTimeout = timeout
        writeTimeout = timeout
    }
}

/// A server on a port of its own, which is closed when the test is done with it.
@ReactorActor
final class TestServer {
    let server: HTTPServer
    let handler: TestHandler
    let endpoint: Endpoint

    init(
        on endpoint: Endpoint = .tcp(host: "127.0.0.1", port: 0),
        _ configure: (inout HTTPServerConfiguration) -> Void = { _ in },
        handling: @escaping @ReactorActor (HTTPRequest, HTTPExchange) -> Void
    ) async throws {
        var configuration = HTTPServerConfiguration()
        configure(&configuration)
        handler = TestHandler(handling)
        server = HTTPServer(configuration: configuration, handler: handler)
        self.endpoint = try await server.listen(on: endpoint)
    }

    func connect() async throws -> TestSocket { try await TestSocket(to: endpoint) }
}

/// Runs `body` against a server that answers with `handling`; the server is closed afterwards.
@ReactorActor
func withServer(
    on endpoint: Endpoint = .tcp(host: "127.0.0.1", port: 0),
    _ configure: (inout HTTPServerConfiguration) -> Void = { _ in },
    handling: @escaping @ReactorActor (HTTPRequest, HTTPExchange) -> Void = echo,
    _ body: @ReactorActor (TestServer) async throws -> Void
) async throws {
    let server = try await TestServer(on: endpoint, configure, handling: handling)
    defer { server.server.close() }
    try await body(server)
}

/// Answers with the method, the target and the body of the request.
@ReactorActor
func echo(_ request: HTTPRequest, _ exchange: HTTPExchange) {
    request.body.collect(limitBytes: 1024 * 1024) { outcome in
        switch outcome {
        case .success(let body):
            let line = "\(request.head.method) \(request.head.target) "
            exchange.respond(.text(line + String(decoding: body, as: UTF8.self)))
        case .failure: exchange.respond(.text("body", status: .contentTooLarge))
        }
    }
}
