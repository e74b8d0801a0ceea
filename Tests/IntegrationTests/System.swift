import Glibc
import Reactor
import Supervision
import TestSupport
import Testing

/// The two services that answer the same public routes.
enum Role: String, CaseIterable, Sendable {
    case gateway = "gateway-1"
    case api = "api-1"
}

/// The whole program, as `tickloop up --external` runs it on a database and a Redis of the tests.
@ReactorActor
final class System {
    /// The database, whose server may be taken away.
    let database: String
    let postgres: TestPostgres
    let redis: TestRedis
    /// What every process of it gets; for tools, which then work on the same data.
    let environment: [String: String]

    /// Where the simulator listens.
    let simulator: Endpoint

    private let process: TickloopProcess
    private let folder: String
    private let endpoints: [Role: Endpoint]

    /// Starts everything, and returns when all of it is ready.
    ///
    /// - Parameters:
    ///   - ownsServers: Whether it gets servers that no other test uses, to stop them.
    ///   - settings: Of the services, as environment variables.
    init(ownsServers: Bool, settings: [String: String] = [:]) async throws {
        let address: PostgresAddress
        let redisAddress: RedisAddress
        if ownsServers {
            postgres = try await TestServers.startPostgres()
            // As `up` and Docker Compose run it: tasks that were accepted are there again after a restart.
            redis = try await TestServers.startRedis(isDurable: true)
            (address, redisAddress) = (postgres.address, redis.address)
        } else {
            (postgres, redis) = (try await TestServers.postgres(), try await TestServers.redis())
            address = try await TestServers.createDatabase()
            redisAddress = try await TestServers.redisDatabase()
        }
        database = address.database
        folder = try TestFolder.make()
        let common = [
            "TICKLOOP_DATABASE_URL": address.localURL,
            "TICKLOOP_REDIS_URL": redisAddress.localURL,
            // Shorter than a request may take, so that a task taken over is a request answered.
            "TICKLOOP_QUEUE_LEASE_MS": "2000",
            // All tests are one client.
            "TICKLOOP_LIMITS_RATE_1_REQUESTS": "0",
            "TICKLOOP_LIMITS_RATE_2_REQUESTS": "0",
            // Nobody is there: what is not about placing orders sees them wait.
            "TICKLOOP_EXCHANGE_BASE_URL": "http://127.0.0.1:1",
        ]
        environment = common.merging(settings) { $1 }
        let port = try FreePort.choose()
        let words = ["up", "--external", "--data", folder, "--port", "\(port)", "--workers", "2"]
        process = try TickloopProcess(words, environment: environment, folder: packageFolder)
        try await process.waitUntilUp()
        let addresses = UpEnvironment("\(folder)/run/env")
        endpoints = [
            .gateway: .tcp(host: "127.0.0.1", port: port), .api: try #require(addresses.endpoint("TICKLOOP_API_URL")),
        ]
        simulator = try #require(addresses.endpoint("TICKLOOP_SIMULATOR_URL"))
    }

    /// Where a service listens.
    func endpoint(_ role: Role) -> Endpoint { endpoints[role] ?? .unix(path: "") }

    /// Where every process answers `/metrics`, by role: what `up` tells Prometheus.
    func targets() -> [String: [Endpoint]] {
        let groups = (Files.text("\(folder)/run/targets.json") ?? "").split(separator: "\n").compactMap { line in
            let words = line.split(separator: "\"").map { String($0) }
            let addresses = words.compactMap { word in
                word.contains(":") && word.first?.isNumber == true ? try? Endpoint(parsing: word) : nil
            }
            return addresses.isEmpty ? nil : (words[words.count - 2], addresses)
        }
        return Dictionary(uniqueKeysWithValues: groups)
    }

    /// What a process counts and measures now.
    func metrics(of endpoint: Endpoint) async throws -> MetricsText {
        let response = try await request("GET", "/metrics", on: endpoint)
        #expect(response.status == 200)
        #expect(response["content-type"] == "text/plain; version=0.0.4; charset=utf-8")
        return MetricsText(response.body)
    }

    /// The sum of a metric over all processes of a role.
    func sum(_ metric: String, of role: String) async throws -> Double {
        var sum = 0.0
        for endpoint in targets()[role] ?? [] { sum += try await metrics(of: endpoint).value(metric) ?? 0 }
        return sum
    }

    /// One request on a connection of its own.
    func ask(_ role: Role, _ target: String, _ method: String = "GET", fields: [String] = []) async throws
        -> TestResponse
    {
        try await request(method, target, on: endpoint(role), fields: fields)
    }

