import HTTPBodies
import HTTPClient
import HTTPServer
import HTTPWire
import Reactor
import Supervision
import TLS
import TestSupport

/// A secure server on a port of its own.
struct SecureServer {
    let server: HTTPServer
    let endpoint: Endpoint
}

/// - Parameter context: nil for a server that does not speak TLS.
@ReactorActor
func secureServer(
    _ context: TLSServerContext?,
    on address: String = "127.0.0.1:0",
    _ change: (inout HTTPServerConfiguration) -> Void = { _ in }
) async throws -> SecureServer {
    var configuration = HTTPServerConfiguration()
    configuration.limits.bodyBytes = 16 * 1024 * 1024
    change(&configuration)
    let server = HTTPServer(configuration: configuration, handler: Echo())
    server.tls = context
    let endpoint = try await server.listen(on: Endpoint(parsing: address), isSecure: context != nil)
    return SecureServer(server: server, endpoint: endpoint)
}

@ReactorActor
func secureClient(
    to endpoint: Endpoint,
    _ context: TLSClientContext,
    _ change: (inout HTTPClientConfiguration) -> Void = { _ in }
) -> HTTPClient {
    var configuration = HTTPClientConfiguration()
    configuration.connectTimeout = .seconds(30)
    configuration.connectWindow = .zero
    configuration.responseHeadTimeout = .seconds(30)
    configuration.responseLimits.bodyBytes = 16 * 1024 * 1024
    configuration.tls = context
    change(&configuration)
    return HTTPClient(upstream: endpoint, configuration: configuration)
}

/// A server and a client of it.
@ReactorActor
final class SecurePeers {
    let server: HTTPServer
    let client: HTTPClient
    let context: TLSClientContext
    let authority: String

    /// - Parameters:
    ///   - certificate: The server's; nil for one for `names`.
    ///   - authority: A file that the client trusts, the tests' own by default, or the system's.
    init(
        _ certificate: TestCertificates.Pair? = nil,
        names: String = "DNS:localhost",
        trusting authority: String? = "",
        listening address: String = "127.0.0.1:0",
        isSecure: Bool = true
    ) async throws {
        let certificates = try await TestCertificates.get()
        let shown: TestCertificates.Pair
        if let certificate { shown = certificate } else { shown = try await certificates.certificate(for: names) }
        let server = try await secureServer(
            isSecure ? TLSServerContext(identities: [shown.identity]) : nil,
            on: address
        )
        self.server = server.server
        self.authority = certificates.authority
        context = try TLSClientContext(authorities: authority == "" ? certificates.authority : authority)
        var endpoint = server.endpoint
        if case .tcp(_, let port) = endpoint, !names.contains("IP:") { endpoint = .tcp(host: "localhost", port: port) }
        client = secureClient(to: endpoint, context)
    }

    func close() {
        client.close()
        server.close()
    }

    func send(_ method: HTTPMethod, _ target: String, body: [UInt8]? = nil) async throws -> HTTPClientResponse {
        let request = HTTPClientRequest(method, target: target, authority: "localhost", body: body)
        return try await client.send(request, deadline: Reactor.now + .seconds(30))
    }

    func get(_ target: String) async throws -> String {
        String(decoding: try await send(.get, target).body, as: UTF8.self)
    }

    func failure() async -> HTTPClientError? {
        do throws(HTTPClientError) {
            let request = HTTPClientRequest(.get, target: "/", authority: "localhost")
            _ = try await client.send(request, deadline: Reactor.now + .seconds(30))
            return nil
        } catch {
            return error
        }
    }
}

extension TestCertificates.Pair {
    var identity: TLSIdentity { TLSIdentity(certificate: certificate, key: key) }
}

/// Answers a body with itself, and a request without one with its line.
private final class Echo: HTTPHandler {
    func handle(_ request: HTTPRequest, _ exchange: HTTPExchange) {
        request.body.collect(limitBytes: 16 * 1024 * 1024) { outcome in
            guard case .success(let body) = outcome else { return }
            let line = Array("\(request.head.method) \(request.head.target)".utf8)
            exchange.respond(HTTPResponse(.ok, body: .bytes(body.isEmpty ? line : body)))
        }
    }

    func response(to refusal: HTTPRefusal, fields _: HTTPFields?) -> HTTPResponse { HTTPResponse(refusal.status) }
}

/// `openssl s_server`, which answers requests with a page about the connection.
@ReactorActor
final class OpenSSLServer {
    let port: UInt16
    private var child: ChildProcess?

    init(_ certificate: TestCertificates.Pair, _ options: [String]) async throws {
        port = try FreePort.choose()
        let arguments =
            [
                "s_server", "-accept", "127.0.0.1:\(port)", "-cert", certificate.certificate, "-key", certificate.key,
                "-www",
            ]
        guard let program = Executable.find("openssl") else { throw TestFailure(description: "no openssl") }
        var isListening = false
        child = try ChildProcess(
            Command(program, arguments + options, parentDeathSignal: .kill),
            onLine: { if $0.hasPrefix("ACCEPT") { isListening = true } },
            onEnd: { _ in }
        )
        try await eventually("s_server") { isListening }
    }

    func stop() { child?.kill() }
}
