import JSONWire
import Reactor
import TestSupport
import Testing
import WebAPI

@Suite struct DocumentTests {
    init() { Reactor.runInBackground() }

    @Test @ReactorActor func `every path and method of the routes is there, and what comes with them`() async throws {
        try await withService { service in
            let reader = try OpenAPIReader(try await service.ask("/openapi.json").body)
            #expect(reader.document["openapi"] == "3.1.0")
            let operations = reader.operations.map { "\($0.method) \($0.path)" }
            #expect(
                operations == [
                    "GET /orders/{id}", "HEAD /orders/{id}", "OPTIONS /orders/{id}",
                    "POST /orders", "GET /orders", "HEAD /orders", "OPTIONS /orders",
                    "GET /openapi.json", "HEAD /openapi.json", "OPTIONS /openapi.json",
                    "GET /api-docs/openapi.json", "HEAD /api-docs/openapi.json", "OPTIONS /api-docs/openapi.json",
                ]
            )
            let ids = reader.operations.compactMap { $0.json["operationId"]?.string }
            #expect(Set(ids).count == operations.count)
            #expect(ids.first == "getOrdersById")
        }
    }

    @Test @ReactorActor func `each operation has its parameters and what any request may carry`() async throws {
        try await withService { service in
            let reader = try OpenAPIReader(try await service.ask("/openapi.json").body)
            let parameters = try #require(reader.operations[0].json["parameters"]?.array).map(reader.resolve)
            #expect(
                parameters.map { $0["name"]?.string }
                    == ["id", "since", "X-Request-Id", "traceparent", "X-Request-Timeout-Ms"]
            )
            #expect(parameters[0]["required"] == true)
            #expect(parameters[0]["schema"] == ["type": "integer", "minimum": 1, "maximum": 999])
            #expect(parameters[1]["required"] == nil)
        }
    }

    @Test @ReactorActor func `the errors of a route stand under their statuses, with those of any request`()
        async throws
    {
        try await withService { service in
            let reader = try OpenAPIReader(try await service.ask("/openapi.json").body)
            for operation in reader.operations {
                let statuses = operation.json["responses"]?.object?.members.map(\.name) ?? []
                #expect(Set(statuses).isSuperset(of: ["400", "408", "413", "414", "431", "500", "503"]))
                #expect(statuses == statuses.sorted())
                #expect(statuses.contains("404") == (operation.path == "/orders/{id}" && operation.method != "OPTIONS"))
            }
            #expect(
                reader.codes("404", of: reader.operations[0]) == ["NOT_FOUND"]
                    && reader.codes("503", of: reader.operations[0]) == ["OVERLOADED", "UNAVAILABLE"]
                    && reader.codes("503", of: reader.operations[3]) == ["OVERLOADED"]
            )
            let tooLong = reader.document["components"]?["responses"]?["URITooLong"]
            #expect(tooLong?.description.contains("longer than 4321 bytes") == true)
        }
    }

    @Test @ReactorActor func `examples are what their schemas demand, and every reference leads somewhere`()
        async throws
    {
        try await withService { service in
            let reader = try OpenAPIReader(try await service.ask("/openapi.json").body)
            let responses =
                reader.operations.flatMap { $0.json["responses"]?.object?.members.map(\.value) ?? [] }
                + (reader.document["components"]?["responses"]?.object?.members.map(\.value) ?? [])
            var examples = 0
            for content in responses.flatMap({ reader.resolve($0)["content"]?.object?.members.map(\.value) ?? [] }) {
                let schema = try #require(content["schema"])
                let named = content["examples"]?.object?.members.compactMap { $0.value["value"] } ?? []
                for example in named + [content["example"]].compactMap(\.self) {
                    examples += 1
                    #expect(reader.faults(of: example, against: schema) == [])
                }
            }
            #expect(examples > 50)
            #expect(reader.document.references.allSatisfy { reader.resolve(["$ref": .string($0)])["not found"] == nil })
            let known = reader.document["components"]?["schemas"]?["Error"]?["properties"]?["code"]?["enum"]
            #expect(known == .array(ErrorCode.allCases.map { .string($0.rawValue) }))
        }
    }

    @Test @ReactorActor func `a client that has the document is told so`() async throws {
        try await withService { service in
            let first = try await service.ask("/openapi.json")
            #expect(first["content-type"] == "application/json")
            #expect(first["cache-control"] == "no-cache")
            let tag = try #require(first["etag"])
            for field in [tag, "W/\(tag)", "\"other\", \(tag) , \"x\"", "*"] {
                let second = try await service.ask("/api-docs/openapi.json/", "GET", "If-None-Match: \(field)")
                #expect(second.status == 304)
                #expect(second.body == "" && second["etag"] == tag && second["content-type"] == nil)
            }
            for field in ["\"other\"", String(tag.dropLast()), "", "W/*"] {
                #expect(try await service.ask("/openapi.json", "GET", "If-None-Match: \(field)").status == 200)
            }
            let head = try await service.ask("/openapi.json", "HEAD")
            #expect(head["content-length"] == "\(first.body.utf8.count)")
        }
    }

    @Test @ReactorActor func `what is answered is what is described`() async throws {
        try await withService { service in
            let reader = try OpenAPIReader(try await service.ask("/openapi.json").body)
            for operation in reader.operations {
                let response = try await service.ask(reader.exampleTarget(operation), operation.method)
                #expect(reader.faults(of: response, to: operation) == [], "\(operation.method) \(operation.path)")
            }
        }
    }
}

extension OpenAPIReader {
    /// The codes that an operation may answer with under a status.
    fileprivate func codes(_ status: String, of operation: Operation) -> [String] {
        let response = operation.json["responses"]?[status].map(resolve)
        let narrowed = response?["content"]?["application/json"]?["schema"]?["allOf"]?.array?.last
        return narrowed?["properties"]?["code"]?["enum"]?.array?.compactMap(\.string) ?? []
    }
}

extension JSONValue {
    /// Every `$ref` in it.
    fileprivate var references: [String] {
        switch self {
        case .array(let elements): elements.flatMap(\.references)
        case .object(let object):
            object.members.flatMap { $0.name == "$ref" ? [$0.value.string ?? ""] : $0.value.references }
        default: []
        }
    }
}
