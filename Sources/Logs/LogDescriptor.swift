internal import Basics
internal import Glibc
internal import Reactor

/// A descriptor that can be written to without waiting for its reader, if it has one.
///
/// The standard error stream is shared: with the shell, with other processes of a container. `O_NONBLOCK` belongs to
/// the open file that they share, not to our descriptor, and programs that do not expect it fail. So a pipe is opened
/// once more for ourselves, so is a terminal (Ctrl-S must stop the reading, not the service), and a socket is asked
/// with each call.
package struct LogDescriptor: ~Copyable {
    /// What became of an attempt to write.
    package enum Outcome {
        case wrote(Int)
        /// The reader is behind; wait until the descriptor is writable.
        case full
        /// Nobody will ever read this.
        case broken
    }

    private enum Kind {
        /// A file, or something that has no reader: takes everything, at its own pace.
        case file
        case pipe
        case terminal
        case socket
    }

    /// The descriptor to write to and to wait for.
    package let number: CInt
    private let kind: Kind
    /// The pipe or terminal that was opened once more, to be closed with this.
    private let reopened: FileDescriptor?

    /// - Parameter descriptor: Stays the caller's, and open for as long as this lives.
    package init(_ descriptor: CInt) {
        // In a local, because a closure over a half-made noncopyable value, as `||` makes one of its right side, is
        // compiled so that the value is destroyed twice.
        let kind = Self.kind(of: descriptor)
        self.kind = kind
        guard kind == .pipe || kind == .terminal else {
            number = descriptor
            reopened = nil
            return
        }
        let another = unsafe open("/proc/self/fd/\(descriptor)", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
        if another >= 0 {
            number = another
            reopened = FileDescriptor(owning: another)
        } else {
            // Not ours to open (its owner is another user), or there is no /proc: then it has to be the shared one. A
            // terminal is left as it is, because the shell that reads from it would take "no input yet" for its end.
            if kind == .pipe { _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK) }
            number = descriptor
            reopened = nil
        }
    }

    private static func kind(of descriptor: CInt) -> Kind {
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else { return .file }
        return switch status.st_mode & S_IFMT {
        case S_IFIFO: .pipe
        case S_IFSOCK: .socket
        case S_IFCHR where isatty(descriptor) == 1: .terminal
        default: .file
        }
    }

    /// Writes what there is room for.
    package func write(_ bytes: ArraySlice<UInt8>) -> Outcome {
        while true {
            let count = unsafe bytes.withUnsafeBytes { buffer in
                switch kind {
                case .socket:
                    unsafe send(number, buffer.baseAddress, buffer.count, CInt(MSG_DONTWAIT) | CInt(MSG_NOSIGNAL))
                case .file, .pipe, .terminal:
                    unsafe Glibc.write(number, buffer.baseAddress, buffer.count)
                }
            }
            if count > 0 { return .wrote(count) }
            if count < 0, errno == EAGAIN { return .full }
            if count == 0 || errno != EINTR { return .broken }
        }
    }

    /// Waits, and blocks the thread, until there is room; for the end of a process only.
    ///
    /// - Returns: false when there still was none.
    package func waitUntilWritable(within duration: Duration) -> Bool {
        var poll = pollfd(fd: number, events: Int16(POLLOUT), revents: 0)
        let milliseconds = duration.wholeMilliseconds
        return unsafe Glibc.poll(&poll, 1, CInt(clamping: max(milliseconds, 0))) > 0
    }
}
