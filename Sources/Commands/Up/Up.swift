internal import Basics
import Glibc
import Reactor
import Supervision

/// `tickloop up`: the whole system on one machine, for as long as somebody wants it.
///
/// Servers first, then what stands on them, each started when the one before is ready; stopped in the opposite order,
/// so that whatever still answers has everything it needs to do so.
@ReactorActor
final class Up {
    private let options: UpOptions
    private let console: Console
    private var folder: DataFolder
    private var ports: PortBook
    private var postgresLines = PostgresLines()
    /// In the order of their start.
    private var tiers: [[SupervisedService]] = []
    /// A program that is to end by itself, while it runs.
    private var step: ChildProcess?
    private var isStopping = false
    private let stopAsked = Promise<Void, Never>()

    private init(_ options: UpOptions) throws(SupervisionError) {
        self.options = options
        folder = try DataFolder(options.dataFolder)
        ports = folder.ports(except: [options.gatewayPort])
        let roles = [
            ("simulator", 1), ("worker", options.workers), ("api", options.apis), ("gateway", options.gateways),
        ]
        let processes = roles.flatMap { role, count in (1...count).map { "\(role)-\($0)" } }
        console = Console(names: ["up", "postgres", "redis", "migrate", "seed", "sample"] + processes)
    }

    /// Runs everything until SIGINT, SIGTERM or SIGHUP.
    ///
    /// - Returns: The exit status: 0 after a stop that was asked for, 1 when something could not be started; why is
    ///   said on standard error when nothing was started at all, and else among the lines on standard output.
    static func run(_ options: UpOptions) async -> CInt {
        do { return try await runLocked(options) } catch {
            let console = Console(descriptor: STDERR_FILENO, names: [])
            console.announce(error.description)
            console.flush()
            return 1
        }
    }

    private static func runLocked(_ options: UpOptions) async throws(SupervisionError) -> CInt {
        let up = try Up(options)
        let lock = try up.folder.lock()
        await up.endProcessesLeftBehind()
        // After that, because the one that was left behind may have been on it.
        if let obstacle = FreePort.obstacle(to: options.gatewayPort) {
            throw .portUnusable(options.gatewayPort, errno: obstacle.errno)
        }
        let watchers = [SIGINT, SIGTERM, SIGHUP].map { signal in SignalWatcher(signal) { up.received(signal) } }
        let status = await up.runToEnd()
        withExtendedLifetime(watchers) {}
        _ = consume lock
        return status
    }

    private func runToEnd() async -> CInt {
        var status: CInt = 0
        do {
            try await start()
            _ = await stopAsked.result
        } catch {
            // A stop in the middle of the start makes one of its steps fail.
            if !isStopping {
                say(error.description)
                status = 1
            }
        }
        isStopping = true
        folder.removeAddresses()
        for tier in tiers.reversed() {
            for service in tier { service.requestStop() }
            for service in tier { await service.waitUntilStopped() }
        }
        folder.removeStaleFiles()
        say("everything has stopped")
        console.flush()
        return status
    }

    private func start() async throws(SupervisionError) {
        folder.removeStaleFiles()
        let plan = UpPlan(options: options, servers: try await startServers(), ports: try choosePorts())
        record { folder throws(SupervisionError) in try folder.keep(ports) }
        for preparation in plan.preparations { try await run(preparation.command, name: preparation.name) }
        for tier in plan.tiers { try await start(tier) }
        try Files.write(plan.environmentFile, to: folder.environmentFile, mode: 0o600)
        try Files.write(plan.targetsFile, to: folder.targetsFile)
        console.say("up", "console on http://\(plan.admin)/console")
        let question = "/prices/average?start_date=2025-01-06&end_date=2025-01-07"
        console.announce("ready on http://\(plan.gateway), try: curl 'http://\(plan.gateway)\(question)'")
    }

    // MARK: Steps of the start

    /// Ends what outlived a killed `up`. Its children were told to end by the kernel, and may be about to.
    private func endProcessesLeftBehind() async {
        let records = folder.processesLeftBehind()
        guard !records.isEmpty else { return }
        say("ending what a killed up has left: \(records.map { "\($0.name) (\($0.pid))" }.joined(separator: ", "))")
        for record in records { kill(record.pid, record.name == "postgres" ? SIGINT : SIGTERM) }
        let deadline = Reactor.now + .seconds(15)
        while records.contains(where: \.isRunning) {
            if Reactor.now >= deadline { for record in records where record.isRunning { kill(record.pid, SIGKILL) } }
            // Not our children: there is no other way to learn of their end than to look.
            try? await Reactor.sleep(for: .milliseconds(20))
        }
    }

