import JSONWire
import Reactor
import TestSupport
import Testing

/// CONTRACT §3: there are at most `polling.max_jobs` jobs, whoever asks for one more.
@Suite struct PollingLimitTests {
    init() { loop }

    @Test @ReactorActor func `beyond the limit a new job is 503, until one is deleted`() async throws {
        let system = try await System(ownsServers: false, settings: ["TICKLOOP_POLLING_MAX_JOBS": "3"])
        let answers = (0..<12).map { number in
            let answer = Promise<TestResponse?, Never>()
            let role: Role = number.isMultiple(of: 2) ? .gateway : .api
            Reactor.spawn {
                answer.succeed(try? await system.poll(role, "{\"symbols\":[\"S\(number)\"],\"interval\":86400}"))
            }
            return answer
        }
        var accepted: [String] = []
        for answer in answers {
            let response = try #require(await answer.result.get())
            if let job = response.json?["job_id"]?.string, response.status == 202 {
                accepted.append(job)
                continue
            }
            #expect(response.status == 503, "\(response.body)")
            #expect(response.json?["code"] == "OVERLOADED")
            #expect(response["retry-after"] == "60")
        }
        #expect(accepted.count == 3)
        #expect(try await system.sql("select count(*) from polling_jobs") == ["3"])

        // What there is can be changed and read all the same.
        #expect(try await system.change(.gateway, accepted[0], #"{"paused":true}"#).status == 200)
        #expect(try await system.ask(.gateway, "/prices/poll").json?["data"]?.array?.count == 3)
        #expect(try await system.ask(.gateway, "/prices/poll/\(accepted[0])", "DELETE").status == 204)
        #expect(try await system.poll(.gateway, #"{"symbols":["NEXT"],"interval":86400}"#).status == 202)
        #expect(try await system.poll(.gateway, #"{"symbols":["NEXT"],"interval":86400}"#).status == 503)
        try await system.stop()
    }
}