    /// Runs one statement with `psql`.
    @discardableResult
    func sql(_ statement: String) async throws -> [String] { try await postgres.run(statement, on: database) }

    /// Runs a tool of the program on the same data.
    ///
    /// - Returns: How it ended and what it printed.
    func tool(_ words: String...) async throws -> (status: WaitStatus, lines: [String]) {
        let tool = try TickloopProcess(words, environment: environment, folder: packageFolder)
        let status = try await tool.waitForEnd(within: .seconds(120))
        return (status, tool.lines)
    }

    /// The file for a shell with the addresses of everything.
    var environmentFile: String { "\(folder)/run/env" }

    /// What `up` and the services have said.
    var lines: [String] { process.lines }

    /// The process that plays a role now, by its pid file; `nil` between two.
    func pid(_ name: String) -> CInt? {
        Files.text("\(folder)/run/\(name).pid").flatMap { CInt($0.prefix { $0 != "\n" }) }
    }

    /// Signals a service.
    ///
    /// - Returns: Its process.
    @discardableResult
    func signal(_ name: String, _ signal: CInt) throws -> CInt {
        let pid = try #require(self.pid(name), "\(name) does not run")
        #expect(Glibc.kill(pid, signal) == 0)
        return pid
    }

    /// Waits until another process plays the role, and everything is ready.
    func waitForSuccessor(of pid: CInt, as name: String) async throws {
        try await eventually("another \(name)") { self.pid(name).map { $0 != pid } ?? false }
        try await waitUntilReady()
    }

    /// Waits until every process says that it is ready, and an answer comes through the gateway.
    ///
    /// Every process: one of two workers that is still being started shows in no answer, and is missed by whoever
    /// asks it for its metrics or signals it next.
    func waitUntilReady() async throws {
        for (role, endpoints) in targets() {
            for endpoint in endpoints {
                // A process that ended several times in a row is not started again at once.
                try await eventually("a \(role) on \(endpoint) that is ready", within: .seconds(60)) {
                    (try? await request("GET", "/ready", on: endpoint))?.status == 200
                }
            }
        }
        try await eventually("an answer") {
            (try? await ask(.gateway, Question.all[0].target)).map { $0.status == 200 } ?? false
        }
    }

    /// Stops everything as Ctrl-C does.
    func stop() async throws {
        process.send(SIGINT)
        let status = try await process.waitForEnd(within: .seconds(60))
        #expect(status == .exited(0), "\(lines.suffix(20))")
    }
}

extension TickloopProcess {
    /// Waits until `up` has said that everything is up.
    func waitUntilUp() async throws {
        func isUp() -> Bool { lines.contains { $0.hasPrefix("ready on ") } }
        try? await eventually("everything", within: .seconds(120)) { isUp() || status != nil }
        guard isUp(), status == nil else {
            Issue.record("up did not come up: \(lines.suffix(20).joined(separator: "\n"))")
            throw SupervisionError.stopped
        }
    }
}

/// The addresses that `up` leaves in `run/env` for a shell.
struct UpEnvironment {
    private let lines: [Substring]

    init(_ file: String) { lines = (Files.text(file) ?? "").split(separator: "\n").map { $0[...] } }

    /// What the shell would see.
    subscript(name: String) -> String? {
        lines.first { $0.hasPrefix("export \(name)='") }.map { String($0.dropFirst(name.count + 9).dropLast()) }
    }

    /// The endpoint of an `http://HOST:PORT`.
    func endpoint(_ name: String) -> Endpoint? {
        self[name].flatMap { try? Endpoint(parsing: String($0.dropFirst("http://".count))) }
    }
}

/// Starts a ``System`` before the first test of a suite, and stops it after the last.
struct RunningSystem: SuiteTrait, TestScoping {
    /// The one of the suite that runs.
    @TaskLocal static var current: System?

    let ownsServers: Bool
    var settings: [String: String] = [:]

    func provideScope(
        for test: Test,
        testCase: Test.Case?,
        performing function: @concurrent @Sendable () async throws -> Void
    ) async throws {
        loop
        let system = try await System(ownsServers: ownsServers, settings: settings)
        try await Self.$current.withValue(system) { try await function() }
        try await system.stop()
    }
}

extension SuiteTrait where Self == RunningSystem {
    /// The suite shares one running system, on servers that other suites use too.
    static var runningSystem: Self { RunningSystem(ownsServers: false) }

    /// The suite shares one running system, and may take away whatever it stands on.
    static var breakableSystem: Self { RunningSystem(ownsServers: true) }
}
