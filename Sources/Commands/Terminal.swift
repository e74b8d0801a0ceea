import Basics
import Glibc

/// What the commands say to the person at the terminal.
enum Terminal {
    /// Whether standard output is a terminal, and not a file or another program.
    static var isTerminal: Bool { isatty(STDOUT_FILENO) == 1 }

    /// Writes lines to standard output.
    ///
    /// - Returns: Whether they could be written.
    @discardableResult
    static func say(_ text: String) -> Bool { write(text, to: STDOUT_FILENO) }

    /// Writes a table for people, or an object a line for programs; `empty` says to people that there are no rows.
    static func show(_ table: Listing, asJSON: Bool, empty: String) {
        for line in asJSON ? table.json : table.rows.isEmpty ? [empty] : table.lines { say(line) }
    }

    /// Writes lines to standard error.
    static func complain(_ text: String) { write(text, to: STDERR_FILENO) }

    /// Replaces the last line of a terminal on standard error.
    static func overwriteLine(_ text: String) {
        // Carriage return, then "erase to the end of the line" of ECMA-48.
        write("\r\u{1b}[K\(text)", to: STDERR_FILENO, end: "")
    }

    /// Whether a file is there and can be read.
    static func fileExists(_ path: String) -> Bool { unsafe access(path, R_OK) == 0 }

    /// The system's words for an error number.
    static func words(_ errno: CInt) -> String {
        guard let words = unsafe strerror(errno) else { return "error \(errno)" }
        return unsafe String(cString: words)
    }

    @discardableResult
    private static func write(_ text: String, to descriptor: CInt, end: String = "\n") -> Bool {
        var rest = Array((text + end).utf8)[...]
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes { unsafe Glibc.write(descriptor, $0.baseAddress, $0.count) }
            guard count > 0 else { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }
}
