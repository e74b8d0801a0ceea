internal import Glibc

/// Reads a file from its beginning to its end, a piece at a time.
///
/// For commands: it waits for the disk, and nothing that answers requests may do that.
struct FileReader: ~Copyable {
    /// Bytes of one piece: enough that a system call and a message to the server are cheap beside their content.
    private static let pieceBytes = 256 * 1024

    private let descriptor: CInt
    /// The file's size in bytes; nil for a pipe and the like.
    let size: Int?
    /// How many bytes were read so far.
    private(set) var position = 0

    /// Opens a file.
    ///
    /// - Throws: ``PriceFileError/unreadable(_:)``.
    init(_ path: String) throws(PriceFileError) {
        descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .unreadable(Self.words(errno)) }
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else {
            let failure = errno
            close(descriptor)
            throw .unreadable(Self.words(failure))
        }
        size = status.st_mode & S_IFMT == S_IFREG ? Int(status.st_size) : nil
    }

    deinit { close(descriptor) }

    /// The next piece; empty at the end.
    ///
    /// - Throws: ``PriceFileError/unreadable(_:)``, for example for a folder.
    mutating func next() throws(PriceFileError) -> [UInt8] {
        var failure: CInt = 0
        let piece = unsafe [UInt8](unsafeUninitializedCapacity: Self.pieceBytes) { [descriptor] buffer, count in
            var result = -1
            repeat {
                result = unsafe Glibc.read(descriptor, buffer.baseAddress, buffer.count)
            } while result < 0 && errno == EINTR
            if result < 0 { failure = errno }
            count = max(0, result)
        }
        guard failure == 0 else { throw .unreadable(Self.words(failure)) }
        position += piece.count
        return piece
    }

    private static func words(_ errno: CInt) -> String {
        guard let words = unsafe strerror(errno) else { return "error \(errno)" }
        return unsafe String(cString: words)
    }
}
