import Glibc
import JSONWire
import Reactor
import TestSupport
import Testing

extension System {
    /// `POST /prices/poll`.
    func poll(_ role: Role, _ body: String) async throws -> TestResponse {
        try await request(
            "POST",
            "/prices/poll",
            on: endpoint(role),
            fields: ["Content-Type: application/json"],
            body: body
        )
    }

    /// `PATCH` of a job.
    func change(_ role: Role, _ job: String, _ body: String) async throws -> TestResponse {
        try await request(
            "PATCH",
            "/prices/poll/\(job)",
            on: endpoint(role),
            fields: ["Content-Type: application/json"],
            body: body
        )
    }
}

extension EndToEndTests {
    /// CONTRACT §3: jobs, events and averages.
    @Suite(.serialized) struct MarketTests {
        private let system: System

        init() throws { system = try #require(RunningSystem.current) }

        @Test(arguments: Role.allCases) @ReactorActor
        func `a job runs, and each of its prices is an event and counts in an average`(role: Role) async throws {
            let symbol = "POLL_\(role)"
            let accepted = try await system.poll(role, #"{"symbols":["\#(symbol)","M&M.NS"],"interval":1}"#)
            #expect(accepted.status == 202)
            let job = try #require(accepted.json?["job_id"]?.string)
            #expect(
                accepted.body == """
                    {"job_id":"\(job)","status":"accepted","config":{"symbols":["\(symbol)","M&M.NS"],"interval":1}}
                    """
            )
            #expect(accepted["location"] == "/prices/poll/\(job)")
            try await eventually("three runs", within: .seconds(60)) {
                try await system.ask(role, "/prices/poll/\(job)").json?["runs"]?.integer ?? 0 >= 3
            }
            let paused = try await system.change(role, job, #"{"paused":true}"#)
            #expect(paused.json?["status"] == "paused")
            #expect(paused.json?["next_run_at"] == .null)
            try await eventually("every event has had its effect", within: .seconds(60)) {
                try await system.sql(
                    """
                    select (select count(*) from price_events_due where symbol = '\(symbol)')
                        + (select count(*) from polling_jobs where run_owner is not null)
                    """
                ) == ["0"]
            }
            let difference = """
                select (select count(*) from prices where symbol = '\(symbol)' and provider is not null)
                    - (select updates from symbol_averages where symbol = '\(symbol)')
                """
            #expect(try await system.sql(difference) == ["0"])
            let average = try await system.ask(role, "/prices/moving-average?symbol=\(symbol)")
            #expect(average.status == 200)
            #expect(average.json?["window"] == 5)
            let exact = """
                select moving_average = (
                    select exact_mean(sum(price), count(*)) from (
                        select price from prices where symbol = '\(symbol)' order by recorded_at desc, id desc limit 5
                    ) as newest
                ) from symbol_averages where symbol = '\(symbol)'
                """
            #expect(try await system.sql(exact) == ["t"])
            #expect(try await system.ask(role, "/prices/poll/\(job)", "DELETE").status == 204)
            #expect(try await system.ask(role, "/prices/poll/\(job)").status == 404)
            #expect(try await system.ask(role, "/prices/poll/\(job)", "DELETE").status == 404)
        }

        @Test(arguments: Role.allCases) @ReactorActor
        func `every fault of a job is named at once`(role: Role) async throws {
            let answer = try await system.poll(role, #"{"symbols":["A","A"],"interval":0,"provider":"","every":1}"#)
            #expect(answer.status == 422)
            #expect(
                answer.json?["details"]?.array?.compactMap { $0["field"]?.string }
                    == ["symbols", "interval", "provider", "every"]
            )
            let unknown = try await system.poll(role, #"{"symbols":["A"],"interval":1,"provider":"xx"}"#)
            #expect(unknown.status == 422)
            #expect(unknown.json?["message"] == "Provider 'xx' not supported.")
            #expect(try await system.change(role, "poll_1", "{}").status == 422)
            #expect(try await system.change(role, "poll_999999", #"{"paused":true}"#).status == 404)
            #expect(try await system.ask(role, "/prices/poll/1").status == 404)
        }

        @Test @ReactorActor func `dead events are shown, replayed and dropped by a tool`() async throws {
            let none = try await system.tool("events", "drop", "1-1")
            #expect(none.status == .exited(1))
            #expect(try await system.tool("events", "replay", "--all").lines.last?.hasSuffix("replayed") == true)
            #expect(try await system.tool("events", "dead").status == .exited(0))
        }
    }
}
