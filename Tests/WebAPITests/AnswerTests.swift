import Gzip
import HTTPServer
import HTTPWire
import Reactor
import TestSupport
import Testing

@testable import WebAPI

/// What is done with answers for browsers and their like.
@Suite struct AnswerTests {
    init() { Reactor.runInBackground() }

    private static let long = Array(
        "[\(Array(repeating: #"{"date":"2025-01-06","average_price":100.38}"#, count: 100).joined(separator: ","))]"
            .utf8
    )

    /// Serves answers of all kinds.
    @ReactorActor
    private final class AnswerServer {
        private let server: HTTPServer
        private(set) var endpoint = Endpoint.tcp(host: "127.0.0.1", port: 0)

        init(
            origins: [String] = [],
            credentials: Bool = false,
            compresses: Bool = false,
            tellsTiming: Bool = false
        ) async throws {
            let documentation = RouteDocumentation("", in: .operations, answers: [.empty(.ok, "")])
            func route(_ path: PathTemplate, _ response: HTTPResponse) -> Route {
                Route(.get, path, documentation) { _ in response }
            }
            let file = StaticContent(AnswerTests.long, mediaType: "text/css")
            let page = StaticContent(Array("<p>".utf8), mediaType: "text/html; charset=utf-8")
            var encoded = HTTPResponse(json: AnswerTests.long)
            encoded.fields.append("Content-Encoding", "br")
            let routes = [
                route("/long", HTTPResponse(json: AnswerTests.long)).tagged,
                route("/short", HTTPResponse(json: Array("{}".utf8))).tagged, route("/encoded", encoded),
                route(
                    "/picture",
                    HTTPResponse(.ok, fields: ["Content-Type": "image/png"], body: .bytes(AnswerTests.long))
                ),
                route(
                    "/stream",
                    HTTPResponse(
                        .ok,
                        fields: ["Content-Type": "text/plain"],
                        body: .stream(length: nil) { try await $0.write(AnswerTests.long) }
                    )
                ),
                Route(.get, "/file", documentation) { file.response(to: $0.head) },
                Route(.get, "/page", documentation) { page.response(to: $0.head) },
                Route(.post, "/long", documentation) { _ in HTTPResponse(.ok) },
            ]
            let policy = AnswerPolicy(
                crossOrigin: origins.isEmpty
                    ? nil : CrossOriginPolicy(origins: origins, allowsCredentials: credentials),
                compresses: compresses,
                tellsTiming: tellsTiming,
                routes: routes
            )
            server = HTTPServer(
                handler: WebService(
                    routes: routes,
                    policy: policy,
                    requestTimeout: .seconds(20),
                    takesDeadlineFromCaller: false
                )
            )
            endpoint = try await server.listen(on: endpoint)
        }

        func ask(_ target: String, _ method: String = "GET", _ fields: String...) async throws -> TestResponse {
            try await request(method, target, on: endpoint, fields: fields)
        }

        /// The answer with its body as bytes.
        func bytes(_ target: String, _ fields: String...) async throws -> (head: TestResponse, body: [UInt8]) {
            let socket = try await TestSocket(to: endpoint)
            socket.send("GET \(target) HTTP/1.1\r\nHost: a\r\n" + fields.map { "\($0)\r\n" }.joined() + "\r\n")
            let head = try await socket.takeResponse(to: "HEAD")
            return (head, try await socket.take(Int(head["content-length"] ?? "") ?? 0))
        }
    }

    // MARK: Compression

    @Test @ReactorActor func `a long answer is compressed for who takes gzip, and says that others get another`()
        async throws
    {
        let server = try await AnswerServer(compresses: true)
        let (head, body) = try await server.bytes("/long", "Accept-Encoding: br, gzip")
        #expect(head["content-encoding"] == "gzip")
        #expect(head["content-type"] == "application/json")
        #expect(head["vary"] == "Accept-Encoding")
        #expect(body.count < Self.long.count / 4)
        #expect(Gunzip.decode(body, atMost: 1 << 20) == Self.long)
        let plain = try await server.ask("/long")
        #expect(plain["content-encoding"] == nil)
        #expect(plain["vary"] == "Accept-Encoding")
        #expect(Array(plain.body.utf8) == Self.long)
        // Both say the same, and HEAD says what GET does.
        #expect(plain["etag"] == head["etag"])
        let asHead = try await server.ask("/long", "HEAD", "Accept-Encoding: gzip")
        #expect(asHead["content-length"] == head["content-length"])
        #expect(asHead["content-encoding"] == "gzip")
    }

    @Test(arguments: ["/short", "/encoded", "/picture", "/stream"]) @ReactorActor
    func `what is short, encoded, no text or a stream is left as it is`(target: String) async throws {
        let server = try await AnswerServer(compresses: true)
        let answer = try await server.ask(target, "GET", "Accept-Encoding: gzip")
        #expect(answer["content-encoding"] == (target == "/encoded" ? "br" : nil))
        #expect(answer["vary"] == nil)
        #expect(answer.body.utf8.count == (target == "/short" ? 2 : Self.long.count))
    }

