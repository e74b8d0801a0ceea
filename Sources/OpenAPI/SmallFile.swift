internal import Glibc

/// Reads whole files, which blocks.
enum SmallFile {
    /// Why a file cannot be used.
    enum Failure: Error, CustomStringConvertible {
        case unreadable(path: String, errno: CInt)
        case tooLong(path: String, limitBytes: Int)

        /// For the operator.
        var description: String {
            switch self {
            case .unreadable(let path, let errno): "\(path): \(unsafe String(cString: strerror(errno)))"
            case .tooLong(let path, let limit): "\(path): longer than \(limit) bytes"
            }
        }
    }

    /// Finds out whether a file can be read.
    static func check(_ path: String, atMost limitBytes: Int) throws(Failure) {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .unreadable(path: path, errno: errno) }
        defer { close(descriptor) }
        guard lseek(descriptor, 0, SEEK_END) <= limitBytes else { throw .tooLong(path: path, limitBytes: limitBytes) }
    }

    static func read(_ path: String, atMost limitBytes: Int) throws(Failure) -> [UInt8] {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .unreadable(path: path, errno: errno) }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 * 1024)
        while bytes.count <= limitBytes {
            let count = unsafe chunk.withUnsafeMutableBytes { unsafe Glibc.read(descriptor, $0.baseAddress, $0.count) }
            if count == 0 { return bytes }
            if count > 0 {
                bytes.append(contentsOf: chunk[..<count])
            } else if errno != EINTR {
                throw .unreadable(path: path, errno: errno)
            }
        }
        throw .tooLong(path: path, limitBytes: limitBytes)
    }
}
