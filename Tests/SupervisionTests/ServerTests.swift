import Glibc
import Reactor
import TestSupport
import Testing

@testable import Supervision

@Suite struct ServerTests {
    init() { Reactor.runInBackground() }

    @Test @ReactorActor func `each database is empty and belongs to the role in its address`() async throws {
        let first = try await TestServers.createDatabase()
        let second = try await TestServers.createDatabase()
        #expect(first.database != second.database)
        let server = try await TestServers.postgres()
        try await server.run("CREATE TABLE t (n int)", on: first.database)
        #expect(
            try await server.run(
                "SELECT current_user, count(*) FROM pg_tables WHERE tablename = 't'",
                on: second.database
            )
                == ["tickloop|0"]
        )
        #expect(try await server.run("SHOW lc_collate", on: second.database) == ["C"])
        await #expect(throws: SupervisionError.self) { try await server.run("SELECT nonsense") }
    }

    @Test @ReactorActor func `PostgreSQL comes back on its port after kill -9, with what was committed`() async throws {
        let server = try await TestServers.startPostgres()
        try await server.run("CREATE TABLE t AS SELECT 42 AS n")
        await server.kill()
        await #expect(throws: SupervisionError.self) { try await server.run("SELECT n FROM t") }
        try await server.start()
        #expect(try await server.run("SELECT n FROM t") == ["42"])
        await server.stop()
    }

    @Test @ReactorActor func `a pid file of a killed PostgreSQL whose pid is in use again is no obstacle`() async throws
    {
        let folder = try TestFolder.make()
        var settings = PrivatePostgres.Settings(password: "secret")
        settings.isDurable = false
        let server = try PrivatePostgres(folder: folder, port: FreePort.choose(), settings: settings)
        try await server.prepare()
        // Any process that PostgreSQL cannot tell from one of its own; it looks away from itself and its parents only.
        try Files.write("1\n\(server.cluster)\n", to: "\(server.cluster)/postmaster.pid")
        let service = SupervisedService(server.service)
        try await service.start()
        #expect(try await server.run("SELECT 1") == ["1"])
        await service.stop()
    }

    @Test @ReactorActor func `Redis keeps its data over a kill, also when its file was cut short`() async throws {
        let server = try await TestServers.startRedis(isDurable: true)
        try await server.run("SET", "a", "1")
        try await server.run("SET", "b", "2")
        await server.stop()
        let folder = Files.parent(of: try #require(server.address.socketPath)) + "/appendonlydir"
        let file = try #require(Files.entries(ofFolder: folder).first { $0.hasSuffix(".incr.aof") })
        let bytes = try #require(Files.read("\(folder)/\(file)"))
        #expect(unsafe truncate("\(folder)/\(file)", bytes.count - 3) == 0)
        try await server.start()
        #expect(try await server.run("GET", "a") == ["1"])
        await server.kill()
    }

    @Test @ReactorActor func `a service that ends is started again, and stays away once stopped`() async throws {
        let redis = try PrivateRedis(folder: TestFolder.make(), port: FreePort.choose())
        try redis.prepare()
        var events: [SupervisedService.Event] = []
        let service = SupervisedService(redis.service) { event in
            if case .line = event { return }
            events.append(event)
        }
        try await service.start()
        let first = try #require(service.child?.pid)
        service.child?.kill()
        try await eventually("the restart") { service.isReady && service.child?.pid != first }
        let second = try #require(service.child?.pid)
        await service.stop()
        #expect(!service.isReady)
        #expect(service.child == nil)
        guard case .restarting? = events.dropFirst(3).first else {
            Issue.record("\(events)")
            return
        }
        events.remove(at: 3)
        #expect(
            events == [
                .started(first), .ready, .ended(.signaled(SIGKILL)), .started(second), .ready, .ended(.exited(0)),
            ]
        )
    }

    @Test @ReactorActor func `a service that never works is given up with its last words`() async throws {
        let nobody = Probe.redis(.tcp(host: "127.0.0.1", port: try FreePort.choose()))
        let service = SupervisedService(
            SupervisedService.Description(
                name: "x",
                command: Command("/bin/sh", ["-c", "echo broken; exit 1"]),
                probe: nobody
            )
        )
        await #expect(throws: SupervisionError.ended(name: "x", .exited(1), lastLine: "broken")) {
            try await service.start()
        }
    }

    @Test @ReactorActor func `a stop during the start ends both`() async throws {
        let nobody = Probe.redis(.tcp(host: "127.0.0.1", port: try FreePort.choose()))
        let service = SupervisedService(
            SupervisedService.Description(name: "x", command: Command("/bin/sleep", ["1000"]), probe: nobody)
        )
        Reactor.spawn { await service.stop() }
        await #expect(throws: SupervisionError.stopped) { try await service.start() }
        #expect(service.child == nil)
    }
}
