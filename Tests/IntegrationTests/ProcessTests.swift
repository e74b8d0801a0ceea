import Glibc
import HTTPServer
import HTTPWire
import Reactor
import Supervision
import TestSupport
import Testing

/// What a process is given by whoever starts it: descriptors and limits.
@Suite struct ProcessTests {
    init() { loop }

    /// A gateway that listens on a socket of its own; its upstream does not exist.
    @ReactorActor
    private func gateway(
        upstream: Endpoint? = nil,
        shell: String = "",
        redirection: String = ""
    ) async throws -> (process: TickloopProcess, endpoint: Endpoint) {
        let folder = try TestFolder.make()
        let endpoint = Endpoint.unix(path: "\(folder)/gateway.sock")
        let process = try TickloopProcess(
            ["gateway"],
            environment: [
                "TICKLOOP_SERVER_LISTEN": endpoint.description,
                "TICKLOOP_UPSTREAM_ADDRESS": upstream?.description ?? "unix:\(folder)/nobody.sock",
            ],
            folder: packageFolder,
            shell: shell,
            redirection: redirection
        )
        try await process.waitUntilReady(.http(endpoint, path: "/health"))
        return (process, endpoint)
    }

    @Test @ReactorActor func `the standard streams are open in a process that was started without them`() async throws {
        let (process, _) = try await gateway(redirection: "<&- >&- 2>&-")
        let pid = try #require(process.pid)
        for number in 0...2 {
            var path = [UInt8](repeating: 0, count: 256)
            let count = unsafe path.withUnsafeMutableBytes { bytes in
                unsafe bytes.withMemoryRebound(to: CChar.self) { text in
                    unsafe text.baseAddress.map { unsafe readlink("/proc/\(pid)/fd/\(number)", $0, text.count) } ?? 0
                }
            }
            #expect(String(decoding: path.prefix(max(0, count)), as: UTF8.self) == "/dev/null")
        }
        try await process.kill()
    }

    @Test @ReactorActor func `the soft limit of descriptors is raised`() async throws {
        let (process, endpoint) = try await gateway(shell: "ulimit -Sn 256")
        let metrics = MetricsText(try await request("GET", "/metrics", on: endpoint).body)
        #expect(metrics.value("process_max_fds").map { $0 > 256 } == true)
        try await process.kill()
    }

    /// Silent clients take all places; a request still gets one, and the gateway a descriptor for its upstream.
    @Test @ReactorActor func `silent clients take neither the places of others nor the descriptors of the upstream`()
        async throws
    {
        let upstream = HTTPServer(handler: Answering())
        defer { upstream.close() }
        let address = try await upstream.listen(on: .tcp(host: "127.0.0.1", port: 0))
        let (process, endpoint) = try await gateway(upstream: address, shell: "ulimit -n 256")
        #expect(process.lines.count { $0.contains("fewer connections than server.max_connections") } == 1)
        var silent: [TestSocket] = []
        for _ in 0..<300 { silent.append(try await TestSocket(to: endpoint)) }
        let target = "/prices/average?start_date=2025-01-06&end_date=2025-01-07"
        let response = try await request("GET", target, on: endpoint)
        #expect(response.status == 200)
        let metrics = MetricsText(try await request("GET", "/metrics", on: endpoint).body)
        #expect(metrics.value("tickloop_http_connections_displaced_total").map { $0 > 0 } == true)
        #expect(metrics.value("tickloop_http_descriptor_shortages_total") == 0)
        for client in silent { client.close() }
        try await process.kill()
    }
}

/// An upstream that answers everything alike.
private final class Answering: HTTPHandler {
    func handle(_ request: HTTPRequest, _ exchange: HTTPExchange) {
        exchange.respond(
            HTTPResponse(
                .ok,
                fields: ["Content-Type": "application/json"],
                body: .bytes(Array(#"{"data":[]}"#.utf8))
            )
        )
    }

    func response(to refusal: HTTPRefusal) -> HTTPResponse { HTTPResponse(refusal.status) }
}
