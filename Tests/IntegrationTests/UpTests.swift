import Glibc
import Reactor
import Supervision
import TestSupport
import Testing

/// `tickloop up` as its user meets it, with servers of its own.
@Suite(.serialized) struct UpTests {
    init() { loop }

    private static let question = Question.all[6]
    private static let names = ["api-1", "gateway-1", "postgres", "redis", "simulator-1", "worker-1", "worker-2"]

    /// What runs in a data folder, with the processes that it says it has.
    @ReactorActor
    private struct Installation {
        let folder: String
        let port: UInt16
        let process: TickloopProcess

        init(_ folder: String, port: UInt16? = nil, _ more: [String] = []) async throws {
            self.folder = folder
            self.port = try port ?? FreePort.choose()
            process = try TickloopProcess(
                ["up", "--data", folder, "--port", "\(self.port)"] + more,
                folder: packageFolder
            )
            try await process.waitUntilUp()
        }

        /// Whether the gateway gives the right answer.
        func isRight() async -> Bool {
            let gateway = Endpoint.tcp(host: "127.0.0.1", port: port)
            let response = try? await request("GET", UpTests.question.target, on: gateway)
            return response?.status == 200 && response?.body == UpTests.question.body
        }

        /// Every process that it has, by name.
        func processes() -> [String: ProcessRecord] {
            let names = Files.entries(ofFolder: "\(folder)/run").filter { $0.hasSuffix(".pid") }
            return names.reduce(into: [:]) { processes, file in
                let name = String(file.dropLast(4))
                let pid = Files.text("\(folder)/run/\(file)").flatMap { CInt($0.filter(\.isNumber)) }
                processes[name] = pid.flatMap { ProcessRecord(name: name, runningAs: $0) }
            }
        }
    }

    @Test @ReactorActor func `it answers, brings back whatever dies, and leaves nothing running`() async throws {
        let system = try await Installation(TestFolder.make())
        let first = system.processes()
        #expect(first.keys.sorted() == Self.names)
        let ready = "ready on http://127.0.0.1:\(system.port), try: curl "
        #expect(system.process.lines.filter { $0.hasPrefix(ready) }.count == 1)
        #expect(await system.isRight())
        let environment = try #require(Files.text("\(system.folder)/run/env"))
        #expect(environment.contains("export TICKLOOP_GATEWAY_URL='http://127.0.0.1:\(system.port)'\n"))

        for name in Self.names {
            let killed = try #require(system.processes()[name])
            kill(killed.pid, SIGKILL)
            try await eventually("\(name) again") {
                guard let next = system.processes()[name] else { return false }
                return next != killed
            }
            try await eventually("an answer after the end of \(name)") { await system.isRight() }
        }
        #expect(Files.text("\(system.folder)/run/env") == environment)
        // The server was killed once: that is one line, however many asked it meanwhile.
        let recoveries = system.process.lines.filter { $0.hasPrefix("postgres ") && !$0.contains("checkpoint") }
        #expect(recoveries.count == 1, "\(recoveries)")

        let last = system.processes()
        system.process.send(SIGINT)
        #expect(try await system.process.waitForEnd() == .exited(0))
        #expect(last.values.allSatisfy { !$0.isRunning })
        #expect(Files.entries(ofFolder: "\(system.folder)/run") == ["lock"])
        let ends = system.process.lines.compactMap { line in
            line.hasSuffix("exited with status 0") ? line.split(separator: "|")[1].split(separator: " ")[0] : nil
        }
        #expect(ends.filter { !$0.hasPrefix("worker") } == ["gateway-1", "api-1", "simulator-1", "redis", "postgres"])
        #expect(ends.firstIndex(of: "worker-1").map { (2...3).contains($0) } == true)
    }

