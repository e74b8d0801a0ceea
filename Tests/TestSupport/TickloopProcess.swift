import Glibc
public import Reactor
public import Supervision

/// A process of the program under test.
@ReactorActor
public final class TickloopProcess {
    /// Everything that it printed, in lines; the newest 10,000.
    public private(set) var lines: [String] = []
    /// How it ended; `nil` while it runs.
    public private(set) var status: WaitStatus?
    private var child: ChildProcess?

    /// Starts `tickloop` with these words.
    ///
    /// - Parameters:
    ///   - environment: Added to the environment of the tests.
    ///   - folder: Where it starts; `nil` for where the tests run, the package's folder.
    ///   - shell: What a shell does first, in whose place the program then runs; such as `ulimit -n 256`.
    ///   - redirection: What the shell does with the program's descriptors, such as `<&-`.
    public init(
        _ arguments: [String],
        environment: [String: String] = [:],
        folder: String? = nil,
        shell: String = "",
        redirection: String = ""
    ) throws {
        let program = Files.parent(of: Executable.current) + "/tickloop"
        guard Files.isRegularFile(program) else {
            throw TestFailure(description: "\(program) is not built; run swift build first")
        }
        let script = "\(shell.isEmpty ? ":" : shell); exec \"$0\" \"$@\" \(redirection)"
        let isPlain = shell.isEmpty && redirection.isEmpty
        var command = Command(
            isPlain ? program : "/bin/sh",
            isPlain ? arguments : ["-c", script, program] + arguments,
            parentDeathSignal: .kill
        )
        command.environment.merge(environment) { $1 }
        command.workingDirectory = folder
        child = try ChildProcess(
            command,
            onLine: { [self] line in
                if lines.count == 10_000 { lines.removeFirst(5_000) }
                lines.append(line)
            },
            onEnd: { [self] status in
                self.status = status
                child = nil
            }
        )
    }

    /// Its process id, while it runs.
    public var pid: CInt? { child?.pid }

    /// The names of its threads.
    public var threadCount: Int { pid.map { Files.entries(ofFolder: "/proc/\($0)/task").count } ?? 0 }

    /// Sends a signal; nothing happens when it has ended.
    public func send(_ signal: CInt) { child?.send(signal) }

    /// Waits until it answers.
    ///
    /// - Throws: ``TestFailure`` with what it printed when it ended, or was not ready in time.
    public func waitUntilReady(_ probe: Probe, within limit: Duration = .seconds(20)) async throws {
        var isReady = false
        try? await eventually("ready", within: limit) {
            isReady = await probe.isReady()
            return isReady || status != nil
        }
        guard isReady, status == nil else {
            throw TestFailure(description: "not ready: \(lines.suffix(20).joined(separator: "\n"))")
        }
    }

    /// Waits for its end.
    @discardableResult
    public func waitForEnd(within limit: Duration = .seconds(30)) async throws -> WaitStatus {
        try await eventually("the end of the process", within: limit) { status != nil }
        return status ?? .exited(0)
    }

    /// Ends it at once and waits until it is gone.
    public func kill() async throws {
        child?.kill()
        try await waitForEnd()
    }
}