    @Test @ReactorActor func `a tag of bytes does not name them when they are compressed, and is still known`()
        async throws
    {
        let server = try await AnswerServer(compresses: true)
        let strong = try #require(try await server.ask("/file")["etag"])
        #expect(strong.hasPrefix("\""))
        let compressed = try await server.bytes("/file", "Accept-Encoding: gzip").head
        #expect(compressed["etag"] == "W/\(strong)")
        let again = try await server.ask("/file", "GET", "Accept-Encoding: gzip", "If-None-Match: W/\(strong)")
        #expect(again.status == 304)
    }

    @Test(arguments: [
        ("gzip", true), ("GZIP", true), ("x-gzip", true), ("*", true), ("deflate, gzip;q=0.001", true),
        ("gzip;q=1.0, identity;q=0.5", true), ("gzip ; q=0.5 , identity;q=0.5", true), ("identity;q=0, *", true),
        ("", false), ("br", false), ("gzip;q=0", false), ("gzip;q=0.000, *", false), ("*;q=0", false),
        ("identity, gzip;q=0.5", false), ("gzip;q=2", false), ("gzip;q=0.5x", false), ("gzip;q=", false),
        ("gzip;level=9", false), ("gzipped", false),
    ])
    func `what a client takes is read with its weights`(value: String, isTaken: Bool) {
        #expect(AcceptedCoding.prefersGzip(["Accept-Encoding": value]) == isTaken)
    }

    // MARK: Tags

    @Test @ReactorActor func `who has what would be answered is told so`() async throws {
        let server = try await AnswerServer()
        let first = try await server.ask("/long")
        let tag = try #require(first["etag"])
        #expect(tag.hasPrefix("W/\"") && tag.utf8.count == 20)
        #expect(first["cache-control"] == "no-cache")
        #expect(try await server.ask("/short")["etag"] != tag)
        for value in [tag, String(tag.dropFirst(2)), "\"x\", \(tag)", "\"x\",W/\"y\" ,\(tag)", "*"] {
            for method in ["GET", "HEAD"] {
                let answer = try await server.ask("/long", method, "If-None-Match: \(value)")
                #expect(answer.status == 304, "\(value)")
                #expect(answer["etag"] == tag)
                #expect(answer["content-length"] == nil && answer["content-type"] == nil)
            }
        }
        for value in ["\"x\"", "W/\"\"", "", String(tag.dropLast(2)) + "\""] {
            #expect(try await server.ask("/long", "GET", "If-None-Match: \(value)").status == 200, "\(value)")
        }
        #expect(try await server.ask("/long", "POST", "If-None-Match: *").status == 200)
    }

    @Test func `other content has another tag, whatever its length`() {
        var tags: Set<EntityTag> = []
        for count in 0..<64 { tags.insert(EntityTag(of: [UInt8](repeating: 0, count: count))) }
        for bit in 0..<256 {
            var bytes = [UInt8](repeating: 0, count: 32)
            bytes[bit / 8] = 1 << UInt8(bit % 8)
            tags.insert(EntityTag(of: bytes))
        }
        #expect(tags.count == 64 + 256)
        // The same everywhere, also after a restart.
        #expect(EntityTag(of: Array("{}".utf8)).description == EntityTag(of: Array("{}".utf8)).description)
    }

    // MARK: Pages of other origins

    private static let origin = "Origin: https://app.example"

