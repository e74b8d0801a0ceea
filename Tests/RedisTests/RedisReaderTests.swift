import Reactor
import Supervision
import TestSupport
import Testing

@testable import Redis

@Suite struct RedisReaderTests {
    init() { Reactor.runInBackground() }

    @ReactorActor private func server() async throws -> (RedisConfiguration, RedisClient) {
        let address = try await TestServers.redisDatabase()
        let settings = configuration(address.endpoint, database: address.database)
        let client = RedisClient(settings, logger: quiet)
        client.start()
        try #require(await client.waitUntilReady(within: .seconds(10)))
        return (settings, client)
    }

    @ReactorActor private func reader(_ settings: RedisConfiguration) async throws -> RedisBlockingReader {
        let reader = RedisBlockingReader(settings, logger: quiet)
        reader.start()
        try await eventually("the reader is connected") { reader.isReady }
        return reader
    }

    @Test @ReactorActor func `a blocked read is answered as soon as there is something`() async throws {
        let (settings, client) = try await server()
        let reader = try await reader(settings)
        var read: RedisReply?
        var command: RedisCommand = ["XREAD", "BLOCK", 10_000, "STREAMS", "s", "0-0"]
        reader.read(&command, blockingFor: .seconds(10)) { outcome in
            read = try? outcome.copied().get()
        }
        #expect(reader.isReading)
        _ = try await client.command(["XADD", "s", "*", "f", "v"])
        try await eventually("the entry") { read != nil }
        #expect(read?.array?.first?.array?.first?.text == "s")
        #expect(!reader.isReading)
        reader.close()
        client.close()
    }

    @Test @ReactorActor func `an interruption returns nothing, however early it comes`() async throws {
        let (settings, client) = try await server()
        let reader = try await reader(settings)
        for _ in 0..<20 {
            var wasNull: Bool?
            var command: RedisCommand = ["XREAD", "BLOCK", 60_000, "STREAMS", "s", "0-0"]
            reader.read(&command, blockingFor: .seconds(60)) { outcome in
                wasNull = (try? outcome.copied().get()) == .null
            }
            // The read has not even been written yet.
            reader.interrupt(through: client)
            try await eventually("the read returns") { wasNull != nil }
            #expect(wasNull == true)
        }
        reader.close()
        client.close()
    }

    @Test @ReactorActor func `an interruption loses no batch that is on its way`() async throws {
        let (settings, client) = try await server()
        let reader = try await reader(settings)
        _ = try await client.command(["XGROUP", "CREATE", "s", "g", "0", "MKSTREAM"])
        var delivered = 0
        for _ in 0..<200 {
            var isDone = false
            var command: RedisCommand = ["XREADGROUP", "GROUP", "g", "c", "BLOCK", 60_000, "STREAMS", "s", ">"]
            reader.read(&command, blockingFor: .seconds(60)) { outcome in
                delivered += (try? outcome.copied().get())?.array?.first?.array?[1].array?.count ?? 0
                isDone = true
            }
            client.command(["XADD", "s", "*", "f", "v"]) { _ in }
            reader.interrupt(through: client)
            try await eventually("the read returns") { isDone }
        }
        var last: RedisReply?
        var command: RedisCommand = ["XREADGROUP", "GROUP", "g", "c", "STREAMS", "s", ">"]
        reader.read(&command, blockingFor: .zero) { outcome in
            last = try? outcome.copied().get()
        }
        try await eventually("the rest") { last != nil }
        delivered += last?.array?.first?.array?[1].array?.count ?? 0
        #expect(delivered == 200)
        reader.close()
        client.close()
    }

    @Test @ReactorActor func `a silent server ends the read after its block and a margin`() async throws {
        let server = try await TestServers.startRedis()
        var settings = configuration(server.address.endpoint)
        settings.stallTimeout = .milliseconds(50)
        let reader = try await reader(settings)
        var failure: RedisError?
        var command: RedisCommand = ["XREAD", "BLOCK", 10, "STREAMS", "s", "0-0"]
        server.freeze()
        reader.read(&command, blockingFor: .milliseconds(10)) { failure = $0.error }
        try await eventually("the read fails") { failure != nil }
        #expect(reader.counters.losses == 1)
        server.thaw()
        try await eventually("the reader is back") { reader.isReady }
        reader.close()
        await server.stop()
    }
}

@Suite struct RedisSubscriberTests {
    init() { Reactor.runInBackground() }

    @Test @ReactorActor func `messages arrive, and again after the server was away`() async throws {
        let server = try await TestServers.startRedis()
        var messages: [String] = []
        var subscriptions = 0
        let subscriber = RedisSubscriber(
            configuration(server.address.endpoint),
            channels: ["a", "b"],
            logger: quiet
        )
        subscriber.onSubscribed = { subscriptions += 1 }
        subscriber.onMessage = { channel, payload in
            messages.append(channel + "=" + String(decoding: [UInt8](copying: payload), as: UTF8.self))
        }
        subscriber.start()
        try await eventually("subscribed") { subscriptions == 1 }
        #expect(subscriber.isSubscribed)
        try await server.run("PUBLISH", "a", "1")
        try await server.run("PUBLISH", "b", "2")
        try await eventually("two messages") { messages == ["a=1", "b=2"] }

        await server.kill()
        try await eventually("noticed") { !subscriber.isSubscribed }
        try await server.start()
        try await eventually("subscribed again") { subscriptions == 2 }
        try await server.run("PUBLISH", "a", "3")
        try await eventually("the third message") { messages.last == "a=3" }
        subscriber.close()
        #expect(!subscriber.isSubscribed)
        await server.stop()
    }

    @Test @ReactorActor func `a user who may not subscribe is tried again and harms nothing`() async throws {
        let server = try await TestServers.startRedis()
        try await server.run("ACL", "SETUSER", "default", "resetchannels")
        let subscriber = RedisSubscriber(configuration(server.address.endpoint), channels: ["a"], logger: quiet)
        subscriber.start()
        try await Reactor.sleep(for: .milliseconds(100))
        #expect(!subscriber.isSubscribed)
        try await server.run("ACL", "SETUSER", "default", "allchannels")
        try await eventually("subscribed") { subscriber.isSubscribed }
        subscriber.close()
        await server.stop()
    }

    @Test @ReactorActor func `hints that come together are two messages, the last of them after the last hint`()
        async throws
    {
        let server = try await TestServers.startRedis()
        var heard = 0
        let subscriber = RedisSubscriber(configuration(server.address.endpoint), channels: ["a"], logger: quiet)
        subscriber.onMessage = { _, _ in heard += 1 }
        subscriber.start()
        let client = RedisClient(configuration(server.address.endpoint), logger: quiet)
        client.start()
        try await eventually("connections") { subscriber.isSubscribed && client.isReady }
        let hint = RedisHint(client, channel: "a")
        for _ in 1...100 { hint.give() }
        try await eventually("two messages") { heard == 2 }
        hint.give()
        try await eventually("the third message") { heard == 3 }

        await server.kill()
        try await eventually("noticed") { !client.isReady }
        hint.give()
        try await server.start()
        try await eventually("connections") { subscriber.isSubscribed && client.isReady }
        hint.give()
        try await eventually("the message after the server was away") { heard == 4 }
        client.close()
        subscriber.close()
        await server.stop()
    }
}
