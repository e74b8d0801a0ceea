import Glibc
import Logging
import Metrics
import Reactor
import Supervision
import TestSupport
import Testing

@testable import Redis

/// The settings of a client of `address`, impatient enough for tests.
func configuration(_ address: Endpoint, database: Int = 0) -> RedisConfiguration {
    RedisConfiguration(endpoint: address, database: database, clientName: "tests")
}

let quiet = Logger(label: "tests") { _ in SwiftLogNoOpLogHandler() }

@Suite struct RedisClientTests {
    init() { Reactor.runInBackground() }

    /// A connected client of a database of its own.
    @ReactorActor private func client() async throws -> RedisClient {
        let address = try await TestServers.redisDatabase()
        let client = RedisClient(configuration(address.endpoint, database: address.database), logger: quiet)
        client.start()
        try #require(await client.waitUntilReady(within: .seconds(10)))
        return client
    }

    @Test @ReactorActor func `any bytes come back as they were stored`() async throws {
        let client = try await client()
        let bytes = (0...255).map { UInt8($0) } + Array("\r\n%s $5\r\n\0".utf8)
        #expect(try await client.command(["SET", "k", .bytes(bytes)]) == .status("OK"))
        #expect(try await client.command(["GET", "k"]) == .bytes(bytes))
        #expect(try await client.command(["GET", "absent"]) == .null)
        #expect(try await client.command(["STRLEN", "k"]) == .integer(Int64(bytes.count)))
        // One at a time, so each was timed.
        #expect(client.latency.count == 4)
        client.close()
    }

    @Test @ReactorActor func `nested replies keep their shape`() async throws {
        let client = try await client()
        let reply = try await client.command(["EVAL", "return {1, {'a', {}}, false}", 0])
        #expect(reply == .array([.integer(1), .array([.bytes(Array("a".utf8)), .array([])]), .null]))
        client.close()
    }

    @Test @ReactorActor func `commands of one turn are answered in order`() async throws {
        let client = try await client()
        var replies: [Int64] = []
        for _ in 0..<5000 {
            client.command(["INCR", "n"]) { result in
                if case .success(.integer(let value)) = result { replies.append(value) }
            }
        }
        try await eventually("5000 replies") { replies.count == 5000 }
        #expect(replies == Array(1...5000))
        client.close()
    }

    @Test @ReactorActor func `a value larger than every socket buffer goes out and comes back`() async throws {
        let client = try await client()
        let large = [UInt8](repeating: 7, count: 20_000_000)
        #expect(try await client.command(["SET", "large", .bytes(large)], timeout: .seconds(20)) == .status("OK"))
        #expect(try await client.command(["GET", "large"], timeout: .seconds(20)) == .bytes(large))
        client.close()
    }

    @Test @ReactorActor func `an error reply fails its command alone`() async throws {
        let client = try await client()
        await #expect(throws: RedisError.self) { try await client.command(["NOSUCHCOMMAND"]) }
        _ = try await client.command(["SET", "text", "x"])
        do {
            _ = try await client.command(["LPUSH", "text", "y"])
            Issue.record("a list operation on a string must fail")
        } catch {
            guard case .refused(let reply) = error else { throw error }
            #expect(reply.code == .wrongType)
            #expect(!error.mayHaveHappened)
        }
        #expect(client.isReady)
        client.close()
    }

    @Test @ReactorActor func `a closed client refuses at once and a pending command fails`() async throws {
        let client = try await client()
        var failure: RedisError?
        client.command(["GET", "k"]) { if case .failure(let error) = $0 { failure = error } }
        client.close()
        #expect(failure == .connectionLost(.closed))
        await #expect(throws: RedisError.disconnected) { try await client.command(["GET", "k"]) }
    }

    @Test @ReactorActor func `a client may be dropped from inside its own reply`() async throws {
        var holder: RedisClient? = try await client()
        var answers = 0
        for _ in 0..<3 {
            holder?.command(["PING"]) { _ in
                answers += 1
                holder?.close()
                holder = nil
            }
        }
        try await eventually("all callbacks") { answers == 3 }
    }

    @Test @ReactorActor func `more than the limit of pending commands is refused at once`() async throws {
        let address = try await TestServers.redisDatabase()
        var settings = configuration(address.endpoint)
        settings.pendingLimit = 3
        let client = RedisClient(settings, logger: quiet)
        client.start()
        try #require(await client.waitUntilReady(within: .seconds(10)))
        var outcomes: [Result<RedisReply, RedisError>] = []
        for _ in 0..<4 { client.command(["PING"]) { outcomes.append($0) } }
        #expect(outcomes == [.failure(.overloaded)])
        try await eventually("the other replies") { outcomes.count == 4 }
        client.close()
    }

    @Test @ReactorActor func `a script is sent by digest, and with its source when redis has forgotten it`()
        async throws
    {
        let client = try await client()
        let script = RedisScript("return {KEYS[1], ARGV[1], #ARGV}")
        let expected = RedisReply.array([.bytes(Array("k".utf8)), .bytes(Array("v".utf8)), .integer(2)])
        for _ in 0..<2 { #expect(try await script.run(on: client, keys: ["k"], ["v", 7]) == expected) }
        _ = try await client.command(["SCRIPT", "FLUSH"])
        #expect(try await script.run(on: client, keys: ["k"], ["v", 7]) == expected)
        client.close()
    }

    @Test @ReactorActor func `a script that fails after writing says that something happened`() async throws {
        let client = try await client()
        let script = RedisScript("redis.call('SET', KEYS[1], 'x') return redis.call('LPUSH', KEYS[1], 'y')")
        do {
            _ = try await script.run(on: client, keys: ["half"])
            Issue.record("the script must fail")
        } catch {
            #expect(error.mayHaveHappened)
        }
        client.close()
    }

    @Test @ReactorActor func `the password, the user and the name are given on connect`() async throws {
        let server = try await TestServers.startRedis()
        try await server.run("ACL", "SETUSER", "ada", "on", ">secret", "~*", "&*", "+@all")
        try await server.run("CONFIG", "SET", "requirepass", "other")
        var settings = RedisConfiguration(
            endpoint: server.address.endpoint,
            username: "ada",
            password: "secret",
            database: 3,
            clientName: "named"
        )
        let client = RedisClient(settings, logger: quiet)
        client.start()
        try #require(await client.waitUntilReady(within: .seconds(10)))
        #expect(try await client.command(["ACL", "WHOAMI"]).text == "ada")
        #expect(try await client.command(["CLIENT", "GETNAME"]).text == "named")
        #expect(try await client.command(["CLIENT", "INFO"]).text?.contains(" db=3 ") == true)
        client.close()

        settings.password = "wrong"
        let stranger = RedisClient(settings, logger: quiet)
        stranger.start()
        #expect(await stranger.waitUntilReady(within: .milliseconds(300)) == false)
        stranger.close()
        await server.stop()
    }
}