    @Test @ReactorActor func `only the pages of origins that are named may read answers, and errors too`() async throws
    {
        let server = try await AnswerServer(origins: ["https://app.example", "http://localhost:3000"])
        for target in ["/long", "/nowhere", "/stream"] {
            let answer = try await server.ask(target, "GET", Self.origin)
            #expect(answer["access-control-allow-origin"] == "https://app.example")
            #expect(answer["access-control-allow-credentials"] == nil)
            let exposed = try #require(answer["access-control-expose-headers"])
            for name in ["X-Request-Id", "Retry-After", "ETag", "Location"] { #expect(exposed.contains(name)) }
            #expect(answer["vary"] == "Origin")
        }
        for origin in [
            "https://evil.example", "https://app.example.evil", "http://app.example", "https://app.example:444", "null",
            "https://app.example, https://evil.example",
        ] {
            let answer = try await server.ask("/long", "GET", "Origin: \(origin)")
            #expect(answer.status == 200)
            #expect(answer.fields.allSatisfy { !$0.name.hasPrefix("access-control") }, "\(origin)")
            // A cache must not give this to others.
            #expect(answer["vary"] == "Origin")
        }
        #expect(try await server.ask("/long")["vary"] == "Origin")
        let twice = try await server.ask("/long", "GET", Self.origin, Self.origin)
        #expect(twice["access-control-allow-origin"] == nil)
    }

    @Test @ReactorActor func `a preflight is told what the path answers to, and that the fields asked for may come`()
        async throws
    {
        let server = try await AnswerServer(origins: ["https://app.example"])
        let asked = "Access-Control-Request-Method: POST"
        let answer = try await server.ask(
            "/long",
            "OPTIONS",
            Self.origin,
            asked,
            "Access-Control-Request-Headers: authorization, content-type"
        )
        #expect(answer.status == 204)
        #expect(answer["access-control-allow-origin"] == "https://app.example")
        #expect(answer["access-control-allow-methods"] == "GET, POST, HEAD, OPTIONS")
        #expect(answer["access-control-allow-headers"] == "authorization, content-type")
        #expect(answer["access-control-max-age"] == "600")
        let varies = answer.fields.filter { $0.name == "vary" }.map(\.value).joined(separator: ", ")
        for name in ["Origin", "Access-Control-Request-Method", "Access-Control-Request-Headers"] {
            #expect(varies.contains(name))
        }
        // Others are told what everybody is, and nothing is there that is not.
        let other = try await server.ask("/long", "OPTIONS", "Origin: https://evil.example", asked)
        #expect(other.status == 204)
        #expect(other["allow"] == "GET, POST, HEAD, OPTIONS")
        #expect(other.fields.allSatisfy { !$0.name.hasPrefix("access-control") })
        let plain = try await server.ask("/long", "OPTIONS", Self.origin)
        #expect(plain["access-control-allow-methods"] == nil)
        let nowhere = try await server.ask("/nowhere", "OPTIONS", Self.origin, asked)
        #expect(nowhere.status == 404)
        #expect(nowhere["access-control-allow-methods"] == nil)
        let odd = try await server.ask("/long", "OPTIONS", Self.origin, asked, "Access-Control-Request-Headers: a\tb;c")
        #expect(odd["access-control-allow-headers"] == nil)
    }

    @Test @ReactorActor func `pages of all origins come without what the browser has of the user, others may with it`()
        async throws
    {
        let all = try await AnswerServer(origins: ["*"])
        let answer = try await all.ask("/long", "GET", Self.origin)
        #expect(answer["access-control-allow-origin"] == "*")
        #expect(answer["access-control-allow-credentials"] == nil)
        #expect(answer["vary"] == nil)
        let some = try await AnswerServer(origins: ["https://app.example"], credentials: true)
        #expect(try await some.ask("/long", "GET", Self.origin)["access-control-allow-credentials"] == "true")
    }

    @Test @ReactorActor func `nothing is said of other origins, of coding or of time while that is off`() async throws {
        let server = try await AnswerServer()
        let answer = try await server.ask("/long", "GET", Self.origin, "Accept-Encoding: gzip")
        #expect(answer.fields.allSatisfy { !$0.name.hasPrefix("access-control") })
        #expect(answer["vary"] == nil)
        #expect(answer["content-encoding"] == nil)
        #expect(answer["server-timing"] == nil)
    }

    @Test(arguments: [
        ("*", "*"), ("https://App.Example", "https://app.example"), ("https://app.example:443", "https://app.example"),
        ("http://a:8080", "http://a:8080"), ("http://[::1]:80", "http://[::1]"), ("app.example", nil),
        ("https://", nil), ("https://a/", nil), ("https://a/b", nil), ("null", nil), ("https://*.example", nil),
        ("ftp://a", nil), ("https://a b", nil),
    ])
    func `an origin is read as browsers write it`(text: String, expected: String?) {
        #expect(CrossOriginPolicy.origin(text) == expected)
    }

    // MARK: The rest

    @Test @ReactorActor func `an answer tells how long it took, where that is switched on`() async throws {
        let server = try await AnswerServer(tellsTiming: true)
        for target in ["/long", "/nowhere"] {
            let value = try #require(try await server.ask(target)["server-timing"])
            let parts = value.split(separator: "=")
            #expect(parts.first == "total;dur")
            #expect(parts.last.flatMap { Double($0) }.map { $0 >= 0 && $0 < 60_000 } == true, "\(value)")
        }
    }

    @Test @ReactorActor func `a page may load what is of its server, is in no frame and tells nobody where it stood`()
        async throws
    {
        let server = try await AnswerServer()
        let page = try await server.ask("/page")
        let policy = try #require(page["content-security-policy"])
        for part in ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"] {
            #expect(policy.contains(part))
        }
        #expect(!policy.contains("unsafe"))
        #expect(page["x-content-type-options"] == "nosniff")
        #expect(page["referrer-policy"] == "no-referrer")
        #expect(try await server.ask("/file")["x-content-type-options"] == "nosniff")
    }
}
