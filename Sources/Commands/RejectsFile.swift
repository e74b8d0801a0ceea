import Glibc

/// A file with a line for each line that was not imported.
///
/// For commands: it waits for the disk.
final class RejectsFile {
    private static let bufferBytes = 64 * 1024

    private let descriptor: CInt
    private var buffer: [UInt8] = []
    /// The system's words for the first write that failed.
    private(set) var failure: String?

    /// Makes the file anew; nil if that is not possible, and `errno` says why.
    init?(_ path: String) {
        let opened = unsafe open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        // Before it is one to close, which would say something else in `errno`.
        guard opened >= 0 else { return nil }
        descriptor = opened
    }

    deinit { close(descriptor) }

    func append(_ line: String) {
        buffer += line.utf8
        buffer.append(UInt8(ascii: "\n"))
        if buffer.count >= Self.bufferBytes { flush() }
    }

    /// Writes what is not written yet.
    func flush() {
        var rest = buffer[...]
        while !rest.isEmpty, failure == nil {
            let count = unsafe rest.withUnsafeBytes { unsafe Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count >= 0 {
                rest = rest.dropFirst(count)
            } else if errno != EINTR {
                failure = Terminal.words(errno)
            }
        }
        buffer.removeAll(keepingCapacity: true)
    }
}
