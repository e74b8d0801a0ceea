internal import Glibc

/// A program that ran to its end.
enum Command {
    /// What a program wrote to its standard output; nil if it could not be started or failed.
    ///
    /// - Parameter arguments: The program first, looked up in `PATH`.
    static func output(_ arguments: [String], input: String? = nil) -> String? {
        var line = arguments.map(quoted).joined(separator: " ")
        if let input { line = "printf %s \(quoted(input)) | \(line)" }
        guard let stream = unsafe popen(line, "r") else { return nil }
        let text = unsafe read(stream)
        return unsafe pclose(stream) == 0 ? text : nil
    }

    /// This program with other arguments.
    static func itself(_ arguments: String...) -> [String] {
        guard let path = unsafe realpath("/proc/self/exe", nil) else { return arguments }
        defer { unsafe free(path) }
        return [unsafe String(cString: path)] + arguments
    }

    /// The text of a file; nil if it cannot be read.
    static func contents(of path: String) -> String? {
        guard let stream = unsafe fopen(path, "r") else { return nil }
        defer { unsafe fclose(stream) }
        return unsafe read(stream)
    }

    /// Whether the file was written.
    static func write(_ text: String, to path: String) -> Bool {
        guard let stream = unsafe fopen(path, "w") else { return false }
        let isWritten = unsafe fputs(text, stream) >= 0
        return unsafe fclose(stream) == 0 && isWritten
    }

    /// Says something to the person at the terminal that is not the result.
    static func complain(_ text: String) {
        let line = Array((text + "\n").utf8)
        _ = unsafe line.withUnsafeBytes { unsafe Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }

    private static func read(_ stream: UnsafeMutablePointer<FILE>) -> String {
        var text: [UInt8] = []
        while true {
            let byte = unsafe fgetc(stream)
            guard byte != EOF else { break }
            text.append(UInt8(truncatingIfNeeded: byte))
        }
        return String(decoding: text, as: UTF8.self)
    }

    private static func quoted(_ word: String) -> String {
        "'" + word.split(separator: "'", omittingEmptySubsequences: false).joined(separator: #"'\''"#) + "'"
    }
}
