/// Cuts a stream of bytes into lines of bounded length.
///
/// A line that is too long is delivered once, cut and marked; the rest of it is dropped, so a child that prints without
/// a newline costs neither memory nor a flood of half lines.
struct LineSplitter {
    private let lineLimitBytes: Int
    private var partial: [UInt8] = []
    private var isSkipping = false

    /// - Parameter lineLimitBytes: Longest line that is delivered whole.
    init(lineLimitBytes: Int = 16 * 1024) {
        precondition(lineLimitBytes > 0, "a line of no bytes carries nothing")
        self.lineLimitBytes = lineLimitBytes
    }

    /// Takes what was read, and returns the lines that it completes, without their newline (or CR LF).
    mutating func append(_ bytes: ArraySlice<UInt8>) -> [String] {
        var lines: [String] = []
        var rest = bytes
        while let newline = rest.firstIndex(of: UInt8(ascii: "\n")) {
            take(rest[..<newline], into: &lines)
            if !isSkipping { lines.append(takeLine()) }
            isSkipping = false
            rest = rest[(newline + 1)...]
        }
        take(rest, into: &lines)
        return lines
    }

    /// Keeps a part of a line, and delivers what is kept when that part makes it too long.
    private mutating func take(_ part: ArraySlice<UInt8>, into lines: inout [String]) {
        guard !isSkipping else { return }
        let room = lineLimitBytes - partial.count
        partial += part.prefix(room)
        if part.count > room {
            lines.append(takeLine() + "…")
            isSkipping = true
        }
    }

    /// The stream has ended: what stands there without a newline, if anything.
    mutating func finish() -> String? { partial.isEmpty ? nil : takeLine() }

    private mutating func takeLine() -> String {
        if partial.last == UInt8(ascii: "\r") { partial.removeLast() }
        defer { partial.removeAll(keepingCapacity: true) }
        return String(decoding: partial, as: UTF8.self)
    }
}
