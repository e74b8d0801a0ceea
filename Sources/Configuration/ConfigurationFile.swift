internal import Glibc

/// Reads configuration files, and the environment of the process.
enum ConfigurationFile {
    /// No configuration is longer; 1 MiB.
    static let longestBytes = 1 << 20

    /// Why a file cannot be used.
    enum Failure: Error, CustomStringConvertible {
        case unreadable(errno: CInt)
        case tooLong
        case notUTF8

        /// What is wrong, as the end of a line that names the file.
        var description: String {
            switch self {
            case .unreadable(let errno): "cannot be read: \(unsafe String(cString: strerror(errno)))"
            case .tooLong: "is longer than \(ConfigurationFile.longestBytes) bytes"
            case .notUTF8: "is not UTF-8"
            }
        }
    }

    /// The text of a file.
    ///
    /// This blocks, as files do: it is for the start of a process only.
    static func read(_ path: String) throws(Failure) -> String {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .unreadable(errno: errno) }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16 * 1024)
        while bytes.count <= longestBytes {
            let count = unsafe chunk.withUnsafeMutableBytes { unsafe Glibc.read(descriptor, $0.baseAddress, $0.count) }
            if count == 0 {
                guard let text = String(validating: bytes, as: UTF8.self) else { throw .notUTF8 }
                return text
            }
            if count > 0 {
                bytes.append(contentsOf: chunk[..<count])
            } else if errno != EINTR {
                throw .unreadable(errno: errno)
            }
        }
        throw .tooLong
    }
}

/// The environment of this process.
public enum ProcessEnvironment {
    /// The variables by name. To be read at the start, before anything could change them.
    public static var variables: [String: String] {
        var variables: [String: String] = [:]
        var next = unsafe environ
        while let assignment = unsafe next.pointee {
            let text = unsafe String(cString: assignment)
            if let equals = text.firstIndex(of: "=") {
                variables[String(text[..<equals])] = String(text[text.index(after: equals)...])
            }
            unsafe next += 1
        }
        return variables
    }
}
