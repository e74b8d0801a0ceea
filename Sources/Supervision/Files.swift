import Basics
import Glibc
import Reactor

/// The few file operations that supervision needs, without Foundation.
///
/// They block for as long as the disk takes, which is why only `tickloop up` and the tests, and no service, call them.
public enum Files {
    /// Reads a small file whole; `nil` when it is not there, not readable, or longer than 1 MiB.
    static func read(_ path: String) -> [UInt8]? {
        try? FileContents.bytes(path, atMost: 1 << 20)
    }

    /// Reads a small text file whole; see ``read(_:)``.
    public static func text(_ path: String) -> String? { read(path).map { String(decoding: $0, as: UTF8.self) } }

    /// Replaces a file in one step: a reader sees the old contents or the new, also after a crash in between.
    public static func write(_ text: String, to path: String, mode: UInt32 = 0o644) throws(SupervisionError) {
        let temporary = path + ".new"
        unsafe unlink(temporary)
        let descriptor = unsafe open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)
        guard descriptor >= 0 else { throw .fileSystem(path: temporary, errno: errno) }
        let bytes = Array(text.utf8)
        let written = unsafe Glibc.write(descriptor, bytes, bytes.count)
        let failure = errno
        close(descriptor)
        guard written == bytes.count else {
            throw .fileSystem(path: temporary, errno: failure)
        }
        try rename(temporary, to: path)
    }

    /// Renames a file or folder; a file that is in the way is replaced.
    static func rename(_ path: String, to destination: String) throws(SupervisionError) {
        guard unsafe Glibc.rename(path, destination) == 0 else {
            throw .fileSystem(path: destination, errno: errno)
        }
    }

    /// Makes a folder and those above it, as far as they are missing.
    public static func createFolder(_ path: String, mode: UInt32 = 0o755) throws(SupervisionError) {
        if isFolder(path) { return }
        let parent = self.parent(of: path)
        if parent != path { try createFolder(parent) }
        guard unsafe mkdir(path, mode) == 0 || errno == EEXIST else {
            throw .fileSystem(path: path, errno: errno)
        }
    }

    /// Removes a file, or a folder with everything in it; it need not be there. Symbolic links are not followed.
    public static func remove(_ path: String) {
        if isFolder(path), destination(ofLink: path) == nil {
            for name in entries(ofFolder: path) { remove("\(path)/\(name)") }
            unsafe rmdir(path)
        } else {
            unsafe unlink(path)
        }
    }

    /// The names in a folder, without `.` and `..`; none if it cannot be read.
    public static func entries(ofFolder path: String) -> [String] {
        guard let folder = unsafe opendir(path) else { return [] }
        defer { unsafe closedir(folder) }
        var names: [String] = []
        while let entry = unsafe readdir(folder) {
            let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }

    /// Whether a folder stands there.
    static func isFolder(_ path: String) -> Bool {
        status(of: path).map { $0.st_mode & S_IFMT == S_IFDIR } ?? false
    }

    /// Whether an ordinary file stands there.
    public static func isRegularFile(_ path: String) -> Bool {
        status(of: path).map { $0.st_mode & S_IFMT == S_IFREG } ?? false
    }

    /// Gives a file or folder to an account.
    static func changeOwner(of path: String, to account: Account) throws(SupervisionError) {
        guard unsafe chown(path, account.user, account.group) == 0 else {
            throw .fileSystem(path: path, errno: errno)
        }
    }

    /// What a symbolic link points to; `nil` if the path is none.
    static func destination(ofLink path: String) -> String? {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = unsafe readlink(path, &buffer, buffer.count)
        guard count >= 0 else { return nil }
        return String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// The path from the root, with `.`, `..` and doubled slashes resolved by their names; links are left alone, and
    /// nothing needs to exist.
    public static func absolute(_ path: String) -> String {
        var whole = path
        if !path.hasPrefix("/") {
            whole = (destination(ofLink: "/proc/self/cwd") ?? "") + "/" + path
        }
        var parts: [Substring] = []
        for part in whole.split(separator: "/") where part != "." {
            if part == ".." { _ = parts.popLast() } else { parts.append(part) }
        }
        return "/" + parts.joined(separator: "/")
    }

    /// The folder that a path is in.
    public static func parent(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    /// Who may do what with a file.
    struct Permissions: Equatable, Sendable {
        let user: uid_t
        let group: gid_t
        let mode: mode_t
    }

    /// The folders to pass on the way to a path, from the root, as far as they exist.
    static func ancestors(of path: String) -> [Permissions] {
        guard path != "/" else { return [] }
        let parent = self.parent(of: path)
        let own = status(of: parent).map { Permissions(user: $0.st_uid, group: $0.st_gid, mode: $0.st_mode) }
        return ancestors(of: parent) + (own.map { [$0] } ?? [])
    }

    /// The path without any symbolic link in it; the path itself where it does not exist.
    static func resolved(_ path: String) -> String {
        guard let real = unsafe realpath(path, nil) else { return path }
        defer { unsafe free(real) }
        return unsafe String(cString: real)
    }

    private static func status(of path: String) -> stat? {
        var status = stat()
        return unsafe stat(path, &status) == 0 ? status : nil
    }
}
