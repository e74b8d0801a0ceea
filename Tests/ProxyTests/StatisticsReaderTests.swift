import JSONWire
import Postgres
import Reactor
import TestSupport
import Testing
import WebAPI

@testable import Proxy

/// How single requests are found again in segments, on a real PostgreSQL.
@Suite struct StatisticsReaderTests {
    init() { loop }

    /// What a page is asked for with, and the same for who looks at every request.
    private static let filters = [
        ("", "true"), ("&status_code=404", "status_code = 404"), ("&route=/r/", "route = '/r/'"),
        ("&path_prefix=/p/1", "path like '/p/1%'"),
        ("&path_prefix=http://1/p/%25", "origin || path like 'http://1/p/\\%%'"),
        ("&path_prefix=http://1", "origin = 'http://1'"), ("&path_prefix=/q", "false"),
        ("&since=2020-09-13T12:26:41.250Z", "created_at >= '2020-09-13T12:26:41.250Z'"),
        (
            "&until=2020-09-13T12:26:42.750Z&since=2020-09-13T12:26:42.740Z&status_code=200",
            "created_at >= '2020-09-13T12:26:42.740Z' and created_at < '2020-09-13T12:26:42.750Z' and status_code = 200"
        ),
    ]

    @Test @ReactorActor func `pages together are all requests, newest first, whichever batches they came in`()
        async throws
    {
        let database = try await TestDatabase()
        var random = SplitMix64(seed: 11)
        // Several batches, each with requests of the same seconds; so also of the same millisecond.
        for number in 0..<4 {
            var batch = StatisticsBatch()
            for _ in 0..<100 {
                batch.append(
                    CarriedRequest(
                        unixTime: .milliseconds(1_600_000_000_000 + Int.random(in: 0...3000, using: &random)),
                        source: CarriedSource(
                            route: ["/", "/r/"].randomElement(using: &random) ?? "",
                            origin: "http://\(Int.random(in: 0...1, using: &random))"
                        ),
                        path: "/p/\(["%", "1", "12", "é", "_"].randomElement(using: &random) ?? "")",
                        status: [200, 404].randomElement(using: &random) ?? 0,
                        duration: .milliseconds(2)
                    )
                )
            }
            let text = String(decoding: batch.take(id: "0000000000000000000000000000000\(number)"), as: UTF8.self)
            try await database.execute("select record_proxied_batch($batch$\(text)$batch$)")
        }
        let pool = try await database.readyPool(connections: 1)
        defer { pool.close() }
        let reader = StatisticsReader(pool)
        for (query, condition) in Self.filters {
            for size in [1000, 130] {
                var found: [String] = []
                for page in 1...4 {
                    let target = "/?per_page=\(size)&page=\(page)\(query)"
                    let question = try StatisticsQuestion(#require(RequestContent(target: target)))
                    let json = try await reader.list(question, deadline: soon)
                    let value = try JSONValue(parsing: json, limits: JSONLimits(bytes: 1 << 20))
                    // No white space, as in all answers.
                    #expect(value.encoded == json)
                    let requests = value.array ?? []
                    #expect(requests.count <= size)
                    found += requests.map { request in
                        ["id", "path", "status_code", "seconds", "created_at"]
                            .map { request[$0].map { $0.string ?? $0.description } ?? "" }.joined(separator: "|")
                    }
                }
                let truth = try await database.rows(
                    """
                    select id, origin || path, status_code, '0.002',
                        to_char(created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
                    from proxied_requests where \(condition) order by created_at desc, id desc
                    """
                )
                #expect(found == truth, "\(query)")
                #expect(Set(found).count == found.count)
            }
        }
    }
}
