import Reactor
import TestSupport
import Testing

extension EndToEndTests {
    /// CONTRACT §1 and §2, on both services.
    @Suite struct ContractTests {
        private let system: System
        private static let days = "start_date=2025-01-06&end_date=2025-01-07"
        private static let average = "/prices/average?\(days)"
        private static let answer = Question.answer([("2025-01-06", "100.38"), ("2025-01-07", "102.75")])

        init() throws { system = try #require(RunningSystem.current) }

        @Test(arguments: Role.allCases) @ReactorActor
        func `the mean of each day of the sample is exact`(role: Role) async throws {
            let response = try await system.ask(role, Self.average)
            #expect(response.status == 200)
            #expect(response["content-type"] == "application/json")
            #expect(
                response.body
                    == #"{"data":[{"date":"2025-01-06","average_price":100.38},"#
                    + #"{"date":"2025-01-07","average_price":102.75}]}"#
            )
            for question in Question.all {
                #expect(try await system.ask(role, question.target).body == question.body)
            }
        }

        @Test(arguments: Role.allCases) @ReactorActor
        func `the same question may be spelt in several ways`(role: Role) async throws {
            let targets = [
                "/v1\(Self.average)", "/prices/average/?\(Self.days)", "/v1/prices/average/?\(Self.days)",
                "/prices/average?end_date=2025-01-07&start_date=2025-01-06",
                "/prices/average?start%5Fdate=2025%2D01-06&end_date=%32025-01-07",
                "/prices/average?\(Self.days)&symbol=AAPL", "/prices/average?\(Self.days)&symbol=%41APL",
                "http://localhost\(Self.average)",
            ]
            for target in targets {
                let response = try await system.ask(role, target)
                #expect(response.status == 200, "\(target)")
                #expect(response.body == Self.answer, "\(target)")
            }
        }

        @Test(arguments: Role.allCases) @ReactorActor
        func `days without prices are left out`(role: Role) async throws {
            for query in [
                "start_date=1901-01-01&end_date=1901-12-31", "\(Self.days)&symbol=NONE",
                "start_date=2025-01-08&end_date=2025-01-08",
            ] {
                let response = try await system.ask(role, "/prices/average?\(query)")
                #expect(response.status == 200)
                #expect(response.body == #"{"data":[]}"#, "\(query)")
            }
            // The longest range that is allowed.
            let longest = "/prices/average?start_date=2015-01-01&end_date=2025-01-07"
            #expect(try await system.ask(role, longest).status == 200)
        }

        /// A query, and the error that it gets.
        struct Fault: Sendable, CustomTestStringConvertible {
            let query: String
            let code: String
            let fields: [String]

            init(_ query: String, _ code: String, _ fields: String...) {
                (self.query, self.code, self.fields) = (query, code, fields)
            }

            var testDescription: String { query }
        }

        static let faults: [Fault] =
            [
                Fault("", "MISSING_PARAMETER", "start_date", "end_date"),
                Fault("start_date=2025-01-06", "MISSING_PARAMETER", "end_date"),
                Fault("start_date=&end_date=2025-01-06", "MISSING_PARAMETER", "start_date"),
                Fault("start_date=2025-01-07&end_date=2025-01-06", "INVALID_DATE_RANGE", "start_date", "end_date"),
                Fault("start_date=2015-01-01&end_date=2025-01-08", "INVALID_DATE_RANGE", "start_date", "end_date"),
                Fault("\(days)&start_date=2025-01-06", "INVALID_PARAMETER", "start_date"),
                Fault("\(days)&symbol=AAPL&symbol=AAPL", "INVALID_PARAMETER", "symbol"),
                Fault("\(days)&symbol=", "INVALID_PARAMETER", "symbol"),
                Fault("\(days)&symbol=A%20B", "INVALID_PARAMETER", "symbol"),
                Fault("\(days)&symbol=\(String(repeating: "A", count: 33))", "INVALID_PARAMETER", "symbol"),
                Fault("\(days)&symbol=%ff", "INVALID_PARAMETER", "symbol"),
                Fault("start_date=2025-01-0%&end_date=2025-01-07", "INVALID_PARAMETER", "start_date"),
                Fault("start_date=2025-01-06&end_date=2025-01-0%zz", "INVALID_PARAMETER", "end_date"),
                Fault("\(days)&limit=5", "UNKNOWN_PARAMETER", "limit"),
                Fault("\(days)&Symbol=AAPL", "UNKNOWN_PARAMETER", "Symbol"),
                Fault("start_date=x&end_date=2025-01-06&limit=5", "INVALID_DATE", "start_date", "limit"),
            ]
            + [
                "2025-1-6", "%202025-01-06", "+2025-01-06", "2025-01-06%20", "2025-02-30", "2025-02-29", "2025-13-01",
                "2025-00-10", "2025-01-00", "2025-01-06T00:00:00", "20250106", "2025/01/06", "06-01-2025", "2025-01-0x",
                "2025-01-06%00", "%EF%BC%92025-01-06", "today", "-025-01-06",
            ]
            .map { Fault("start_date=\($0)&end_date=2025-01-07", "INVALID_DATE", "start_date") }

