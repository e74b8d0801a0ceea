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
            try await lookOverTime()
        }

        @ReactorActor
        private func read(_ target: String) async throws -> JSONValue {
            let response = try await system.ask(.gateway, target)
            #expect(response.status == 200, "\(target): \(response.body)")
            return try JSONValue(parsing: response.body, limits: JSONLimits(bytes: 1 << 20))
        }

        /// What is known of the batch above, by hour, by route and by path.
        @ReactorActor
        private func lookOverTime() async throws {
            let range = "since=2020-09-13T12:26:40Z&until=2020-09-16T12:59:00Z"
            let series = try await read("/api/statistics/series?\(range)&route=/t/")
            #expect(series["width_s"]?.integer == 3600)
            let hours = series["data"]?.array ?? []
            #expect(hours.first?["time"]?.string == "2020-09-13T12:00:00Z")
            #expect(hours.reduce(0) { $0 + ($1["requests"]?.integer ?? 0) } == 200)
            #expect(hours.map { $0["time"]?.string ?? "" } == hours.map { $0["time"]?.string ?? "" }.sorted())
            let routes = try await read("/api/statistics/routes?\(range)")["data"]?.array ?? []
            #expect(routes.map { $0["route"]?.string } == ["/t/"])
            #expect(routes.first?["requests"]?.integer == 200)
            #expect(routes.first?["success_rate"]?.double == 0.5)
            let top = try await read("/api/statistics/top?\(range)&route=/t/&limit=3")
            #expect(top["data"]?.array?.compactMap { $0["path"]?.string } == ["/t/0", "/t/1", "/t/10"])
            #expect(top["other"]?["requests"]?.integer == 197)
            for query in ["route=/t/", "path_prefix=/t/", "path_prefix=http://t", "path_prefix=http://t/t/&route=/t/"] {
                #expect(try await summary("\(range)&\(query)")["requests"]?.integer == 200, "\(query)")
            }
            #expect(try await summary("\(range)&path_prefix=/t/19")["requests"]?.integer == 11)
            #expect(try await summary("\(range)&route=/other/")["requests"]?.integer == 0)
            let rows = try await read("/api/statistics/?\(range)&route=/t/&status_code=503&per_page=2&page=2").array
            #expect(rows?.compactMap { $0["path"]?.string } == ["http://t/t/195", "http://t/t/193"])
        }

        @Test(
            arguments: [
                ("/?page=0", "INVALID_PARAMETER"), ("/?per_page=1001", "INVALID_PARAMETER"),
                ("/?status_code=99", "INVALID_PARAMETER"), ("/?since=yesterday", "INVALID_PARAMETER"),
                ("/?limit=5", "UNKNOWN_PARAMETER"), ("/summary?page=1", "UNKNOWN_PARAMETER"),
                ("/summary?path_prefix=%zz", "INVALID_PARAMETER"), ("/summary?path_prefix=%00", "INVALID_PARAMETER"),
                ("/summary?since=2025-01-02T00:00:00Z&until=2025-01-01T00:00:00Z", "INVALID_DATE_RANGE"),
                ("/series?path_prefix=/", "UNKNOWN_PARAMETER"), ("/series?until=1", "INVALID_PARAMETER"),
                ("/top?limit=101", "INVALID_PARAMETER"), ("/routes?route=/", "UNKNOWN_PARAMETER"),
            ]
        )
        @ReactorActor func `what cannot be asked is refused with a reason`(target: String, code: String) async throws {
            for role in Role.allCases {
                let answer = try await system.ask(role, "/api/statistics\(target)")
                #expect(answer.status == 400)
                #expect(answer.body.hasPrefix(#"{"code":"\#(code)""#), "\(answer.body)")
            }
        }

        @Test @ReactorActor func `the page that shows it is there, and loads nothing from elsewhere`() async throws {
            let page = try await system.ask(.gateway, "/statistics")
            #expect(page.status == 200)
            #expect(page["content-type"]?.hasPrefix("text/html") == true)
            #expect(page["content-security-policy"]?.contains("default-src 'none'") == true)
            #expect(!page.body.contains("://"))
            for name in ["statistics.css", "statistics.js"] {
                let file = try await system.ask(.gateway, "/statistics/\(name)")
                #expect(file.status == 200)
                #expect(!file.body.contains("://"))
            }
        }
    }
}
