import Reactor
import Redis
import Supervision
import TestSupport
import Testing

/// `tickloop queue`, which says what is the matter and what to do.
@Suite struct QueueCommandTests {
    init() { loop }

    @ReactorActor
    private func run(_ words: [String], at address: String, password: String? = nil) async throws -> TickloopProcess {
        var environment = ["TICKLOOP_REDIS_ADDRESS": address]
        if let password { environment["TICKLOOP_REDIS_PASSWORD"] = password }
        let process = try TickloopProcess(["queue"] + words, environment: environment, folder: packageFolder)
        try await process.waitForEnd()
        return process
    }

    @Test @ReactorActor func `a broker that cannot be reached is said with its cause and what to do`() async throws {
        let server = try await TestServers.startRedis()
        let address = server.address.endpoint.description
        let empty = try await run(["list"], at: address)
        #expect(empty.status == .exited(0))
        #expect(empty.lines == ["The queue is empty."])
        let wrong = try await run(["stats"], at: address, password: "wrong")
        #expect(wrong.status == .exited(69))
        #expect(wrong.lines.first?.contains("TICKLOOP_REDIS_PASSWORD") == true, "\(wrong.lines)")
        await server.stop()
        let gone = try await run(["stats"], at: address)
        #expect(gone.status == .exited(69))
        #expect(gone.lines.first?.contains("Is Redis running there?") == true, "\(gone.lines)")
    }

    @Test(arguments: ["0", "-1", "10001"])
    @ReactorActor func `a limit that makes no sense is refused before anything is asked`(limit: String) async throws {
        let process = try await run(["list", "--limit=\(limit)"], at: "127.0.0.1:1")
        #expect(process.status == .exited(64))
        #expect(process.lines.contains { $0.contains("--limit must be between 1 and 10000") }, "\(process.lines)")
    }
}
