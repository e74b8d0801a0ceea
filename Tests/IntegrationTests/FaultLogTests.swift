import JSONWire
import Reactor
import TestSupport
import Testing

@Suite struct FaultLogTests {
    init() { loop }

    @Test @ReactorActor func `of a fault of ours the log has the cause, and the client nothing`() async throws {
        let upstream = try TestListener()
        let system = try await System(
            ownsServers: false,
            settings: ["TICKLOOP_PROXY_1_PREFIX": "/up/", "TICKLOOP_PROXY_1_UPSTREAMS": "http://\(upstream.address)"]
        )
        // What an upstream says is no fault of ours.
        let client = try await TestSocket(to: system.endpoint(.gateway))
        client.send("GET /up/x HTTP/1.1\r\nHost: a\r\nX-Request-Id: upstreams\r\n\r\n")
        let server = try await upstream.accept()
        _ = try await server.take(through: "\r\n\r\n")
        server.send("HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n")
        #expect(try await client.takeResponse().status == 500)

        try await system.sql("alter table polling_jobs rename column missed to lost")
        let answer = try await system.ask(.api, "/prices/poll", fields: ["X-Request-Id: faulty"])
        #expect(answer.status == 500)
        #expect(answer.body == #"{"code":"INTERNAL_ERROR","message":"Something went wrong on our side."}"#)
        try await eventually("a line of the log") {
            system.lines.contains {
                $0.hasPrefix("api-1") && $0.contains("request failed") && $0.contains("faulty")
                    && $0.contains("refused by the database (42703)")
            }
        }
        #expect(!system.lines.contains { $0.contains("request failed") && $0.contains("upstreams") })
        #expect(try await system.ask(.gateway, "/prices/poll").status == 502)
        try await system.sql("alter table polling_jobs rename column lost to missed")
        #expect(try await system.ask(.gateway, "/prices/poll").status == 200)
        try await system.stop()
    }
}
