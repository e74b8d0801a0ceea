import Reactor
import Supervision
import TestSupport
import Testing

/// `tickloop health`, which tells Docker how a container is.
@Suite struct HealthCommandTests {
    init() { loop }

    @Test @ReactorActor func `a gateway without an API is alive and not ready, and a dead one is neither`() async throws
    {
        let folder = try TestFolder.make()
        let endpoint = Endpoint.unix(path: "\(folder)/gateway.sock")
        let environment = [
            "TICKLOOP_SERVER_LISTEN": endpoint.description, "TICKLOOP_UPSTREAM_ADDRESS": "unix:\(folder)/nobody.sock",
        ]
        let gateway = try TickloopProcess(["gateway"], environment: environment, folder: packageFolder)
        try await gateway.waitUntilReady(.http(endpoint, path: "/health"))

        func health(_ words: String...) async throws -> TickloopProcess {
            let process = try TickloopProcess(
                ["health", "gateway"] + words,
                environment: environment,
                folder: packageFolder
            )
            try await process.waitForEnd()
            return process
        }
        let alive = try await health("--alive")
        #expect(alive.status == .exited(0))
        #expect(alive.lines == [#"{"status":"ok"}"#])
        let ready = try await health()
        #expect(ready.status == .exited(1))
        #expect(ready.lines.first?.contains("api") == true)

        try await gateway.kill()
        let dead = try await health("--alive")
        #expect(dead.status == .exited(1))
        #expect(dead.lines.first?.hasPrefix("\(endpoint) does not answer: unreachable") == true)
    }
}
