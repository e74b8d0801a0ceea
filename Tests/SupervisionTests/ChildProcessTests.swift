import Glibc
import Reactor
import TestSupport
import Testing

@testable import Supervision

@Suite struct ChildProcessTests {
    init() { Reactor.runInBackground() }

    private func shell(_ script: String) -> Command { Command("/bin/sh", ["-c", script]) }

    @Test @ReactorActor func `both outputs come as lines, in order, and the end comes last`() async throws {
        let lines = try await ChildProcess.run(shell("echo one; echo two >&2; printf three"), name: "sh")
        #expect(lines == ["one", "two", "three"])
    }

    @Test @ReactorActor func `a failing program is an error with its status and last line`() async throws {
        await #expect(throws: SupervisionError.ended(name: "sh", .exited(3), lastLine: "because")) {
            try await ChildProcess.run(shell("echo because; exit 3"), name: "sh")
        }
        await #expect(throws: SupervisionError.ended(name: "sh", .signaled(SIGTERM), lastLine: "")) {
            try await ChildProcess.run(shell("kill $$"), name: "sh")
        }
    }

    @Test @ReactorActor func `a program that is not there is an error`() async throws {
        await #expect(throws: SupervisionError.self) { try await ChildProcess.run(Command("/no/such"), name: "x") }
    }

    @Test @ReactorActor func `the child has its own session, an empty input, the given environment and folder`()
        async throws
    {
        var command = Command(
            "/bin/sh",
            ["-c", "cat; pwd; echo $A; ps -o sid= -p $$; echo $$; ls /proc/$$/fd"],
            environment: ["A": "b c", "PATH": "/usr/bin:/bin"]
        )
        command.workingDirectory = "/usr"
        let lines = try await ChildProcess.run(command, name: "sh")
        #expect(lines[0] == "/usr")
        #expect(lines[1] == "b c")
        #expect(lines[2].filter { $0 != " " } == lines[3])
        #expect(lines[4...] == ["0", "1", "2"])
    }

    @Test @ReactorActor func `a program that only prints does not fill our memory`() async throws {
        let lines = try await ChildProcess.run(shell("yes | head -c 500000; head -c 300000 /dev/zero"), name: "sh")
        #expect(lines.count <= 1000)
        #expect(lines.last?.hasSuffix("…") == true)
    }

    @Test @ReactorActor func `a kill reaches what the child started, and a signal after the end reaches nobody`()
        async throws
    {
        let end = Promise<WaitStatus, Never>()
        var lines: [String] = []
        let child = try ChildProcess(
            shell("sleep 1000 & echo $!; wait"),
            onLine: { lines.append($0) },
            onEnd: { end.succeed($0) }
        )
        try await eventually("the pid") { lines.count == 1 }
        let pid = try #require(CInt(lines[0]))
        let grandchild = try #require(ProcessRecord(name: "sleep", runningAs: pid))
        child.kill()
        #expect(await end.result.get() == .signaled(SIGKILL))
        try await eventually("the end of the grandchild") { !grandchild.isRunning }
        child.send(SIGTERM)
        child.kill()
    }

    @Test @ReactorActor func `a child ends when its parent is killed`() async throws {
        let end = Promise<WaitStatus, Never>()
        var lines: [String] = []
        let setpriv = try #require(Executable.find("setpriv"))
        let nested = shell("echo started; exec sleep 1000").argumentVector(setpriv: setpriv)
            .map { "'\($0)'" }.joined(separator: " ")
        let child = try ChildProcess(
            shell("\(nested) & echo $!; wait"),
            onLine: { lines.append($0) },
            onEnd: { end.succeed($0) }
        )
        // Until it has started it is setpriv, which may not have asked for the signal yet.
        try await eventually("the pid, and the start") { lines.count == 2 && lines.contains("started") }
        let pid = try #require(lines.compactMap { CInt($0) }.first)
        let grandchild = try #require(ProcessRecord(name: "sleep", runningAs: pid))
        child.send(SIGKILL)  // only the child, not its group
        _ = await end.result
        try await eventually("the end of the grandchild") { !grandchild.isRunning }
    }

    // On the loop, as in a program: a process that another thread is just starting holds a copy of every descriptor.
    @Test @ReactorActor func `a folder has one owner at a time`() throws {
        let folder = try TestFolder.make()
        let file = "\(folder)/lock"
        do {
            let first = try FolderLock(folder: folder, file: file)
            #expect(throws: SupervisionError.folderInUse(folder: folder, owner: "\(getpid())")) {
                _ = try FolderLock(folder: folder, file: file)
            }
            _ = consume first
        }
        _ = try FolderLock(folder: folder, file: file)
    }
}
