import Gzip
import JSONWire
import Reactor
import TestSupport
import Testing

extension EndToEndTests {
    /// What browsers and their like expect of the whole program.
    @Suite struct BrowserTests {
        private let system: System

        init() throws { system = try #require(RunningSystem.current) }

        @Test(arguments: [
            "/prices/average?start_date=2024-03-01&end_date=2024-03-30",
            "/prices/bars?symbol=AAPL&interval=1d&from=2024-03-01T00:00:00Z&to=2024-03-30T00:00:00Z",
            "/api/conversations?page=1", "/api/companies", "/api/tags",
        ])
        @ReactorActor
        func `averages, bars and conversations are named by what they say, the same by both roles`(target: String)
            async throws
        {
            let first = try await system.ask(.api, target)
            #expect(first.status == 200, "\(first.body)")
            let tag = try #require(first["etag"])
            for role in Role.allCases {
                let whole = try await system.ask(role, target)
                #expect(whole.body == first.body)
                #expect(whole["etag"] == tag)
                for value in [tag, "\"other\", \(tag)", "*"] {
                    let answer = try await system.ask(role, target, fields: ["If-None-Match: \(value)"])
                    #expect(answer.status == 304, "\(role) \(value)")
                    #expect(answer["etag"] == tag)
                    #expect(answer["x-request-id"] != nil)
                }
                let other = try await system.ask(role, target, fields: ["If-None-Match: \"other\""])
                #expect(other.status == 200)
            }
        }

        @Test @ReactorActor func `the gateway compresses what is long, for who takes that`() async throws {
            let plain = try await system.ask(.gateway, "/openapi.json")
            #expect(plain["vary"] == "Accept-Encoding")
            let socket = try await TestSocket(to: system.endpoint(.gateway))
            socket.send("GET /openapi.json HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip, deflate, br\r\n\r\n")
            let head = try await socket.takeResponse(to: "HEAD")
            #expect(head["content-encoding"] == "gzip")
            let body = try await socket.take(try #require(head["content-length"].flatMap { Int($0) }))
            #expect(Gunzip.decode(body, atMost: 1 << 22) == Array(plain.body.utf8))
            #expect(try await system.ask(.api, "/openapi.json", fields: ["Accept-Encoding: gzip"])["vary"] == nil)
        }

        @Test(arguments: Role.allCases) @ReactorActor
        func `every page keeps others out of it, and itself out of others`(role: Role) async throws {
            let document = try #require(try await system.ask(role, "/openapi.json").json)
            let paths = try #require(document["paths"]?.object)
            var pages = 0
            for member in paths.members
            where member.value["get"]?["responses"]?["200"]?["content"]?["text/html"] != nil
                && !member.name.contains("{")
            {
                let page = try await system.ask(role, member.name)
                guard page.status == 200 else { continue }
                pages += 1
                let policy = try #require(page["content-security-policy"], "\(member.name)")
                for part in ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"] {
                    #expect(policy.contains(part), "\(member.name)")
                }
                #expect(!policy.contains("unsafe"), "\(member.name)")
                #expect(page["x-content-type-options"] == "nosniff", "\(member.name)")
                #expect(page["referrer-policy"] == "no-referrer", "\(member.name)")
            }
            #expect(pages > 0)
        }
    }
}
