import Foundation
import Reactor
import TestSupport
import Testing

extension EndToEndTests {
    /// `Prefer: respond-async` and `GET /tasks/{id}` of the internal API.
    @Suite struct TaskTests {
        private let system: System
        private let question = Question.all[3]

        init() throws { system = try #require(RunningSystem.current) }

        private func members(_ response: TestResponse) throws -> [String: Any] {
            let object = try JSONSerialization.jsonObject(with: Data(response.body.utf8))
            return try #require(object as? [String: Any])
        }

        @Test @ReactorActor func `a client that asks later finds the result at the location`() async throws {
            let accepted = try await system.ask(.api, question.target, fields: ["Prefer: wait=1, Respond-Async"])
            #expect(accepted.status == 202)
            let id = try #require(try members(accepted)["id"] as? String)
            #expect(accepted.body == #"{"id":"\#(id)","status":"queued"}"#)
            let location = try #require(accepted["location"])
            #expect(location == "/tasks/\(id)")

            var response = accepted
            try await eventually("the result") {
                response = try await system.ask(.api, location)
                #expect(response.status == 200)
                let status = try members(response)["status"] as? String ?? ""
                #expect(["queued", "running", "succeeded"].contains(status))
                return status == "succeeded"
            }
            let task = try members(response)
            #expect(Set(task.keys) == ["id", "name", "status", "created_at", "result"])
            #expect(task["id"] as? String == id)
            #expect((task["created_at"] as? String)?.hasSuffix("Z") == true)
            #expect(response.body.contains(#""result":\#(question.body)"#))
            #expect(try await system.ask(.api, "/v1\(location)/").body == response.body)
        }

        @Test @ReactorActor func `a task that is asked for later does not have the deadline of its request`()
            async throws
        {
            let fields = ["Prefer: respond-async", "X-Request-Timeout-Ms: 0"]
            let accepted = try await system.ask(.api, question.target, fields: fields)
            #expect(accepted.status == 202)
            let location = try #require(accepted["location"])
            try await eventually("the result") {
                let status = try members(try await system.ask(.api, location))["status"] as? String ?? ""
                #expect(status != "expired" && status != "failed")
                return status == "succeeded"
            }
        }

        @Test @ReactorActor func `a faulty request is refused at once also when the client would ask later`()
            async throws
        {
            let response = try await system.ask(.api, "/prices/average", fields: ["Prefer: respond-async"])
            expectError(response, 400, "MISSING_PARAMETER", fields: ["start_date", "end_date"])
        }

        @Test @ReactorActor func `a task that is not known is not found`() async throws {
            let accepted = try await system.ask(.api, question.target, fields: ["Prefer: respond-async"])
            let id = try #require(try members(accepted)["id"] as? String)
            let other = String(id.map { $0 == "0" ? "1" : $0 == "1" ? "0" : $0 == "a" ? "b" : $0 == "b" ? "a" : $0 })
            for id in [other, "1", "x", String(repeating: "0", count: 400), "%00", "..%2f"] where id != accepted["id"] {
                expectError(try await system.ask(.api, "/tasks/\(id)"), 404, "NOT_FOUND")
            }
            expectError(try await system.ask(.gateway, "/tasks/\(id)"), 404, "NOT_FOUND")
        }
    }
}
