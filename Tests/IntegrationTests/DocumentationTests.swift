import JSONWire
import Reactor
import Supervision
import TestSupport
import Testing

extension EndToEndTests {
    /// CONTRACT §6: what the services say of themselves is true.
    @Suite struct DocumentationTests {
        private let system: System

        init() throws { system = try #require(RunningSystem.current) }

        @ReactorActor
        private func reader(_ role: Role) async throws -> OpenAPIReader {
            try OpenAPIReader(try await system.ask(role, "/openapi.json").body)
        }

        @Test(arguments: Role.allCases) @ReactorActor
        func `a service describes all that it answers to`(role: Role) async throws {
            let reader = try await reader(role)
            var paths: Set = [
                "/prices/average", "/health", "/ready", "/openapi.json", "/api-docs/openapi.json", "/swagger-ui",
                "/swagger-ui/{file}",
            ]
            if role == .api { paths.formUnion(["/tasks/{id}", "/docs"]) }
            #expect(paths.isSubset(of: Set(reader.operations.map(\.path))))
            let other = try await system.ask(role, "/v1/api-docs/openapi.json/")
            #expect(other.body == reader.document.description)
        }

        @Test(arguments: Role.allCases) @ReactorActor
        func `each route answers as it is described when it is asked as its examples are`(role: Role) async throws {
            let reader = try await reader(role)
            for operation in reader.operations {
                let body = operation.json["requestBody"]?["content"]?["application/json"]?["examples"]?["example-1"]
                let response = try await request(
                    operation.method,
                    reader.exampleTarget(operation),
                    on: system.endpoint(role),
                    fields: body == nil ? [] : ["Content-Type: application/json"],
                    body: body?["value"]?.description
                )
                #expect(reader.faults(of: response, to: operation) == [], "\(operation.method) \(operation.path)")
                // The ids of the example task and of the example order are nobody's, and no provider was asked.
                let mayBeMissing = operation.path.contains("{id}") || operation.path == "/prices/moving-average"
                #expect(response.status < 300 || mayBeMissing, "\(operation.path) \(response.body)")
            }
            let average = try #require(reader.operations.first { $0.path == "/prices/average" && $0.method == "GET" })
            let response = try await system.ask(role, reader.exampleTarget(average))
            let example = average.json["responses"]?["200"]?["content"]?["application/json"]?["example"]
            #expect(response.body == example?.description)
        }

        @Test(arguments: Role.allCases) @ReactorActor
        func `faulty requests are answered as described`(role: Role) async throws {
            let reader = try await reader(role)
            let average = try #require(reader.operations.first { $0.path == "/prices/average" && $0.method == "GET" })
            for fault in ContractTests.faults {
                let response = try await system.ask(role, "/prices/average?\(fault.query)")
                #expect(reader.faults(of: response, to: average) == [], "\(fault.query)")
            }
            for refusal in RefusalTests.refusals {
                let socket = try await TestSocket(to: system.endpoint(role))
                defer { socket.close() }
                socket.send(refusal.message)
                let response = try await socket.takeResponse()
                #expect(reader.faults(of: response, to: average) == [], "\(refusal.testDescription)")
            }
        }

        @Test(arguments: Role.allCases) @ReactorActor
        func `every route says how it refuses a parameter that it does not know, and none at all`(role: Role)
            async throws
        {
            let reader = try await reader(role)
            for operation in reader.operations where !["HEAD", "OPTIONS"].contains(operation.method) {
                let target = reader.exampleTarget(operation)
                var faulty = ["\(target)\(target.contains("?") ? "&" : "?")unknown=1"]
                if operation.method == "GET" { faulty.append(String(target.prefix { $0 != "?" })) }
                let body = operation.json["requestBody"]?["content"]?["application/json"]?["examples"]?["example-1"]
                for target in faulty {
                    let response = try await request(
                        operation.method,
                        target,
                        on: system.endpoint(role),
                        fields: body == nil ? [] : ["Content-Type: application/json"],
                        body: body?["value"]?.description
                    )
                    #expect(reader.faults(of: response, to: operation) == [], "\(target) \(response.body)")
                }
            }
        }

        @Test @ReactorActor func `a task is described from its acceptance to its end`() async throws {
            let reader = try await reader(.api)
            let average = try #require(reader.operations.first { $0.path == "/prices/average" && $0.method == "GET" })
            let accepted = try await system.ask(
                .api,
                reader.exampleTarget(average),
                fields: ["Prefer: respond-async"]
            )
            #expect(accepted.status == 202)
            #expect(reader.faults(of: accepted, to: average) == [])
            let task = try #require(reader.operations.first { $0.path == "/tasks/{id}" && $0.method == "GET" })
            let location = try #require(accepted["location"])
            try await eventually("the result") {
                let response = try await system.ask(.api, location)
                #expect(reader.faults(of: response, to: task) == [])
                return response.body.contains(#""status":"succeeded""#)
            }
            let late = try await system.ask(.api, Question.all[0].target, fields: ["X-Request-Timeout-Ms: 0"])
            #expect(late.status == 504)
            #expect(reader.faults(of: late, to: average) == [])
        }

        /// Needs the files that `etc/fetch-swagger-ui` brings, as `etc/test` sees to; how it is without them is a test
        /// of WebAPI's.
        @Test(arguments: Role.allCases) @ReactorActor
        func `the page of Swagger UI is served whole from here`(role: Role) async throws {
            for path in ["/swagger-ui", "/swagger-ui/", "/v1/swagger-ui/"] + (role == .api ? ["/docs"] : []) {
                #expect(try await system.ask(role, path).body.contains("<div id=\"swagger-ui\">"), "\(path)")
            }
            let bundle = try await system.ask(role, "/swagger-ui/swagger-ui-bundle.js")
            #expect(bundle["content-type"] == "text/javascript; charset=utf-8")
            #expect(bundle.body.contains("SwaggerUIBundle"))
        }
    }
}
