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
        metricsEndpoint: Endpoint? = nil,
        shell: String = "",
        redirection: String = ""
    ) async throws -> (process: TickloopProcess, endpoint: Endpoint) {
        let folder = try TestFolder.make()
        let endpoint = Endpoint.unix(path: "\(folder)/gateway.sock")
        let process = try TickloopProcess(
            ["gateway"],
            environment: [
                "TICKLOOP_SERVER_LISTEN": endpoint.description,
                "TICKLOOP_SERVER_METRICS_LISTEN": metricsEndpoint?.description ?? "",
                // Refused requests cost nothing, and this is about those that are answered.
                "TICKLOOP_SERVER_TARGET_WAIT_MS": "0",
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

    /// 168,000 answers of 36 kB are asked for and none is read.
    @Test @ReactorActor func `clients that never read cost little memory, and give it back`() async throws {
        let upstream = HTTPServer(handler: Answering(days: 800))
        defer { upstream.close() }
        let address = try await upstream.listen(on: .tcp(host: "127.0.0.1", port: 0))
        let metricsEndpoint = Endpoint.unix(path: "\(try TestFolder.make())/metrics.sock")
        let (process, endpoint) = try await gateway(upstream: address, metricsEndpoint: metricsEndpoint)
        func metrics() async throws -> MetricsText {
            MetricsText(try await request("GET", "/metrics", on: metricsEndpoint).body)
        }
        let mebibyte = 1024.0 * 1024
        let idle = try #require(try await metrics().value("process_resident_memory_bytes"))
        let target = "/prices/average?start_date=2016-01-01&end_date=2025-12-31"
        let requests = String(repeating: "GET \(target) HTTP/1.1\r\nHost: a\r\n\r\n", count: 400)
        var clients: [TestSocket] = []
        for _ in 0..<420 {
            let client = try await TestSocket(to: endpoint)
            client.setReading(false)
            client.send(requests)
            clients.append(client)
        }
        var last = -1.0
        try await eventually("no more progress") {
            let page = try await metrics()
            #expect(page.value("process_resident_memory_bytes").map { $0 < idle + 72 * mebibyte } == true)
            #expect(page.value("tickloop_http_held_bytes").map { $0 <= 32 * mebibyte } == true)
            let count = page.value("tickloop_http_requests_total", ["status": "200"]) ?? 0
            defer { last = count }
            return count == last && count > 420 && page.value("tickloop_http_requests_in_flight") == 0
        }
        for client in clients { client.close() }
        try await eventually("memory is given back", within: .seconds(30)) {
            try await metrics().value("process_resident_memory_bytes").map { $0 < idle + 24 * mebibyte } == true
        }
        try await process.kill()
    }
}

extension ProcessTests {
    /// The only request that may wait does, as its API never answers.
    @Test @ReactorActor func `a gateway that takes no more requests says that it is alive, and how it is`() async throws
    {
        let silent = Silent()
        let upstream = HTTPServer(handler: silent)
        defer { upstream.close() }
        let folder = try TestFolder.make()
        let endpoint = Endpoint.unix(path: "\(folder)/gateway.sock")
        let process = try TickloopProcess(
            ["gateway"],
            environment: [
                "TICKLOOP_SERVER_LISTEN": endpoint.description, "TICKLOOP_SERVER_MAX_REQUESTS_IN_FLIGHT": "1",
                "TICKLOOP_UPSTREAM_ADDRESS": "\(try await upstream.listen(on: .tcp(host: "127.0.0.1", port: 0)))",
            ],
            folder: packageFolder
        )
        try await process.waitUntilReady(.http(endpoint, path: "/health"))
        let client = try await TestSocket(to: endpoint)
        defer { client.close() }
        client.send("GET /api/tags HTTP/1.1\r\nHost: a\r\n\r\n")
        try await eventually("the request") { silent.exchanges.count == 1 }
        #expect(try await request("GET", "/api/tags", on: endpoint).status == 503)
        #expect(try await request("GET", "/health", on: endpoint).body == #"{"status":"ok"}"#)
        #expect(try await request("HEAD", "/v1/health/", on: endpoint).status == 200)
        let page = MetricsText(try await request("GET", "/metrics", on: endpoint).body)
        #expect(page.value("tickloop_http_refused_total", ["reason": "overloaded"]).map { $0 > 0 } == true)
        try await process.kill()
    }
}

/// An upstream that never answers.
private final class Silent: HTTPHandler {
    private(set) var exchanges: [HTTPExchange] = []

    func handle(_ request: HTTPRequest, _ exchange: HTTPExchange) { exchanges.append(exchange) }

    func response(to refusal: HTTPRefusal, fields _: HTTPFields?) -> HTTPResponse { HTTPResponse(refusal.status) }
}

/// An upstream that answers everything alike.
private final class Answering: HTTPHandler {
    private let body: [UInt8]

    init(days: Int = 0) {
        let day = #"{"date":"2025-01-06","average_price":100.38}"#
        body = Array("{\"data\":[\(Array(repeating: day, count: days).joined(separator: ","))]}".utf8)
    }

    func handle(_ request: HTTPRequest, _ exchange: HTTPExchange) {
        exchange.respond(HTTPResponse(.ok, fields: ["Content-Type": "application/json"], body: .bytes(body)))
    }

    func response(to refusal: HTTPRefusal, fields _: HTTPFields?) -> HTTPResponse { HTTPResponse(refusal.status) }
}

extension ProcessTests {
    @Test @ReactorActor func `a misspelt variable is warned of, with the key that was meant, and nothing is refused`()
        async throws
    {
        let folder = try TestFolder.make()
        let endpoint = Endpoint.unix(path: "\(folder)/gateway.sock")
        let process = try TickloopProcess(
            ["gateway"],
            environment: [
                "TICKLOOP_SERVER_LISTEN": endpoint.description, "TICKLOOP_SERVER_TARGET_WAIT": "5",
                "TICKLOOP_GATEWAY_URL": "http://127.0.0.1:8080", "TICKLOOP_DATABASE_HOST": "a key of others",
            ],
            folder: packageFolder
        )
        try await process.waitUntilReady(.http(endpoint, path: "/health"))
        let warnings = process.lines.filter { $0.contains(#""level":"warning""#) && $0.contains("TICKLOOP_") }
        let expected =
            "TICKLOOP_SERVER_TARGET_WAIT belongs to no key, and is ignored; "
            + "did you mean TICKLOOP_SERVER_TARGET_WAIT_MS?"
        #expect(warnings.count == 1 && warnings.first?.contains(expected) == true, "\(warnings)")
        try await process.kill()
    }

    @Test @ReactorActor func `the program says its version`() async throws {
        let process = try TickloopProcess(["--version"])
        #expect(try await process.waitForEnd() == .exited(0))
        #expect(process.lines.count == 1 && process.lines[0].wholeMatch(of: /tickloop \d+\.\d+\.\d+/) != nil)
    }
}
