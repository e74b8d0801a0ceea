import Access
import Basics
import JSONWire
import Reactor
import Supervision
import TestSupport
import Testing

/// The admin listener while tokens are asked for (CONTRACT §8): the scope `admin`, from a program or by a browser.
@Suite struct AdminAccessTests {
    init() { loop }

    @ReactorActor
    private func token(_ scope: String, _ keys: String, of subject: String) async throws -> String {
        let command = try TickloopProcess(
            ["token", "--sub", subject, "--expires-in", "3600", "--scope", scope],
            environment: ["TICKLOOP_AUTH_KEYS": keys],
            folder: packageFolder
        )
        #expect(try await command.waitForEnd() == .exited(0))
        return try #require(command.lines.first)
    }

    /// What a browser sends: `NAME:PASSWORD` in Base64.
    private func basic(_ token: String) -> String {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
        var text = ""
        var bits: UInt32 = 0
        var count = 0
        for byte in "me:\(token)".utf8 {
            bits = bits << 8 | UInt32(byte)
            count += 8
            while count >= 6 {
                count -= 6
                text.append(alphabet[Int(bits >> UInt32(count) & 63)])
            }
        }
        if count > 0 { text.append(alphabet[Int(bits << UInt32(6 - count) & 63)]) }
        return text + String(repeating: "=", count: (4 - text.count % 4) % 4)
    }

    @Test @ReactorActor func `every route wants the scope admin, and who acts is whom the token names`() async throws {
        let folder = try TestFolder.make()
        let keys = "\(folder)/keys.json"
        try Files.write(TokenKeys.newSecret(), to: keys)
        let ports = try (0..<3).map { _ in try FreePort.choose() }
        // Any address will do now.
        let admin = Endpoint.tcp(host: "127.0.0.1", port: ports[0])
        let redis = try await TestServers.redisDatabase().localURL
        let process = try TickloopProcess(
            ["api"],
            environment: [
                "TICKLOOP_AUTH_MODE": "jwt", "TICKLOOP_AUTH_KEYS": keys, "TICKLOOP_REDIS_URL": redis,
                "TICKLOOP_SERVER_LISTEN": "127.0.0.1:\(ports[1])", "TICKLOOP_ADMIN_LISTEN": "0.0.0.0:\(ports[0])",
                "TICKLOOP_DATABASE_URL": "postgres://nobody@127.0.0.1:\(ports[2])/nothing",
            ],
            folder: packageFolder
        )
        try await eventually("an answer", within: .seconds(60)) {
            (try? await request("GET", "/console", on: admin).status) == 401
        }
        for target in ["/console", "/console/console.js", "/admin/snapshot", "/admin/limits", "/admin/audit"] {
            let bare = try await request("GET", target, on: admin)
            #expect(bare.status == 401, "\(target)")
            let challenges = bare.fields.filter { $0.name == "www-authenticate" }.map(\.value)
            #expect(challenges.first == "Bearer" && challenges.last?.hasPrefix("Basic ") == true, "\(challenges)")
        }
        let reader = try await token("prices:read", keys, of: "ada")
        let chief = try await token("admin", keys, of: "bo")
        for value in ["Bearer \(reader)", "Basic \(basic(reader))"] {
            #expect(try await request("GET", "/console", on: admin, fields: ["Authorization: \(value)"]).status == 403)
        }
        for value in ["Basic !", "Basic \(basic("x"))", "Basic YTpi", "Bearer x"] {
            #expect(try await request("GET", "/console", on: admin, fields: ["Authorization: \(value)"]).status == 401)
        }
        for value in ["Bearer \(chief)", "Basic \(basic(chief))"] {
            let fields = ["Authorization: \(value)"]
            #expect(try await request("GET", "/console", on: admin, fields: fields).status == 200)
            #expect(try await request("POST", "/admin/queue/resume", on: admin, fields: fields).status == 403)
            let acted = try await request("POST", "/admin/queue/resume", on: admin, fields: fields + ["X-Operator: me"])
            #expect(acted.status == 200, "\(acted.body)")
        }
        let log = try await request("GET", "/admin/audit", on: admin, fields: ["Authorization: Bearer \(chief)"])
        let entries = try JSONValue(parsing: log.body, limits: JSONLimits(bytes: 1 << 20))["data"]?.array ?? []
        #expect(entries.map { $0["who"]?.string } == ["bo", "bo"])
        // Programs of the public listener know no dialog.
        let api = Endpoint.tcp(host: "127.0.0.1", port: ports[1])
        let refused = try await request("GET", "/orders", on: api, fields: ["Authorization: Basic \(basic(chief))"])
        #expect(refused.status == 401)
        try await process.kill()
    }
}
