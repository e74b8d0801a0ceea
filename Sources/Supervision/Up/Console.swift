import Glibc
import Reactor

/// The terminal, or the file or pipe in its place: lines of all children, each with the name of who said it.
///
/// Never waits for the reader: it writes when there is room, keeps a bounded amount of what has none, and drops and
/// counts the rest, because a terminal that was stopped with Ctrl-S must not stop PostgreSQL.
@ReactorActor
final class Console {
    /// What a child says is kept up to this; supervision must not need memory to the degree that children talk.
    private static let limitBytes = 1 << 20
    /// A pipe or a terminal that is ready takes this much without waiting: `PIPE_BUF` in pipe(7), and the room of a
    /// pty.
    private static let writeBytes = 4096

    private let descriptor: CInt
    private let style: LineStyle
    private var pending: [UInt8] = []
    /// Bytes at the front of `pending` that are out.
    private var written = 0
    private var dropped = 0
    private var watcher: IOWatcher?

    init(descriptor: CInt = STDOUT_FILENO, names: [String]) {
        self.descriptor = descriptor
        style = LineStyle(names: names, isColored: isatty(descriptor) == 1 && Environment.current["NO_COLOR"] == nil)
    }

    /// Says a line in the name of a child, or of `up` itself.
    func say(_ name: String, _ line: String) { append(style.line(name, line)) }

    /// Says a line that stands out, for people and for programs that wait for it.
    func announce(_ line: String) { append(line + "\n") }

    /// Waits until everything is written, at most for a moment; for the end of the process.
    func flush() {
        watcher = nil
        var poll = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        while !pending.isEmpty, unsafe Glibc.poll(&poll, 1, 500) > 0, writeSome() {}
    }

    private func append(_ text: String) {
        guard pending.count - written + text.utf8.count <= Self.limitBytes else {
            dropped += 1
            return
        }
        if dropped > 0 {
            pending += Array(style.line("up", "\(dropped) lines were dropped").utf8)
            dropped = 0
        }
        pending += Array(text.utf8)
        guard watcher == nil else { return }
        watcher = IOWatcher(descriptor: descriptor, for: .write) { [unowned self] _ in
            if !writeSome() || pending.isEmpty { watcher = nil }
        }
    }

    /// - Returns: `false` when nobody will ever read; what was to be said is forgotten then.
    private func writeSome() -> Bool {
        let count = unsafe pending.withUnsafeBytes { bytes in
            let some = unsafe bytes[written...].prefix(Self.writeBytes)
            return unsafe Glibc.write(descriptor, UnsafeRawBufferPointer(rebasing: some).baseAddress, some.count)
        }
        if count > 0 {
            written += count
            // Moving the rest up costs as much as the rest is long, so not with every write.
            if written == pending.count || written >= Self.limitBytes / 4 {
                pending.removeFirst(written)
                written = 0
            }
            return true
        }
        if count < 0, errno == EINTR || errno == EAGAIN { return true }
        pending.removeAll()
        written = 0
        return false
    }
}

/// How a line looks: `api-1     | text`.
struct LineStyle {
    private let width: Int
    private let isColored: Bool
    private let colors: [String: Int]

    init(names: [String], isColored: Bool) {
        width = names.map(\.count).max() ?? 0
        self.isColored = isColored
        // The terminal's own palette, without black, red (which means trouble) and white.
        let palette = [36, 33, 32, 35, 34, 96, 93, 92, 95, 94]
        colors = Dictionary(
            names.enumerated().map { ($1, palette[$0 % palette.count]) },
            uniquingKeysWith: { first, _ in first }
        )
    }

    func line(_ name: String, _ text: String) -> String {
        let padded = name + String(repeating: " ", count: max(0, width - name.count)) + " |"
        guard isColored, let color = colors[name] else { return "\(padded) \(text)\n" }
        return "\u{1b}[\(color)m\(padded)\u{1b}[0m \(text)\n"
    }
}
