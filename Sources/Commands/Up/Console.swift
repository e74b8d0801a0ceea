import Basics
import Glibc
import Logs
import Reactor

/// The terminal, or the file or pipe in its place: lines of all children, each with the name of who said it.
///
/// Never waits for the reader: it writes when there is room, keeps a bounded amount of what has none, and drops and
/// counts the rest, because a terminal that was stopped with Ctrl-S must not stop PostgreSQL.
@ReactorActor
final class Console {
    /// What a child says is kept up to this; supervision must not need memory to the degree that children talk.
    private static let limitBytes = 1 << 20
    /// The longest wait for the reader at the end.
    private static let patience = Duration.milliseconds(500)

    private let descriptor: LogDescriptor
    private let style: LineStyle
    private var buffer = LogBuffer(limitBytes: limitBytes)
    private lazy var endOfTurn = EndOfTurn { [weak self] in self?.writeOut() }
    /// Exists while the reader is behind.
    private var watcher: IOWatcher?

    /// - Parameter names: Who will say something; they give the width of the first column, and get a colour each.
    init(descriptor: CInt = STDOUT_FILENO, names: [String]) {
        self.descriptor = LogDescriptor(descriptor)
        style = LineStyle(
            names: names,
            isColored: isatty(descriptor) == 1 && ProcessEnvironment.variables["NO_COLOR"] == nil
        )
    }

    /// Says a line in the name of a child, or of `up` itself.
    func say(_ name: String, _ line: String) { append(style.line(name, line)) }

    /// Says a line that stands out, for people and for programs that wait for it.
    func announce(_ line: String) { append(line + "\n") }

    /// Writes everything, and gives a slow reader a moment; for the end of the process, which it blocks.
    func flush() {
        writeOut()
        while !buffer.isEmpty, descriptor.waitUntilWritable(within: Self.patience) { writeOut() }
    }

    private func append(_ text: String) {
        buffer.append(Array(text.utf8))
        endOfTurn.schedule()
    }

    private func writeOut() {
        while true {
            if buffer.isEmpty {
                watcher = nil
                let dropped = buffer.takeDroppedLines()
                guard dropped > 0 else { return }
                buffer.append(Array(style.line("up", "\(dropped) lines were dropped").utf8))
            }
            switch descriptor.write(buffer.unwritten) {
            case .wrote(let count):
                buffer.wrote(count)
            case .broken:
                buffer.discard()
            case .full:
                if watcher == nil {
                    watcher = IOWatcher(descriptor: descriptor.number, for: .write) { [unowned self] _ in writeOut() }
                }
                return
            }
        }
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