    @Test @ReactorActor func `a folder and a port belong to one system at a time`() async throws {
        let system = try await Installation(TestFolder.make())
        for (arguments, complaint) in [
            (
                ["--data", system.folder, "--port", "\(try FreePort.choose())"],
                "already runs on \(system.folder) (pid "
            ),
            (["--data", try TestFolder.make(), "--port", "\(system.port)"], "port \(system.port) is taken"),
        ] {
            let second = try TickloopProcess(["up"] + arguments, folder: packageFolder)
            #expect(try await second.waitForEnd() == .exited(1))
            #expect(second.lines.contains { $0.contains(complaint) })
        }
        #expect(await system.isRight())
        try await stopTwice(system)
    }

    /// The lowest port that needs no privilege.
    private static let firstFreePort = Files.text("/proc/sys/net/ipv4/ip_unprivileged_port_start").flatMap {
        Int($0.filter(\.isNumber))
    }

    @Test(.enabled(if: firstFreePort.map { $0 > 1 } == true, "every port is everybody's here"))
    @ReactorActor
    func `a port that the account may not have is named, and why`() async throws {
        // Root has it by a capability, which it can be without.
        let shell = getuid() == 0 ? #"exec setpriv --bounding-set -net_bind_service "$0" "$@""# : ""
        let process = try TickloopProcess(
            ["up", "--data", try TestFolder.make(), "--port", "1"],
            folder: packageFolder,
            shell: shell
        )
        #expect(try await process.waitForEnd() == .exited(1))
        let complaint = "port 1 is not for this account (Permission denied); choose one from 1024 on with --port"
        #expect(process.lines == [complaint])
    }

    /// The second signal comes while the first is being obeyed, or too late; either way nothing stays.
    @ReactorActor
    private func stopTwice(_ system: Installation) async throws {
        let processes = system.processes()
        system.process.send(SIGTERM)
        try await eventually("the first end") { system.processes().count < processes.count }
        system.process.send(SIGINT)
        try await system.process.waitForEnd()
        #expect(processes.values.allSatisfy { !$0.isRunning })
    }

    @Test(arguments: [true, false])
    @ReactorActor
    func `a system comes back after kill -9, of all processes or of up alone`(ofAll: Bool) async throws {
        let system = try await Installation(TestFolder.make())
        let before = system.processes()
        system.process.send(SIGKILL)
        if ofAll { for process in before.values { kill(process.pid, SIGKILL) } }
        let addresses = Files.text("\(system.folder)/run/env")
        let next = try await Installation(system.folder, port: system.port)
        #expect(Files.text("\(system.folder)/run/env") == addresses, "everything is where it was")
        #expect(before.values.allSatisfy { !$0.isRunning })
        #expect(await next.isRight())
        next.process.send(SIGTERM)
        #expect(try await next.process.waitForEnd() == .exited(0))
    }

    @Test @ReactorActor
    func `several gateways and APIs answer, also when one of each is gone, and without sample data`()
        async throws
    {
        let more = ["--gateways", "2", "--apis", "2", "--workers", "1", "--no-sample"]
        let system = try await Installation(TestFolder.make(), more)
        let names = ["api-1", "api-2", "gateway-1", "gateway-2", "postgres", "redis", "simulator-1", "worker-1"]
        #expect(system.processes().keys.sorted() == names)
        let gateway = Endpoint.tcp(host: "127.0.0.1", port: system.port)
        func answer() async throws -> String? { try await request("GET", Self.question.target, on: gateway).body }
        for _ in 0..<8 { #expect(try await answer() == #"{"data":[]}"#) }
        for name in ["api-2", "gateway-2"] {
            let killed = try #require(system.processes()[name])
            kill(killed.pid, SIGKILL)
            try await eventually("\(name) again") { system.processes()[name].map { $0 != killed } ?? false }
            try await eventually("an answer") { (try? await answer()) == #"{"data":[]}"# }
        }
        try await stopTwice(system)
    }

    @Test @ReactorActor func `a start that is interrupted leaves nothing running`() async throws {
        let folder = try TestFolder.make()
        let process = try TickloopProcess(["up", "--data", folder, "--port", "\(try FreePort.choose())"])
        try await eventually("its first line") { !process.lines.isEmpty }
        process.send(SIGINT)
        #expect(try await process.waitForEnd() == .exited(0))
        #expect(Files.entries(ofFolder: "\(folder)/run") == ["lock"])
    }
}
