import JSONWire
import Reactor
import TestSupport
import Testing

extension EndToEndTests {
    /// CONTRACT §5: what the proxy carries, and what is known of it.
    @Suite struct StatisticsTests {
        private let system: System

        init() throws { system = try #require(RunningSystem.current) }

        @ReactorActor
        private func summary(_ query: String) async throws -> JSONValue {
            let response = try await system.ask(.gateway, "/api/statistics/summary?\(query)")
            #expect(response.status == 200)
            return try JSONValue(parsing: response.body, limits: JSONLimits(bytes: 1 << 20))
        }

        @Test @ReactorActor func `a request goes to the catalogue, and is in the statistics soon after`() async throws {
            let id = "TST\(Int.random(in: 1...999_999_999))"
            let answer = try await system.ask(.gateway, "/categories/\(id)?secret=1")
            #expect(answer.status == 200)
            #expect(answer.body.hasPrefix(#"{"id":"\#(id)""#))
            #expect(try await system.ask(.gateway, "/categories/\(id)/attributes").status == 200)
            #expect(try await system.ask(.gateway, "/categories/none").status == 404)
            var rows: [JSONValue] = []
            try await eventually("the rows") {
                let list = try await system.ask(.gateway, "/api/statistics/?path_prefix=/categories/\(id)&per_page=9")
                rows = (try? JSONValue(parsing: list.body, limits: JSONLimits(bytes: 1 << 20)))?.array ?? []
                return rows.count == 2
            }
            #expect(rows.allSatisfy { $0["path"]?.string?.hasPrefix("http://127.0.0.1:") == true })
            #expect(rows.first?["path"]?.string?.hasSuffix("/categories/\(id)/attributes") == true)
            #expect(rows.last?["path"]?.string?.hasSuffix("/categories/\(id)") == true)
            #expect(rows.allSatisfy { $0["status_code"]?.integer == 200 && ($0["seconds"]?.double ?? -1) >= 0 })
            let found = try await summary("path_prefix=/categories/\(id)")
            #expect(found["requests"]?.integer == 2)
            #expect(found["success_rate"]?.double == 1)
            #expect(found["status"]?["2xx"]?.integer == 2)
            let all = try await summary("since=2020-01-01T00:00:00Z")
            #expect((all["requests"]?.integer ?? 0) >= 3)
            #expect((all["status"]?["4xx"]?.integer ?? 0) >= 1)
            let none = try await summary("until=2020-01-01T00:00:00Z")
            #expect(none["requests"]?.integer == 0)
            #expect(none["success_rate"]?.isNull == true)
        }

        @Test @ReactorActor func `a batch that comes twice is counted once, and sums are those of the rows`()
            async throws
        {
            let rows = (0..<200).map { index in
                // Over three days, hours and minutes, so that each width has its share.
                let time = 1_600_000_000_000 + index * 1_300_000
                return #"{"t":\#(time),"r":"/t/","o":"http://t","p":"/t/\#(index)","s":\#(index % 2 == 0 ? 200 : 503),"#
                    + #""m":\#(index),"b":\#(index)}"#
            }
            let batch = #"{"batch":"00000000000000000000000000000abc","rows":[\#(rows.joined(separator: ","))]}"#
            #expect(try await system.sql("select record_proxied('\(batch)')") == ["t"])
            #expect(try await system.sql("select record_proxied('\(batch)')") == ["f"])
            #expect(try await system.sql("select count(*) from proxied_requests where route = '/t/'") == ["200"])
            let ranges = [
                ("2020-09-13T12:26:40Z", "2020-09-16T12:00:00Z"), ("2020-09-13T12:26:40.001Z", "2020-09-13T13:00:00Z"),
                ("2020-09-14T00:00:00Z", "2020-09-15T00:00:00Z"), ("2020-09-13T12:59:59Z", "2020-09-15T01:02:03.004Z"),
            ]
            for (since, until) in ranges {
                let sums = try await system.sql(
                    "select sum(requests), sum(microseconds), max(longest) from proxied_totals('\(since)', '\(until)')"
                )
                let truth = try await system.sql(
                    "select count(*), sum(microseconds), max(microseconds) from proxied_requests "
                        + "where created_at >= '\(since)' and created_at < '\(until)'"
                )
                #expect(sums == truth)
            }
            let found = try await summary("since=2020-09-14T00:00:00Z&until=2020-09-15T00:00:00Z")
            #expect(found["status"]?["5xx"]?.integer == (found["requests"]?.integer ?? 0) / 2)
        }
    }
}