    private func startServers() async throws(SupervisionError) -> UpPlan.Servers? {
        if options.isExternal { return nil }
        let isNew = folder.isNew
        let postgresPort = try ports.port(of: "postgres")
        let redisPort = try ports.port(of: "redis")
        let postgres = try PrivatePostgres(
            folder: folder.path,
            port: postgresPort,
            settings: .init(password: try folder.password()),
            environment: options.environment
        )
        if !postgres.cluster.hasPrefix(folder.path + "/") {
            say("the account that runs PostgreSQL cannot reach \(folder.path): its data is in \(postgres.cluster)")
            // The data folder that this cluster belonged to was deleted, and the data was meant to go with it.
            if isNew { Files.remove(postgres.cluster) }
        }
        guard !isStopping else { throw .stopped }
        if !postgres.isPrepared { say("making a PostgreSQL cluster in \(postgres.cluster)") }
        try await postgres.prepare { [self] child in step = child }
        let redis = try PrivateRedis(folder: folder.path, port: redisPort, environment: options.environment)
        try redis.prepare()
        try await start([postgres.service])
        try await start([redis.service])
        return UpPlan.Servers(postgres: postgres.address, redis: redis.address)
    }

    private func choosePorts() throws(SupervisionError) -> UpPlan.Ports {
        func some(_ role: String, _ count: Int) throws(SupervisionError) -> [UInt16] {
            var some: [UInt16] = []
            for number in 0..<count { some.append(try ports.port(of: "\(role)-\(number + 1)")) }
            return some
        }
        // One alone has no other port than the one that all share.
        return UpPlan.Ports(
            api: try ports.port(of: "api"),
            admin: try ports.port(of: "admin"),
            simulator: try ports.port(of: "simulator-1"),
            workers: try some("worker", options.workers),
            apis: options.apis > 1 ? try some("api", options.apis) : [],
            gateways: options.gateways > 1 ? try some("gateway", options.gateways) : []
        )
    }

    private func run(_ command: Command, name: String) async throws(SupervisionError) {
        guard !isStopping else { throw .stopped }
        try await ChildProcess.run(
            command,
            name: name,
            onLine: { [self] line in console.say(name, line) },
            onStart: { [self] child in step = child }
        )
    }

    private func start(_ descriptions: [SupervisedService.Description]) async throws(SupervisionError) {
        guard !isStopping else { throw .stopped }
        let services = descriptions.map { description in
            SupervisedService(description) { [self] event in happened(event, to: description) }
        }
        tiers.append(services)
        for service in services { service.begin() }
        for service in services { try await service.waitUntilReady() }
    }

    // MARK: Events

    private func received(_ signal: CInt) {
        guard !isStopping else {
            say("killing everything")
            step?.kill()
            for service in tiers.joined() { service.requestKill() }
            return
        }
        say("stopping; press Ctrl-C again to kill")
        isStopping = true
        step?.send(SIGTERM)
        // Whoever waits for one of these to become ready learns that it will not.
        for service in tiers.last ?? [] where !service.isReady { service.requestStop() }
        stopAsked.succeed(())
    }

    private func happened(_ event: SupervisedService.Event, to service: SupervisedService.Description) {
        let name = service.name
        switch event {
        case .started(let pid):
            record { folder throws(SupervisionError) in try folder.processStarted(name, pid: pid) }
        case .ready:
            say("\(name) is ready on \(service.probe.endpoint)")
        case .ended(let status):
            record { folder throws(SupervisionError) in try folder.processEnded(name) }
            say("\(name) \(status.words)")
        case .restarting(let delay):
            say("\(name) starts again in \(delay.wholeMilliseconds) ms")
        case .failedToStart(let error):
            say(error.description)
        case .line(let line):
            for line in name == "postgres" ? postgresLines.news(in: line, at: Reactor.now) : [line] {
                console.say(name, line)
            }
        }
    }

    /// A full disk must not take the system down: these files are for people and for the next `up`.
    private func record(_ change: (inout DataFolder) throws(SupervisionError) -> Void) {
        do { try change(&folder) } catch { say(error.description) }
    }

    private func say(_ line: String) { console.say("up", line) }
}
