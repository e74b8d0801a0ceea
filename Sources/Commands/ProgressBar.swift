import Glibc
import Reactor

/// A bar on the terminal's last line; silent where standard error is not a terminal.
///
/// It shows how long the work has taken and goes on doing so when nothing else moves, so that slow work does not look
/// like none.
@ReactorActor
final class ProgressBar {
    private static let width = 40

    private let title: String
    private let total: Int?
    private let start = Reactor.now
    private var done = 0
    private var shown = ""
    private var timer: Timer?

    /// - Parameter total: What ``show(_:)`` counts up to; nil if that is unknown, and bytes are counted.
    init(_ title: String, total: Int?) {
        self.title = title
        self.total = total
        guard isatty(STDERR_FILENO) == 1 else { return }
        let timer = Timer { [weak self] in self?.paint() }
        timer.scheduleRepeating(every: .seconds(1))
        self.timer = timer
        paint()
    }

    /// Shows how much of the total is done.
    func show(_ done: Int) {
        self.done = done
        paint()
    }

    /// Takes the bar away, so that ordinary lines can follow; the next ``show(_:)`` brings it back.
    func hide() {
        guard timer != nil, !shown.isEmpty else { return }
        Terminal.overwriteLine("")
        shown = ""
    }

    /// Takes the bar away for good.
    func finish() {
        hide()
        timer = nil
    }

    private func paint() {
        guard timer != nil else { return }
        let seconds = Int((Reactor.now - start) / .seconds(1))
        let line = "\(title) \(amount)  \(seconds) s"
        // A repaint for every event would cost more than the work.
        guard line != shown else { return }
        shown = line
        Terminal.overwriteLine(line)
    }

    private var amount: String {
        guard let total else { return "\(done / 1_000_000) MB" }
        let percent = total == 0 ? 100 : min(100, done * 100 / total)
        let filled = Self.width * percent / 100
        let bar = String(repeating: "#", count: filled) + String(repeating: ".", count: Self.width - filled)
        return "[\(bar)] \(percent) %"
    }
}
