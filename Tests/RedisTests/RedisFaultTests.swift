import Glibc
import Reactor
import Supervision
import TestSupport
import Testing

@testable import Redis

/// What hiredis' field notes warn of: each loss must end in a working connection, and in exactly one callback a
/// command.
@Suite struct RedisFaultTests {
    init() { Reactor.runInBackground() }

    @Test @ReactorActor func `a server that refuses the password is asked at growing intervals, and the fault is told`()
        async throws
    {
        let server = try await TestServers.startRedis()
        var settings = RedisConfiguration(endpoint: server.address.endpoint, password: "wrong")
        settings.reconnectFirstDelay = .milliseconds(2)
        settings.reconnectDelayCap = .milliseconds(2)
        let refused = RedisClient(settings, logger: quiet)
        settings.endpoint = .unix(path: "/nowhere/redis.sock")
        let absent = RedisClient(settings, logger: quiet)
        refused.start()
        absent.start()
        try await eventually("many tries") { absent.generation > 500 && refused.fault != nil }
        #expect(refused.generation < 100)
        guard case .refused(let error)? = refused.fault else {
            Issue.record("the fault is \(String(describing: refused.fault))")
            return
        }
        #expect(error.code == .notAllowed)
        guard case .system? = absent.fault else {
            Issue.record("the fault is \(String(describing: absent.fault))")
            return
        }
        refused.close()
        absent.close()
        await server.stop()
    }

    @Test @ReactorActor func `nobody listening means failing at once, and connecting as soon as somebody does`()
        async throws
    {
        let server = try await TestServers.startRedis()
        await server.stop()
        let client = RedisClient(configuration(.tcp(host: "127.0.0.1", port: server.address.port)), logger: quiet)
        client.start()
        await #expect(throws: RedisError.disconnected) { try await client.command(["PING"]) }
        try await server.start()
        try #require(await client.waitUntilReady(within: .seconds(10)))
        #expect(try await client.command(["PING"]) == .status("PONG"))
        client.close()
        await server.stop()
    }

    @Test @ReactorActor func `no descriptor is left behind by connections that fail`() async throws {
        let fake = try FakeRedis { _ in .closes }
        let before = openDescriptors()
        var clients: [RedisClient] = []
        for endpoint in [fake.endpoint, .unix(path: "/nonexistent/redis.sock")] {
            var settings = configuration(endpoint)
            settings.reconnectFirstDelay = .microseconds(100)
            settings.reconnectDelayCap = .microseconds(100)
            let client = RedisClient(settings, logger: quiet)
            client.start()
            try await eventually("300 attempts") { client.generation > 300 }
            client.close()
            clients.append(client)
        }
        // Other tests run at the same time, and open some of their own.
        #expect(openDescriptors() < before + 200)
    }

    @Test @ReactorActor func `a missing unix socket is an ordinary failure`() async throws {
        let client = RedisClient(configuration(.unix(path: "/nonexistent/redis.sock")), logger: quiet)
        client.start()
        #expect(await client.waitUntilReady(within: .milliseconds(200)) == false)
        #expect(client.generation > 1, "it keeps trying")
        client.close()
    }

    @Test @ReactorActor func `a killed server fails what was pending once, and is found again on its return`()
        async throws
    {
        let server = try await TestServers.startRedis()
        let client = RedisClient(configuration(server.address.endpoint), logger: quiet)
        var states: [Bool] = []
        client.onStateChange { states.append($0) }
        client.start()
        try #require(await client.waitUntilReady(within: .seconds(10)))
        for _ in 0..<3 {
            server.freeze()
            var failures: [RedisError] = []
            for _ in 0..<100 {
                client.command(["PING"], timeout: .seconds(60)) { result in
                    if case .failure(let error) = result { failures.append(error) }
                }
            }
            await Reactor.yield()
            await server.kill()
            try await eventually("100 failures") { failures.count == 100 }
            #expect(!failures.contains { !$0.mayHaveHappened })
            try await server.start()
            try await eventually("the client is back") { client.isReady }
            #expect(try await client.command(["PING"]) == .status("PONG"))
        }
        #expect(states == [true, false, true, false, true, false, true])
        #expect(client.counters.losses == 3)
        client.close()
        await server.stop()
    }

