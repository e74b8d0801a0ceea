import Reactor
import Supervision
import TestSupport
import Testing

/// What can be tried of `docker-compose.yaml` without Docker.
@Suite struct ComposeTests {
    init() { loop }

    /// The script that starts Redis, as the shell gets it.
    private func redisScript() throws -> String {
        let file = try #require(Files.text("\(packageFolder)/docker-compose.yaml"))
        let lines = file.split(separator: "\n", omittingEmptySubsequences: false)
        let start = try #require(
            lines.firstIndex { $0.hasSuffix("password=$$(printf %s \"$$REDISCLI_AUTH\" | sed 's/[\"\\\\]/\\\\&/g')") }
        )
        let indent = lines[start].prefix { $0 == " " }
        let script = lines[start...].prefix { $0.hasPrefix(indent) }.map { $0.dropFirst(indent.count) }
        return script.joined(separator: "\n").split(separator: "$$", omittingEmptySubsequences: false)
            .joined(separator: "$") + "\n"
    }

    @Test(arguments: [
        "plain", #"p"w"#, #"p\tw"#, #"\"#, "p'w", "p w", " p ", "$HOME", "p$w", "${x:-y}", "`id`", "p#w", "%s", "a&b/c",
        "ü",
    ])
    @ReactorActor func `any password of Redis works`(password: String) async throws {
        let port = try FreePort.choose()
        let folder = try TestFolder.make()
        let script = try redisScript().split(separator: "\n", omittingEmptySubsequences: false)
            .map { $0 == "dir /data" ? "dir \(folder)\nport \(port)\nbind 127.0.0.1" : String($0) }
            .joined(separator: "\n")
        #expect(script.contains("dir \(folder)"))
        var command = Command("/bin/sh", ["-c", script], parentDeathSignal: .kill)
        command.environment["REDISCLI_AUTH"] = password
        var lines: [String] = []
        var hasEnded = false
        let server = try ChildProcess(command, onLine: { lines.append($0) }, onEnd: { _ in hasEnded = true })
        let client = try #require(Executable.find("redis-cli"))
        func ask(_ password: String) async -> [String] {
            var ping = Command(client, ["-p", "\(port)", "ping"])
            ping.environment["REDISCLI_AUTH"] = password
            return (try? await ChildProcess.run(ping, name: "redis-cli")) ?? []
        }
        try await eventually("an answer") { await ask(password) == ["PONG"] || hasEnded }
        #expect(!hasEnded, "\(lines)")
        #expect(await ask(password + "x") != ["PONG"])
        server.kill()
        try await eventually("its end") { hasEnded }
    }

    @Test func `the example of settings names what the Compose file takes, with the same defaults`() throws {
        let compose = try #require(Files.text("\(packageFolder)/docker-compose.yaml"))
        let example = try #require(Files.text("\(packageFolder)/.env.example"))
        let taken = Set(compose.matches(of: /\$\{([A-Z_]+):-([^}]*)\}/).map { "\($0.1)=\($0.2)" })
        let named = Set(example.matches(of: /(?m)^#([A-Z_]+=.*)$/).map { String($0.1) })
        #expect(taken == named)
        #expect(taken.count > 8)
    }

    /// Nobody serves the database that they are told of.
    @Test @ReactorActor func `without sample data the commands that would load it do nothing`() async throws {
        let compose = try #require(Files.text("\(packageFolder)/docker-compose.yaml"))
        let commands = compose.matches(of: /command: \[(.*), "--\$\{SAMPLE:-sample\}"\]/).map { String($0.1) }
        #expect(commands == ["seed", "import, conversations"])
        for command in commands {
            let process = try TickloopProcess(
                command.split(separator: ", ").map { String($0) } + ["--no-sample"],
                environment: ["TICKLOOP_DATABASE_URL": "postgres://nobody:secret@127.0.0.1:1/none"],
                folder: packageFolder
            )
            #expect(try await process.waitForEnd() == .exited(0), "\(process.lines)")
        }
    }

    @Test func `the Prometheus of the Compose file asks every service where it listens`() throws {
        let compose = try #require(Files.text("\(packageFolder)/docker-compose.yaml"))
        let prometheus = try #require(Files.text("\(packageFolder)/containers/prometheus.yml"))
        let asked = prometheus.matches(of: /job_name: ([a-z]+)\n.*names: \[([a-z]+)\], type: A, port: (\d+)/)
            .map { "\($0.1) \($0.2) \($0.3)" }
        let listening = compose.matches(
            of: /command: \[([a-z]+)\]\n(?:[^\n]+\n)+? +TICKLOOP_SERVER_LISTEN: 0.0.0.0:(\d+)/
        )
        .map { "\($0.1) \($0.1) \($0.2)" }
        #expect(asked.sorted() == listening.sorted())
        #expect(asked.count == 4)
    }
}