        @Test(arguments: Role.allCases, faults) @ReactorActor
        func `a faulty query is refused with all that is wrong`(role: Role, fault: Fault) async throws {
            let target = fault.query.isEmpty ? "/prices/average" : "/prices/average?\(fault.query)"
            expectError(try await system.ask(role, target), 400, fault.code, fields: fault.fields)
        }

        @Test(arguments: Role.allCases) @ReactorActor
        func `what is not there is 404, and what is there answers to its methods only`(role: Role) async throws {
            for path in [
                "/", "/prices", "/prices/averages", "/PRICES/average", "/prices/average//", "/v1", "/v2/health",
                "/prices/%61verage/x", "/tasks/7",
            ] {
                expectError(try await system.ask(role, path), 404, "NOT_FOUND")
            }
            for path in ["/prices/average", "/v1/prices/average", "/health", "/ready/"] {
                for method in ["POST", "PUT", "DELETE", "PATCH"] {
                    let refusal = try await system.ask(role, path, method)
                    expectError(refusal, 405, "METHOD_NOT_ALLOWED")
                    #expect(refusal["allow"] == "GET, HEAD, OPTIONS")
                }
                let options = try await system.ask(role, path, "OPTIONS")
                #expect(options.status == 204)
                #expect(options["allow"] == "GET, HEAD, OPTIONS")
            }
            // RFC 9110 §9.3.7: about the service as a whole.
            let options = try await system.ask(role, "*", "OPTIONS")
            #expect(options.status == 204)
            #expect(options["allow"]?.contains("POST") == true)
        }

        @Test(arguments: Role.allCases) @ReactorActor
        func `HEAD answers like GET without the body`(role: Role) async throws {
            let socket = try await TestSocket(to: system.endpoint(role))
            defer { socket.close() }
            socket.send("HEAD \(Self.average) HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            let response = try await socket.takeResponse(to: "HEAD")
            #expect(response.status == 200)
            #expect(response["content-type"] == "application/json")
            #expect(response["content-length"] == "\(Self.answer.utf8.count)")
            #expect(try await socket.takeAll() == "")
        }

        @Test(arguments: Role.allCases) @ReactorActor
        func `requests sent at once are answered in their order`(role: Role) async throws {
            let socket = try await TestSocket(to: system.endpoint(role))
            defer { socket.close() }
            for question in Question.all {
                socket.send("GET \(question.target) HTTP/1.1\r\nHost: localhost\r\n\r\n")
            }
            for question in Question.all {
                #expect(try await socket.takeResponse().body == question.body)
            }
        }

        @Test(arguments: Role.allCases) @ReactorActor
        func `a request keeps the id that it brought, or gets one`(role: Role) async throws {
            for id in ["7", "order-1_~!|{}", String(repeating: "x", count: 128)] {
                for target in [Self.average, "/prices/average", "/nothing", "/health"] {
                    let response = try await system.ask(role, target, fields: ["X-Request-Id: \(id)"])
                    #expect(response["x-request-id"] == id)
                }
            }
            let endpoint = system.endpoint(role)
            for refused in ["Content-Length: 200000000", "Expect: magic", "Transfer-Encoding: chunked\r\n\r\nx"] {
                let socket = try await TestSocket(to: endpoint)
                socket.send("POST /orders HTTP/1.1\r\nHost: a\r\nX-Request-Id: 7\r\n\(refused)\r\n\r\n")
                let response = try await socket.takeResponse()
                #expect(response["x-request-id"] == "7" && response["connection"] == "close", "\(response)")
            }
            var made: Set<String> = []
            for fields in [
                [], ["X-Request-Id: "], ["X-Request-Id: a b"], ["X-Request-Id: \(String(repeating: "x", count: 129))"],
                ["X-Request-Id: \u{e9}"],
            ] {
                let id = try #require(try await system.ask(role, "/health", fields: fields)["x-request-id"])
                #expect((1...128).contains(id.utf8.count) && id.utf8.allSatisfy { (0x21...0x7e).contains($0) })
                made.insert(id)
            }
            #expect(made.count == 5)
        }

        @Test(arguments: Role.allCases) @ReactorActor
        func `both services say that they live and are ready`(role: Role) async throws {
            for path in ["/health", "/v1/health", "/health/"] {
                let health = try await system.ask(role, path)
                #expect(health.status == 200)
                #expect(health.body == #"{"status":"ok"}"#)
            }
            #expect(try await system.ask(role, "/ready").status == 200)
        }
    }
}
