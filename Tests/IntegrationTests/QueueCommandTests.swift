import JSONWire
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

    /// What a command printed, each line as JSON.
    @ReactorActor
    private func objects(_ words: [String], at address: String) async throws -> [JSONValue] {
        let process = try await run(words + ["--json"], at: address)
        return try process.lines.map { try JSONValue(parsing: $0, limits: JSONLimits(bytes: 4096)) }
    }

    @Test @ReactorActor func `nothing is said in words, and to programs with zeros and no lines`() async throws {
        let server = try await TestServers.startRedis()
        let address = server.address.endpoint.description
        let stats = try await run(["stats"], at: address).lines
        #expect(
            stats == [
                "queued    0", "running   0", "delayed   0", "dead      0", "oldest    none waits or runs",
                "paused    no", "", "No worker has taken a task yet.", "", "No task was submitted yet.",
            ]
        )
        #expect(try await run(["dead"], at: address).lines == ["There are no dead letters."])
        #expect(try await run(["dead", "--name", "x"], at: address).lines == ["There are no such dead letters."])
        #expect(try await run(["replay", "--all"], at: address).lines == ["There are no such dead letters."])
        #expect(
            try await objects(["stats"], at: address) == [
                [
                    "queued": 0, "running": 0, "delayed": 0, "dead": 0, "paused": false, "workers": [],
                    "totals": .object(JSONObject()),
                ]
            ]
        )
        #expect(try await objects(["list"], at: address) == [])
        #expect(try await objects(["dead"], at: address) == [])
        #expect(try await objects(["replay", "--code", "x"], at: address) == [["replayed": 0]])
        #expect(try await objects(["drop", "--all"], at: address) == [["dropped": 0]])
        #expect(try await objects(["pause"], at: address) == [["paused": true, "changed": true]])
        #expect(try await objects(["pause"], at: address) == [["paused": true, "changed": false]])
        #expect(try await objects(["resume"], at: address) == [["paused": false, "changed": true]])
        let id = "01a1fd76-c4ba-78d7-ac0f-73e05585ea05"
        let unknown = try await run(["show", id], at: address)
        #expect(unknown.status == .exited(1))
        #expect(unknown.lines.first?.hasPrefix("Nothing is known of task \(id).") == true)
        await server.stop()
    }

    @Test @ReactorActor func `tasks are listed below a header, and one is shown by its id`() async throws {
        let server = try await TestServers.startRedis()
        let address = server.address.endpoint.description
        let id = "01a1fd76-c4ba-78d7-ac0f-73e05585ea05"
        let envelope =
            #"{"id":"\#(id)","name":"prices.average","arguments":{"n":1},"created_at":1790000000000,"attempt":1}"#
        try await server.run("XADD", "q:{tasks}:stream", "*", "e", envelope)
        let list = try await run(["list"], at: address).lines
        #expect(list.first?.split(separator: " ") == ["task", "name", "submitted", "attempt", "state"])
        #expect(list.last?.hasPrefix("\(id)  prices.average  2026-09-21T") == true, "\(list)")
        let object = try #require(try await objects(["show", id], at: address).first)
        #expect(object["id"] == .string(id))
        #expect(object["state"] == "queued")
        #expect(object["arguments"] == ["n": 1])
        let shown = try await run(["show", id], at: address).lines
        #expect(shown.first == "task       \(id)")
        #expect(shown.contains("state      queued"))
        await server.stop()
    }

    @Test @ReactorActor func `the figures can be watched, also while Redis is away`() async throws {
        let server = try await TestServers.startRedis()
        let environment = ["TICKLOOP_REDIS_ADDRESS": server.address.endpoint.description]
        let process = try TickloopProcess(["queue", "stats", "--watch", "--json"], environment: environment)
        try await eventually("two of them") { process.lines.count >= 2 }
        #expect(process.lines.allSatisfy { $0.hasPrefix(#"{"queued":0,"#) })
        await server.stop()
        try await eventually("said") { process.lines.contains { $0.hasPrefix(#"{"error":"#) } }
        try await server.start()
        let count = process.lines.count
        try await eventually("back") { process.lines.dropFirst(count).contains { $0.hasPrefix(#"{"queued":0,"#) } }
        try await process.kill()
        await server.stop()
    }

    @Test(arguments: [
        ["replay"], ["drop", "--all", "--name", "x"], ["replay", "--all", "--code", "x"], ["show", "x"],
    ])
    @ReactorActor func `what was not said clearly is not done`(words: [String]) async throws {
        let process = try await run(words, at: "127.0.0.1:1")
        #expect(process.status == .exited(64))
    }
}