    @Test @ReactorActor func `a frozen server fails the caller in time and the connection a little later`() async throws
    {
        let server = try await TestServers.startRedis()
        var settings = configuration(server.address.endpoint)
        settings.stallTimeout = .milliseconds(150)
        settings.connectTimeout = .milliseconds(100)
        let client = RedisClient(settings, logger: quiet)
        client.start()
        try #require(await client.waitUntilReady(within: .seconds(10)))
        server.freeze()
        await #expect(throws: RedisError.timedOut) {
            try await client.command(["PING"], timeout: .milliseconds(30))
        }
        try await eventually("the connection is given up") { client.counters.losses == 1 }
        server.thaw()
        try await eventually("the client is back") { client.isReady }
        #expect(try await client.command(["PING"]) == .status("PONG"))
        client.close()
        await server.stop()
    }

    @Test @ReactorActor func `a late reply belongs to nobody and the next command gets its own`() async throws {
        let server = try await TestServers.startRedis()
        let client = RedisClient(configuration(server.address.endpoint), logger: quiet)
        client.start()
        try #require(await client.waitUntilReady(within: .seconds(10)))
        server.freeze()
        await #expect(throws: RedisError.timedOut) {
            try await client.command(["ECHO", "late"], timeout: .milliseconds(30))
        }
        server.thaw()
        #expect(try await client.command(["ECHO", "own"]).text == "own")
        #expect(client.counters.losses == 0)
        client.close()
        await server.stop()
    }

    @Test @ReactorActor func `a server that has too many clients is tried again`() async throws {
        let server = try await TestServers.startRedis()
        try await server.run("CONFIG", "SET", "maxclients", "1")
        let first = RedisClient(configuration(server.address.endpoint), logger: quiet)
        first.start()
        try #require(await first.waitUntilReady(within: .seconds(10)))
        let second = RedisClient(configuration(server.address.endpoint), logger: quiet)
        second.start()
        #expect(await second.waitUntilReady(within: .milliseconds(200)) == false)
        first.close()
        try #require(await second.waitUntilReady(within: .seconds(10)))
        second.close()
        await server.stop()
    }

    @Test(arguments: [
        "-LOADING Redis is loading the dataset in memory\r\n",
        "-ERR max number of clients reached\r\n",
        "this is not RESP\r\n",
        "%1\r\n+server\r\n+x\r\n",
        "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n",
        "",
    ])
    @ReactorActor func `an introduction that fails is repeated until it is accepted`(answer: String) async throws {
        // Two replies are expected: to CLIENT SETNAME and to PING.
        let fake = try FakeRedis { number in
            if number < 4 { answer.isEmpty ? .closes : .replies(answer) } else { .replies("+OK\r\n+PONG\r\n") }
        }
        let client = RedisClient(configuration(fake.endpoint), logger: quiet)
        client.start()
        try #require(await client.waitUntilReady(within: .seconds(10)))
        #expect(fake.connections == 4)
        #expect(client.counters.connections == 1)
        client.close()
    }

    @Test @ReactorActor func `bytes that come before the introduction do no harm`() async throws {
        let fake = try FakeRedis { number in
            number == 1 ? .says("-ERR max number of clients reached\r\n") : .replies("+OK\r\n+PONG\r\n")
        }
        let client = RedisClient(configuration(fake.endpoint), logger: quiet)
        client.start()
        try #require(await client.waitUntilReady(within: .seconds(10)))
        client.close()
    }

    @Test @ReactorActor func `a server that accepts and says nothing is given up in time`() async throws {
        let fake = try FakeRedis { number in number < 3 ? .saysNothing : .replies("+OK\r\n+PONG\r\n") }
        var settings = configuration(fake.endpoint)
        settings.connectTimeout = .milliseconds(30)
        let client = RedisClient(settings, logger: quiet)
        client.start()
        try #require(await client.waitUntilReady(within: .seconds(10)))
        #expect(fake.connections >= 3)
        client.close()
    }

    @Test @ReactorActor func `a replica's refusal drops the connection`() async throws {
        let server = try await TestServers.startRedis()
        let client = RedisClient(configuration(server.address.endpoint), logger: quiet)
        client.start()
        try #require(await client.waitUntilReady(within: .seconds(10)))
        try await server.run("REPLICAOF", "127.0.0.1", "1")
        await #expect(throws: RedisError.self) { try await client.command(["SET", "k", "v"]) }
        try await eventually("the connection is dropped") { client.counters.losses >= 1 }
        try await server.run("REPLICAOF", "NO", "ONE")
        try await eventually("writes work again") { (try? await client.command(["SET", "k", "v"])) != nil }
        client.close()
        await server.stop()
    }

    @ReactorActor private func openDescriptors() -> Int {
        guard let folder = unsafe opendir("/proc/self/fd") else { return 0 }
        defer { unsafe closedir(folder) }
        var count = 0
        while unsafe readdir(folder) != nil { count += 1 }
        return count
    }
}
