import HTTPClient
import HTTPServer
import HTTPWire
import JSONWire
import Logging
import Reactor
import TestSupport
import Testing

@testable import WebAPI

@Suite struct RelayTests {
    init() { Reactor.runInBackground() }

    private typealias Answer = @ReactorActor @Sendable (RequestContext) async throws(APIError) -> HTTPResponse

    /// A route of both roles: the next hop answers what the test says.
    private static func operation(
        _ method: HTTPMethod = .post,
        _ path: PathTemplate = "/things",
        body: RequestBody? = .json("Thing", [count.documentation])
    ) -> Operation<Int> {
        let documentation = RouteDocumentation(
            "A thing",
            in: .operations,
            parameters: [.header("Idempotency-Key", "")]
                + path.parameterNames.map { .path($0, "", .string(), example: "") },
            body: body,
            answers: [
                .json(
                    .created,
                    "Made.",
                    fields: [AnswerField("Location", "", example: "")],
                    .object(["id": .integer(in: 1...9)]),
                    example: nil
                ),
                .other([RelayedRoute.eventStream], "Events."),
            ]
        )
        return Operation(method, path, documentation) { request throws(APIError) in
            guard body != nil else { return 0 }
            var fields = try Fields(request)
            return try fields.finish(fields.read(count))
        }
    }

    private static let count = Field.member("count", .wholeNumber(in: 1...9), "How many.", isRequired: true)

    /// Runs `body` against a gateway before a next hop.
    @ReactorActor
    private func withRelay(
        _ operation: Operation<Int> = operation(),
        timeout: Duration = .seconds(20),
        cache: RelayCache? = nil,
        failing: (@Sendable (RelayFailure) -> RelayedAnswer)? = nil,
        answer: @escaping Answer,
        _ body: @ReactorActor (Endpoint, Relay) async throws -> Void
    ) async throws {
        let route = operation.answered { _, context async throws(APIError) in try await answer(context) }
        let api = HTTPServer(
            handler: WebService(routes: [route], requestTimeout: timeout, takesDeadlineFromCaller: true)
        )
        let address = try await api.listen(on: .tcp(host: "127.0.0.1", port: 0))
        var configuration = HTTPClientConfiguration()
        configuration.responseHeadTimeout = timeout
        configuration.circuitBreaker.leastPatience = .zero
        let relay = Relay("api", to: address, configuration, logger: Logger(label: "test"))
        let gateway = HTTPServer(
            handler: WebService(
                routes: [operation.relayed(by: relay, cache: cache, failing: failing)],
                requestTimeout: timeout,
                takesDeadlineFromCaller: false
            )
        )
        defer {
            gateway.close()
            relay.close()
            api.close()
        }
        try await body(try await gateway.listen(on: .tcp(host: "127.0.0.1", port: 0)), relay)
    }

    private static let json = "Content-Type: application/json"

