import JSONWire
import Reactor
import TestSupport
import Testing

@Suite struct BodyTests {
    init() { Reactor.runInBackground() }

    @Test @ReactorActor func `a body is described with its members and the answers to faulty ones`() async throws {
        try await withService { service in
            let reader = try OpenAPIReader(try await service.ask("/openapi.json").body)
            let operation = try #require(reader.operations.first { $0.method == "POST" && $0.path == "/orders" })
            let body = try #require(operation.json["requestBody"])
            #expect(body["required"] == true)
            let content = try #require(body["content"]?["application/json"])
            let schema = reader.resolve(try #require(content["schema"]))
            #expect(schema["required"] == ["count"])
            #expect(schema["additionalProperties"] == false)
            #expect(schema["properties"]?["count"]?["maximum"] == 9)
            let example = try #require(content["examples"]?["example-1"]?["value"])
            #expect(try await service.buy(example.description).status == 201)

            let long = #"{"count":3,"note":"\#(String(repeating: "x", count: 1000))"}"#
            let answers: [(body: String, status: Int, code: String?)] = [
                (#"{"count":3,"note":"a"}"#, 201, nil), ("", 400, "MALFORMED_JSON"), ("{", 400, "MALFORMED_JSON"),
                ("{}", 422, "VALIDATION_FAILED"), (long, 413, "PAYLOAD_TOO_LARGE"),
            ]
            for (body, status, code) in answers {
                let response = try await service.buy(body)
                #expect(response.status == status, "\(body)")
                #expect(reader.faults(of: response, to: operation) == [], "\(body)")
                let answer = try JSONValue(parsing: response.body, limits: JSONLimits(bytes: 4096))
                #expect(answer["code"]?.string == code)
            }
            let other = try await service.buy(#"{"count":3}"#, "Content-Type: text/plain")
            #expect(other.status == 415)
            #expect(reader.faults(of: other, to: operation) == [])
        }
    }

    @Test @ReactorActor func `a body in pieces is read before the handler runs, and no further than it may be`()
        async throws
    {
        try await withService { service in
            let socket = try await TestSocket(to: service.endpoint)
            defer { socket.close() }
            let head =
                "POST /orders HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                + "Transfer-Encoding: chunked\r\n\r\n"
            socket.send(head + "a\r\n{\"count\": \r\n")
            socket.send("2\r\n5}\r\n0\r\n\r\n")
            #expect(try await socket.takeResponse().body == #"{"id":5,"state":"new"}"#)
            socket.send(head + "3e9\r\n" + String(repeating: " ", count: 1001) + "\r\n0\r\n\r\n")
            #expect(try await socket.takeResponse().status == 413)
        }
    }
}
