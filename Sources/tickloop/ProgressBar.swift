import Glibc

/// A bar on the terminal's last line; silent where standard error is not a terminal.
struct ProgressBar {
    private static let width = 40

    private let title: String
    private let total: Int?
    private let isTerminal = isatty(STDERR_FILENO) == 1
    private var shownPercent = -1

    /// - Parameter total: What ``show(_:)`` counts up to; nil if unknown, which shows no bar.
    init(_ title: String, total: Int?) {
        self.title = title
        self.total = total
    }

    /// Shows how much of the total is done.
    mutating func show(_ done: Int) {
        guard isTerminal, let total, total > 0 else { return }
        let percent = min(100, done * 100 / total)
        // A repaint for every event would cost more than the work.
        guard percent != shownPercent else { return }
        shownPercent = percent
        let filled = Self.width * percent / 100
        let bar = String(repeating: "#", count: filled) + String(repeating: ".", count: Self.width - filled)
        Terminal.overwriteLine("\(title) [\(bar)] \(percent) %")
    }

    /// Takes the bar away, so that ordinary lines can follow.
    mutating func finish() {
        guard isTerminal, shownPercent >= 0 else { return }
        Terminal.overwriteLine("")
        shownPercent = -1
    }
}
