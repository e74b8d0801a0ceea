import Glibc
import Reactor
import Supervision
import TestSupport
import Testing

/// Parts that die, freeze or go away while clients ask.
@Suite(.serialized, .breakableSystem) struct FaultTests {
    private static let services = ["gateway-1", "api-1", "worker-1", "worker-2"]
    let system: System

    init() throws { system = try #require(RunningSystem.current) }

    /// What a load must never have seen, whatever happened.
    @ReactorActor
    private func expectNothingWrong(_ load: Load) {
        #expect(load.wrong == [])
        #expect(load.lost == [])
    }

    /// Asks all the time while something happens, and a while longer.
    @ReactorActor
    private func underLoad(on role: Role = .gateway, _ event: @ReactorActor (Load) async throws -> Void) async throws
        -> Load
    {
        try await system.waitUntilReady()
        let load = Load(on: system.endpoint(role))
        try await load.flows()
        try await event(load)
        try await load.flows()
        try await load.stop()
        #expect(load.wrong == [])
        return load
    }

    /// Does something while a fault lasts, and ends the fault in any case: the next test is to meet a whole system.
    @ReactorActor
    private func duringFault(
        _ work: @ReactorActor () async throws -> Void,
        ending end: @ReactorActor () async throws -> Void
    ) async throws {
        do { try await work() } catch {
            try? await end()
            throw error
        }
        try await end()
    }

    // MARK: Processes

    @Test(arguments: [SIGKILL, SIGTERM]) @ReactorActor
    func `a worker that ends costs no request`(signal: CInt) async throws {
        let load = try await underLoad { _ in
            let pid = try system.signal("worker-1", signal)
            try await system.waitForSuccessor(of: pid, as: "worker-1")
        }
        expectNothingWrong(load)
        #expect(load.refusals == [:])
        #expect(load.unconnected == 0)
    }

    @Test @ReactorActor func `what a frozen worker holds is answered by another`() async throws {
        try await system.waitUntilReady()
        let frozen = try system.signal("worker-2", SIGSTOP)
        defer { Glibc.kill(frozen, SIGCONT) }
        let load = Load(on: system.endpoint(.gateway))
        // Some of these are its own: it waits for tasks, and Redis gives them to whoever waits.
        try await load.flows(200)
        try await load.stop()
        Glibc.kill(frozen, SIGCONT)
        expectNothingWrong(load)
        #expect(load.refusals == [:])
        #expect(try await system.sum("tickloop_task_takeovers_total", of: "worker") >= 1)
        // It finds that its tasks are no longer its own, and goes on.
        let after = try await underLoad { _ in }
        expectNothingWrong(after)
        #expect(after.refusals == [:])
    }

    @Test @ReactorActor func `what killed workers had taken is answered by their successors`() async throws {
        try await system.waitUntilReady()
        try await askAtOnce { for worker in ["worker-1", "worker-2"] { try system.signal(worker, SIGKILL) } }
    }

    @Test @ReactorActor func `a killed internal API is refusals until another is there`() async throws {
        let load = try await underLoad { _ in
            let pid = try system.signal("api-1", SIGKILL)
            try await system.waitForSuccessor(of: pid, as: "api-1")
        }
        expectNothingWrong(load)
        #expect(load.unconnected == 0)
        #expect(Set(load.refusals.keys).isSubset(of: ["UPSTREAM_ERROR", "UNAVAILABLE"]), "\(load.refusals)")
    }

    @Test @ReactorActor func `a killed gateway is back soon`() async throws {
        let load = try await underLoad { _ in
            let pid = try system.signal("gateway-1", SIGKILL)
            try await system.waitForSuccessor(of: pid, as: "gateway-1")
        }
        // Requests that it had taken are lost with it: one of each of the 8 clients. The kernel closes the sockets of a
        // dying process one by one, so a client may come back to a listener that is about to close, and lose one more.
        #expect(load.lost.count <= 16)
        #expect(load.refusals == [:])
    }

    @Test(arguments: Role.allCases) @ReactorActor
    func `a service that is asked to end answers everything that it was sent`(role: Role) async throws {
        let name = role.rawValue
        let load = try await underLoad(on: role) { _ in
            let pid = try system.signal(name, SIGTERM)
            try await system.waitForSuccessor(of: pid, as: name)
        }
        expectNothingWrong(load)
        // A successor that listens may not have reached the broker yet, and says so.
        #expect(Set(load.refusals.keys).isSubset(of: ["UNAVAILABLE"]), "\(load.refusals)")
        #expect(system.lines.contains { $0.hasPrefix("up ") && $0.hasSuffix("\(name) exited with status 0") })
    }

    @Test @ReactorActor func `requests that wait for their results outlive the request to end`() async throws {
        try await system.waitUntilReady()
        var pid: CInt?
        try await askAtOnce { pid = try system.signal("gateway-1", SIGTERM) }
        try await system.waitForSuccessor(of: try #require(pid), as: "gateway-1")
    }

    /// Asks every question at the same time, and expects every answer.
    ///
    /// - Parameter event: Happens when all of them wait for their results.
    @ReactorActor
    private func askAtOnce(then event: @ReactorActor () async throws -> Void = {}) async throws {
        var workers: [CInt] = []
        defer { for worker in workers { Glibc.kill(worker, SIGCONT) } }
        for name in ["worker-1", "worker-2"] { workers.append(try system.signal(name, SIGSTOP)) }
        var sockets: [TestSocket] = []
        for question in Question.all {
            let socket = try await TestSocket(to: system.endpoint(.gateway))
            socket.send("GET \(question.target) HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            sockets.append(socket)
        }
        try await eventually("their tasks") {
            let length = try await system.redis.run("XLEN", "q:{tasks}:stream")
            return Int(length.first ?? "") ?? 0 >= Question.all.count
        }
        try await event()
        for worker in workers { Glibc.kill(worker, SIGCONT) }
        for (socket, question) in zip(sockets, Question.all) {
            let response = try await socket.takeResponse()
            #expect(response.body == question.body)
            #expect(response["connection"] == "close")
            // The gateway has closed it, too.
            #expect(try await socket.takeAll() == "")
            socket.close()
        }
    }

    // MARK: Servers

    @Test @ReactorActor func `Redis goes and comes back`() async throws { try await checkOutage(of: system.redis) }

    @Test @ReactorActor func `PostgreSQL goes and comes back`() async throws {
        try await checkOutage(of: system.postgres)
    }

    @Test @ReactorActor func `a worker whose database is somewhere else leaves the work to the others`() async throws {
        try await system.waitUntilReady()
        let port = try FreePort.choose()
        let address = Endpoint.unix(path: "\(try TestFolder.make())/worker.sock")
        let settings = [
            "TICKLOOP_DATABASE_URL": "postgres://nobody:secret@127.0.0.1:\(port)/\(system.database)",
            "TICKLOOP_SERVER_LISTEN": address.description,
        ]
        let worker = try TickloopProcess(
            ["worker"],
            environment: system.environment.merging(settings) { $1 },
            folder: packageFolder
        )
        try await duringFault {
            try await eventually("it is there, and not ready for want of a database") {
                guard let ready = try? await request("GET", "/ready", on: address) else { return false }
                return ready.status == 503 && ready.body.contains("database") && !ready.body.contains("broker")
            }
            let load = try await underLoad { load in try await load.flows(1000) }
            expectNothingWrong(load)
            #expect(load.refusals == [:])
            let metrics = try await system.metrics(of: address)
            #expect(metrics.value("tickloop_task_fetched_total") == 0, "it had nothing to do")
        } ending: {
            try await worker.kill()
        }
    }

    @Test @ReactorActor func `a worker that the database turns away leaves the work to the others`() async throws {
        let role = system.postgres.address.user
        let load = try await underLoad { load in
            try await duringFault {
                try await system.postgres.run("alter role \(role) connection limit 0", isSuperuser: true)
                let pid = try system.signal("worker-1", SIGKILL)
                try await eventually("another worker-1") { system.pid("worker-1").map { $0 != pid } ?? false }
                try await load.flows(1000)
            } ending: {
                try await system.postgres.run("alter role \(role) connection limit -1", isSuperuser: true)
            }
            try await system.waitUntilReady()
        }
        expectNothingWrong(load)
        #expect(load.refusals == [:])
    }

    @Test @ReactorActor func `without its schema the database is missing, and the log says what to do`() async throws {
        try await system.waitUntilReady()
        func rename(_ old: String, _ new: String) async throws {
            let statement = "alter schema \(old) rename to \(new)"
            try await system.postgres.run(statement, on: system.database, isSuperuser: true)
        }
        try await duringFault {
            try await rename("public", "away")
            expectError(try await system.ask(.gateway, Question.all[0].target), 503, "UNAVAILABLE")
            for endpoint in [system.endpoint(.api)] + (system.targets()["worker"] ?? []) {
                let ready = try await request("GET", "/ready", on: endpoint)
                expectError(ready, 503, "UNAVAILABLE")
                #expect(ready.body.contains("database"))
            }
            try await eventually("the advice in the log") {
                system.lines.contains { $0.contains("the schema is missing") && $0.contains("tickloop migrate") }
                    && system.lines.contains { $0.contains("averages failed") && $0.contains("tickloop migrate") }
            }
        } ending: {
            try await rename("away", "public")
        }
        let load = try await underLoad { _ in }
        expectNothingWrong(load)
        #expect(load.refusals == [:])
    }

    /// SIGTERM to PostgreSQL lets sessions live on and turns newcomers away; the API's idle one would last for ever.
    @Test @ReactorActor func `a smart shutdown of PostgreSQL comes to its end`() async throws {
        try await system.waitUntilReady()
        let server = try #require(system.postgres.pid)
        #expect(Glibc.kill(server, SIGTERM) == 0)
        let killed = try ["worker-1", "worker-2"].map { try system.signal($0, SIGKILL) }
        try await eventually("another server", within: .seconds(60)) {
            system.postgres.pid.map { $0 != server } ?? false
        }
        for (pid, worker) in zip(killed, ["worker-1", "worker-2"]) {
            try await system.waitForSuccessor(of: pid, as: worker)
        }
        #expect(try await system.sum("tickloop_database_up", of: "worker") == 2)
        let load = try await underLoad { _ in }
        expectNothingWrong(load)
        #expect(load.refusals == [:])
    }

    @ReactorActor
    private func checkOutage(of server: TestServer) async throws {
        try await system.waitUntilReady()
        // The gateway keeps a connection to the API for each of these: more than it needs later.
        try await askAtOnce()
        let pids = Self.services.map { system.pid($0) }
        let descriptors = Self.services.map(descriptorCount)
        let reconnects =
            server === system.redis ? "tickloop_redis_connects_total" : "tickloop_database_reconnects_total"
        var before: [String: Double] = [:]
        for role in ["api", "worker"] { before[role] = try await system.sum(reconnects, of: role) }
        let load = try await underLoad { load in
            await server.stop()
            try await duringFault {
                try await eventually("refusals") { load.refusals.values.reduce(0, +) >= 100 }
                let ready = try await system.ask(.gateway, "/ready")
                expectError(ready, 503, "UNAVAILABLE")
                try await expectMetrics(without: server)
            } ending: {
                try await server.start()
            }
        }
        expectNothingWrong(load)
        #expect(load.unconnected == 0)
        // 504 is for one whose task was on its way when the server went, and whose time was up before it was back.
        #expect(load.refusals["UNAVAILABLE"] != nil, "\(load.refusals)")
        #expect(Set(load.refusals.keys).isSubset(of: ["UNAVAILABLE", "UPSTREAM_TIMEOUT"]), "\(load.refusals)")
        try await system.waitUntilReady()
        #expect(Self.services.map { system.pid($0) } == pids, "nothing was restarted")
        for (role, count) in before {
            try await eventually("a count of what the \(role) had to connect again") {
                try await system.sum(reconnects, of: role) > count
            }
        }
        for (service, count) in zip(Self.services, descriptors) {
            try await eventually("\(service) has no more than \(count) descriptors") {
                descriptorCount(service) <= count
            }
        }
    }

    /// What an operator looks at while a server is away: the API answers at once, and says which one it is.
    @ReactorActor
    private func expectMetrics(without server: TestServer) async throws {
        let isRedis = server === system.redis
        try await eventually("metrics that tell of it") {
            let metrics = try await system.metrics(of: system.endpoint(.api))
            #expect(metrics.faults == [])
            return metrics.value("tickloop_redis_up") == (isRedis ? 0 : 1)
                && metrics.value("tickloop_database_up") == (isRedis ? 1 : 0)
                && metrics.value("tickloop_queue_up") == (isRedis ? 0 : 1)
                && (metrics["tickloop_queue_tasks"] == nil) == isRedis
        }
    }

    @ReactorActor
    private func descriptorCount(_ service: String) -> Int {
        system.pid(service).map { Files.entries(ofFolder: "/proc/\($0)/fd").count } ?? 0
    }

    @Test @ReactorActor func `tasks outlive a killed Redis`() async throws {
        try await system.waitUntilReady()
        try await askAtOnce {
            await system.redis.kill()
            try await system.redis.start()
        }
    }

    // MARK: Threads

    @Test @ReactorActor func `every process has one thread under load`() async throws {
        let load = try await underLoad { load in
            for _ in 0..<10 {
                try await load.flows(20)
                for service in Self.services {
                    let pid = try #require(system.pid(service))
                    #expect(Files.entries(ofFolder: "/proc/\(pid)/task").count == 1, "\(service)")
                }
            }
        }
        expectNothingWrong(load)
        #expect(load.refusals == [:])
    }
}