    @ReactorActor
    private func post(_ gateway: Endpoint, _ fields: [String] = [json]) async throws -> TestResponse {
        try await request("POST", "/v1/things/?", on: gateway, fields: fields, body: #"{"count": 3}"#)
    }

    /// What the next hop has.
    @ReactorActor private final class VersionedData {
        var version: String? = "2"
        var source = "MISS"
        var age: String? = "0"
    }

    /// Asks, and checks whether the answer was kept and which version it is of.
    @ReactorActor
    private func expect(_ query: String, _ source: String, version: String, on gateway: Endpoint) async throws {
        let response = try await request("GET", "/things?\(query)", on: gateway)
        #expect(response["x-cache"] ?? "MISS" == source && response.body == #"{"version":\#(version)}"#, "\(query)")
    }

    @Test @ReactorActor func `with a version of the data, no answer of an older one is given again beside a newer one`()
        async throws
    {
        let data = VersionedData()
        let answer: Answer = { context async throws(APIError) in
            var response = HTTPResponse(json: Array(#"{"version":\#(data.version ?? "")}"#.utf8))
            if let version = data.version { response.fields.append("X-Version", version) }
            return response
        }
        let cache = RelayCache(timeToLive: .seconds(600), byteLimit: 1 << 20, versionField: "X-Version")
        try await withRelay(Self.operation(.get, body: nil), cache: cache, answer: answer) { gateway, _ in
            try await expect("a", "MISS", version: "2", on: gateway)
            data.version = "3"
            try await expect("a", "HIT", version: "2", on: gateway)
            // The first answer of the new version ends all of the old one.
            try await expect("b", "MISS", version: "3", on: gateway)
            try await expect("a", "MISS", version: "3", on: gateway)
            try await expect("a", "HIT", version: "3", on: gateway)
            // Asked later, so newer, whatever its number.
            data.version = "1"
            try await expect("c", "MISS", version: "1", on: gateway)
            try await expect("a", "MISS", version: "1", on: gateway)
            // Nothing says what this is of.
            data.version = nil
            try await expect("d", "MISS", version: "", on: gateway)
            try await expect("d", "MISS", version: "", on: gateway)
        }
    }

    @Test @ReactorActor func `an answer that says where it is from is given again while it is fresh there`()
        async throws
    {
        let data = VersionedData()
        let answer: Answer = { context async throws(APIError) in
            var response = HTTPResponse(json: Array(#"{"version":\#(data.version ?? "")}"#.utf8))
            response.fields.append("X-Cache", data.source)
            if let age = data.age { response.fields.append("Age", age) }
            return response
        }
        let cache = RelayCache(timeToLive: .seconds(600), byteLimit: 1 << 20, tellsAge: true)
        try await withRelay(Self.operation(.get, body: nil), cache: cache, answer: answer) { gateway, _ in
            // Each of them is another question of one kind: what is kept of it is seen by the second answer.
            for (source, age, isKept) in [
                ("MISS", "0", true), ("HIT", "41", true), ("STALE", "7", false), ("HIT", nil, false),
            ] {
                (data.version, data.source, data.age) = ("1", source, age)
                try await expect("\(source)\(age ?? "")", "MISS", version: "1", on: gateway)
                (data.version, data.source, data.age) = ("2", "HIT", "0")
                let again = try await request("GET", "/things?\(source)\(age ?? "")", on: gateway)
                #expect(again.body == #"{"version":\#(isKept ? 1 : 2)}"#, "\(source)")
                guard isKept, let age = age.flatMap({ Int($0) }) else { continue }
                #expect(again["x-cache"] == "HIT")
                #expect(again["age"].flatMap { Int($0) }.map { $0 >= age && $0 < age + 60 } == true)
            }
        }
    }

    @Test @ReactorActor func `method, body and named fields are passed on, and named fields of the answer back`()
        async throws
    {
        let answer: Answer = { context async throws(APIError) in
            let key = context.head.fields["idempotency-key"] ?? "none"
            var response = HTTPResponse(json: Array(#"{"id":7}"#.utf8), status: .created)
            response.fields.append("Location", "/things/\(key)")
            response.fields.append("X-Other", context.head.fields["x-other"] ?? "none")
            #expect(context.body == Array(#"{"count": 3}"#.utf8))
            #expect(context.identity.requestID.description == "r-1")
            return response
        }
        try await withRelay(answer: answer) { gateway, _ in
            let fields = [Self.json, "Idempotency-Key: k-1", "X-Other: 1", "X-Request-Id: r-1"]
            let response = try await post(gateway, fields)
            #expect(response.status == 201)
            #expect(response.body == #"{"id":7}"#)
            #expect(response["location"] == "/things/k-1")
            #expect(response["x-other"] == nil)
            #expect(try await post(gateway, ["Content-Type: text/plain"]).status == 415)
        }
    }

    @Test @ReactorActor func `an own 504 of the next hop arrives in time, and never opens the circuit`() async throws {
        let answer: Answer = { context async throws(APIError) in
            try? await Reactor.sleep(for: max(.zero, context.deadline - Reactor.now))
            throw APIError.upstreamTimeout
        }
        try await withRelay(timeout: .seconds(1), answer: answer) { gateway, relay in
            let rounds = 3
            let finished = Promise<Void, Never>()
            var statuses: [Int] = []
            for _ in 0..<24 {
                Reactor.spawn {
                    for _ in 0..<rounds { statuses.append((try? await post(gateway).status) ?? 0) }
                    if statuses.count == 24 * rounds { finished.succeed(()) }
                }
            }
            _ = await finished.result
            #expect(Set(statuses) == [504])
            #expect(relay.client.circuit == .closed)
            #expect(relay.client.statistics.failures == 0)
        }
    }

    /// What the next hop answers, and status, code and `Retry-After` of what becomes of it.
    private static let answers: [(status: UInt16, type: String, body: String, retryAfter: String?, expected: String)] =
        [
            (201, "application/json; charset=utf-8", #"{"id":7}"#, nil, "201 - -"),
            (201, "application/jsonX", #"{"id":7}"#, nil, "502 UPSTREAM_ERROR -"),
            (201, "text/html", "<html>", nil, "502 UPSTREAM_ERROR -"),
            (201, "application/json", "<html>", nil, "502 UPSTREAM_ERROR -"),
            (201, "application/json", "", nil, "502 UPSTREAM_ERROR -"),
            (302, "application/json", "{}", nil, "502 UPSTREAM_ERROR -"),
            (404, "application/json", #"{"code":"NOT_FOUND","message":"No."}"#, nil, "404 NOT_FOUND -"),
            (404, "application/json", #"{"error":"no"}"#, nil, "502 UPSTREAM_ERROR -"),
            (404, "application/json", #"{"code":"OVERLOADED","message":"No."}"#, nil, "502 UPSTREAM_ERROR -"),
            (404, "text/html", "<html>", nil, "502 UPSTREAM_ERROR -"),
            (500, "application/json", #"{"code":"INTERNAL_ERROR","message":"No."}"#, nil, "502 UPSTREAM_ERROR -"),
            (503, "application/json", #"{"code":"UNAVAILABLE","message":"No."}"#, nil, "503 UNAVAILABLE 1"),
            (503, "application/json", #"{"code":"UNAVAILABLE","message":"No."}"#, "7", "503 UNAVAILABLE 7"),
            (503, "application/json", #"{"code":"UNAVAILABLE","message":"No."}"#, "soon", "503 UNAVAILABLE 1"),
            (503, "application/json", #"{"code":"UNAVAILABLE","message":"No."}"#, "-1", "503 UNAVAILABLE 1"),
            (503, "application/json", "gone", nil, "502 UPSTREAM_ERROR -"),
            (504, "application/json", #"{"code":"UPSTREAM_TIMEOUT","message":"No."}"#, nil, "504 UPSTREAM_TIMEOUT -"),
        ]

    @Test(arguments: answers) @ReactorActor func `only what is an answer of ours is passed back`(
        status: UInt16,
        type: String,
        body: String,
        retryAfter: String?,
        expected: String
    ) async throws {
        let answer: Answer = { _ async throws(APIError) in
            var fields: HTTPFields = ["Content-Type": type]
            if let retryAfter { fields.append("Retry-After", retryAfter) }
            return HTTPResponse(HTTPStatus(rawValue: status), fields: fields, body: .bytes(Array(body.utf8)))
        }
        try await withRelay(answer: answer) { gateway, _ in
            let response = try await post(gateway)
            let code = try JSONValue(parsing: response.body, limits: JSONLimits(bytes: 4096))["code"]?.string
            #expect("\(response.status) \(code ?? "-") \(response["retry-after"] ?? "-")" == expected)
        }
    }

    @Test(arguments: [(UInt16(500), 500), (503, 503), (504, 500), (201, 201)]) @ReactorActor
    func `a route may say something else when the next hop fails`(status: UInt16, expected: Int) async throws {
        let promised = Array(#"{"message":"Internal server error"}"#.utf8)
        let failing: @Sendable (RelayFailure) -> RelayedAnswer = { failure in
            failure.mayHaveBeenDone
                ? .success(HTTPResponse(json: promised, status: .internalServerError)) : .failure(.unavailable)
        }
        let answer: Answer = { _ async throws(APIError) in
            switch status {
            case 201: HTTPResponse(json: Array("{}".utf8), status: .created)
            case 503: throw APIError.unavailable
            case 504: throw APIError.upstreamTimeout
            default: throw APIError.internalError
            }
        }
        try await withRelay(failing: failing, answer: answer) { gateway, _ in
            let response = try await post(gateway)
            #expect(response.status == expected)
            if expected == 500 { #expect(response.body == #"{"message":"Internal server error"}"#) }
        }
    }

    @Test @ReactorActor func `events are passed on as they come, and a client that leaves ends them`() async throws {
        let gone = Promise<Void, Never>()
        let answer: Answer = { _ async throws(APIError) in
            HTTPResponse(
                .ok,
                fields: ["Content-Type": RelayedRoute.eventStream],
                body: .stream(length: nil) { writer in
                    for number in 1... {
                        do { try await writer.write(Array("data: \(number)\n\n".utf8)) } catch { break }
                        try? await Reactor.sleep(for: .milliseconds(5))
                    }
                    gone.succeed(())
                }
            )
        }
        let operation = Self.operation(.get, "/things/{id}/stream", body: nil)
        try await withRelay(operation, answer: answer) { gateway, _ in
            let socket = try await TestSocket(to: gateway)
            socket.send("GET /things/7/stream HTTP/1.1\r\nHost: a\r\n\r\n")
            let head = try await socket.take(through: "\r\n\r\n")
            #expect(head.hasPrefix("HTTP/1.1 200"))
            #expect(head.lowercased().contains("content-type: text/event-stream"))
            _ = try await socket.take(through: "data: 1\n")
            _ = try await socket.take(through: "data: 3\n")
            socket.close()
            _ = await gone.result
        }
    }

    @Test @ReactorActor func `events of which many come at once wait for a client that reads none, and all arrive`()
        async throws
    {
        let event = "data: " + String(repeating: "x", count: 16 * 1024) + "\n\n"
        let count = 1024
        var written = 0
        let answer: Answer = { _ async throws(APIError) in
            HTTPResponse(
                .ok,
                fields: ["Content-Type": RelayedRoute.eventStream],
                body: .stream(length: nil) { writer in
                    for _ in 0..<count {
                        do { try await writer.write(Array(event.utf8)) } catch { break }
                        written += 1
                    }
                    do { try await writer.write(Array("data: end\n\n".utf8)) } catch {}
                }
            )
        }
        let operation = Self.operation(.get, "/things/{id}/stream", body: nil)
        try await withRelay(operation, answer: answer) { gateway, _ in
            let socket = try await TestSocket(to: gateway)
            socket.setReading(false)
            socket.send("GET /things/7/stream HTTP/1.1\r\nHost: a\r\n\r\n")
            // Until nothing has moved for many turns.
            var (before, turns) = (-1, 0)
            try await eventually("a standstill") {
                turns = written == before && written > 0 ? turns + 1 : 0
                before = written
                return turns > 20
            }
            #expect(written < count)
            socket.setReading(true)
            try await eventually("all events", within: .seconds(60)) {
                String(decoding: socket.received.suffix(64), as: UTF8.self).contains("data: end\n\n")
            }
            #expect(socket.received.count > event.utf8.count * count)
            socket.close()
        }
    }

    @Test func `the next hop is told a little less than is left`() {
        #expect(Relay.milliseconds(toTell: .seconds(10)) == 9750)
        #expect(Relay.milliseconds(toTell: .seconds(1)) == 950)
        #expect(Relay.milliseconds(toTell: .milliseconds(50)) == 40)
        #expect(Relay.milliseconds(toTell: .milliseconds(5)) == 0)
        #expect(Relay.milliseconds(toTell: .seconds(-1)) == 0)
    }
}
