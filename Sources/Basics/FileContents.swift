internal import Glibc

/// Reads whole files.
///
/// This blocks, as files do: it is for the start of a process and for commands, never for the loop.
public enum FileContents {
    /// Why a file cannot be used.
    public enum Failure: Error, Equatable, CustomStringConvertible {
        /// The system refused, with this `errno`.
        case unreadable(CInt)
        /// It has more bytes than were wanted.
        case tooLong(limitBytes: Int)
        /// It is not UTF-8.
        case notText

        /// What is wrong, as the end of a sentence that begins with the file's name.
        public var description: String {
            switch self {
            case .unreadable(let error): "cannot be read: \(unsafe String(cString: strerror(error)))"
            case .tooLong(let limit): "is longer than \(limit) bytes"
            case .notText: "is not UTF-8"
            }
        }
    }

    /// The bytes of a file, a pipe or the like, to its end.
    public static func bytes(_ path: String, atMost limitBytes: Int) throws(Failure) -> [UInt8] {
        let descriptor = try open(path)
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 * 1024)
        while bytes.count <= limitBytes {
            let count = unsafe chunk.withUnsafeMutableBytes { unsafe read(descriptor, $0.baseAddress, $0.count) }
            if count == 0 { return bytes }
            if count > 0 {
                bytes.append(contentsOf: chunk[..<count])
            } else if errno != EINTR {
                throw .unreadable(errno)
            }
        }
        throw .tooLong(limitBytes: limitBytes)
    }

    /// The text of a file.
    public static func text(_ path: String, atMost limitBytes: Int) throws(Failure) -> String {
        guard let text = String(validating: try bytes(path, atMost: limitBytes), as: UTF8.self) else { throw .notText }
        return text
    }

    /// Finds out whether a file could be read, without reading it.
    public static func check(_ path: String, atMost limitBytes: Int) throws(Failure) {
        let descriptor = try open(path)
        defer { close(descriptor) }
        guard lseek(descriptor, 0, SEEK_END) <= limitBytes else { throw .tooLong(limitBytes: limitBytes) }
    }

    private static func open(_ path: String) throws(Failure) -> CInt {
        let descriptor = unsafe Glibc.open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .unreadable(errno) }
        return descriptor
    }
}
