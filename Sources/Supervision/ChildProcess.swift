import CLinux
import Glibc
public import Reactor

/// A running child: its output comes as lines, its end as a status, and it does not outlive us.
///
/// The object lives until the child has ended, whether or not anyone holds it.
@ReactorActor
public final class ChildProcess {
    /// Its process id; after the end it may come to mean another process, which is why ``send(_:)`` asks first.
    nonisolated public let pid: CInt
    /// How it ended; `nil` while it runs.
    private(set) var status: WaitStatus?

    private let onLine: (String) -> Void
    private let onEnd: (WaitStatus) -> Void
    private var lines = LineSplitter()
    private let output: FileDescriptor
    private var outputWatcher: IOWatcher?
    private var childWatcher: ChildWatcher?

    /// Reads of one turn: 16 × 4 KiB, so that a child that only prints does not keep the others waiting.
    private static let readsPerTurn = 16
    private static let blockBytes = 4096

    /// Starts a command.
    ///
    /// - Parameters:
    ///   - onLine: Called with each line of standard output and standard error, in the order written.
    ///   - onEnd: Called once, after the last line, when the process has ended and its status was collected.
    /// - Throws: ``SupervisionError/cannotSpawn(program:_:)`` or ``SupervisionError/programNotFound(name:package:)``;
    ///   no process was made then.
    public init(
        _ command: Command,
        onLine: @escaping @ReactorActor (String) -> Void,
        onEnd: @escaping @ReactorActor (WaitStatus) -> Void
    ) throws(SupervisionError) {
        var ends: [CInt] = [-1, -1]
        guard unsafe clinux_pipe(&ends) == 0 else {
            throw .cannotSpawn(program: command.executable, errno: errno)
        }
        let reading = FileDescriptor(owning: ends[0])
        let writing = FileDescriptor(owning: ends[1])
        // Only our end: the child's is inherited by programs that expect writing to wait.
        _ = fcntl(reading.number, F_SETFL, O_NONBLOCK)
        pid = try Spawn.start(command, output: writing.number)
        output = reading
        self.onLine = onLine
        self.onEnd = onEnd
        outputWatcher = IOWatcher(descriptor: output.number, for: .read) { [self] _ in readOutput() }
        childWatcher = ChildWatcher(pid: pid) { [self] status in ended(status) }
    }

    /// Sends a signal; does nothing when the child has ended.
    public func send(_ signal: CInt) {
        guard status == nil else { return }
        Glibc.kill(pid, signal)
    }

    /// Ends the child, and what it started in its session's group, at once.
    public func kill() {
        guard status == nil else { return }
        Glibc.kill(-pid, SIGKILL)
    }

    private func readOutput() {
        var block = [UInt8](repeating: 0, count: Self.blockBytes)
        for _ in 0..<Self.readsPerTurn {
            let count = unsafe Glibc.read(output.number, &block, block.count)
            guard count > 0 else {
                // Closed by everyone who could write; the end itself comes through the child watcher.
                if count == 0 { outputWatcher = nil }
                return
            }
            for line in lines.append(block[..<count]) { onLine(line) }
        }
    }

    private func ended(_ status: WaitStatus) {
        // What the child wrote last is in the pipe. A grandchild may hold the other end open for ever: do not wait for
        // it.
        readOutput()
        if let line = lines.finish() { onLine(line) }
        self.status = status
        outputWatcher = nil
        childWatcher = nil
        onEnd(status)
    }
}

extension ChildProcess {
    /// Runs a command to its end.
    ///
    /// - Parameters:
    ///   - name: What it is called in an error.
    ///   - onLine: Called with each line that it prints.
    ///   - onStart: Called with the child, for who wants to stop it early.
    /// - Returns: All that it printed, its last 1000 lines at most.
    /// - Throws: ``SupervisionError/ended(name:_:lastLine:)`` when its status is not 0.
    @discardableResult
    public static func run(
        _ command: Command,
        name: String,
        onLine: @escaping @ReactorActor (String) -> Void = { _ in },
        onStart: @ReactorActor (ChildProcess) -> Void = { _ in }
    ) async throws(SupervisionError) -> [String] {
        let output = RecentLines()
        let end = Promise<WaitStatus, Never>()
        let child = try ChildProcess(
            command,
            onLine: { line in
                output.append(line)
                onLine(line)
            },
            onEnd: { status in end.succeed(status) }
        )
        onStart(child)
        let status = await end.result.get()
        guard status == .exited(0) else {
            throw .ended(name: name, status, lastLine: output.mostTelling)
        }
        return output.lines
    }
}

/// The newest lines of a program.
@ReactorActor
private final class RecentLines {
    private(set) var lines: [String] = []

    /// The line that says best why a program failed: the last that speaks of an error, or else the last.
    var mostTelling: String {
        let marks = ["error:", "ERROR:", "FATAL:", "PANIC:"]
        return lines.last { line in marks.contains { line.contains($0) } } ?? lines.last { !$0.isEmpty } ?? ""
    }

    func append(_ line: String) {
        if lines.count == 1000 { lines.removeFirst(500) }
        lines.append(line)
    }
}
