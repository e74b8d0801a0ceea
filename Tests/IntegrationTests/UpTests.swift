import Glibc
import Reactor
import Supervision
import TestSupport
import Testing

/// `tickloop up` with servers of its own.
@Suite struct UpTests {
    private static let services = ["postgres", "redis", "simulator-1", "worker-1", "worker-2", "api-1", "gateway-1"]

    init() { loop }

    @ReactorActor
    private func start(in folder: String, port: UInt16) async throws -> TickloopProcess {
        let up = try TickloopProcess(
            ["up", "--data", folder, "--port", "\(port)", "--workers", "2"],
            folder: packageFolder
        )
        try await up.waitUntilUp()
        return up
    }

    @ReactorActor
    private func pid(_ name: String, in folder: String) -> CInt? {
        Files.text("\(folder)/run/\(name).pid").flatMap { CInt($0.prefix { $0 != "\n" }) }
    }

    @Test @ReactorActor func `one command runs everything, mends it, and leaves nothing behind`() async throws {
        let folder = try TestFolder.make()
        let port = try FreePort.choose()
        let gateway = Endpoint.tcp(host: "127.0.0.1", port: port)
        var up = try await start(in: folder, port: port)
        let question = Question.all[6]
        func isRight() async -> Bool {
            let response = try? await request("GET", question.target, on: gateway)
            return response?.status == 200 && response?.body == question.body
        }
        #expect(await isRight())
        #expect(up.lines.contains { $0.hasPrefix("ready on http://127.0.0.1:\(port), try: curl ") })

        let second = try TickloopProcess(
            ["up", "--data", folder, "--port", "\(try FreePort.choose())"],
            folder: packageFolder
        )
        #expect(try await second.waitForEnd() == .exited(1))
        #expect(second.lines.contains { $0.contains(folder) }, "\(second.lines)")

        for server in ["redis", "postgres"] {
            let old = try #require(pid(server, in: folder))
            #expect(Glibc.kill(old, SIGKILL) == 0)
            try await eventually("another \(server)", within: .seconds(60)) {
                pid(server, in: folder).map { $0 != old } ?? false
            }
            try await eventually("right answers", within: .seconds(60)) { await isRight() }
        }

        let pids = Self.services.compactMap { pid($0, in: folder) }
        #expect(pids.count == Self.services.count)
        for pid in pids { Glibc.kill(pid, SIGKILL) }
        try await up.kill()
        up = try await start(in: folder, port: port)
        #expect(await isRight())

        let last = Self.services.compactMap { pid($0, in: folder) }
        #expect(last.count == Self.services.count)
        up.send(SIGINT)
        #expect(try await up.waitForEnd(within: .seconds(60)) == .exited(0))
        for pid in last { #expect(Glibc.kill(pid, 0) != 0) }
        #expect(Files.entries(ofFolder: "\(folder)/run").filter { $0.hasSuffix(".pid") } == [])
    }
}
