internal import Glibc
internal import Reactor

/// The file that a Unix-domain socket is bound to. The kernel neither removes nor replaces it.
struct UnixSocketFile {
    private let path: String
    private let device: dev_t
    private let inode: ino_t

    /// Remembers the file that was just bound; nil if it is gone already.
    init?(_ path: String) {
        guard let status = Self.status(of: path) else { return nil }
        self.path = path
        device = status.st_dev
        inode = status.st_ino
    }

    /// Removes the file, unless another process has put its own in its place.
    func remove() {
        guard let status = Self.status(of: path), status.st_dev == device, status.st_ino == inode else { return }
        _ = unsafe unlink(path)
    }

    /// Removes a socket that nobody listens on any more, which a killed process leaves behind.
    static func removeStale(_ path: String) throws(ListenError) {
        guard let status = status(of: path) else { return }
        guard status.st_mode & S_IFMT == S_IFSOCK else { throw .notASocket(path: path) }
        // A full queue is a sign of life too.
        guard isConnectionRefused(path) else { throw .occupied(path: path) }
        _ = unsafe unlink(path)
    }

    private static func isConnectionRefused(_ path: String) -> Bool {
        do throws(SystemError) {
            _ = try Sockets.connect(to: .unix(path: path))
            return false
        } catch {
            return error.isConnectionRefused
        }
    }

    private static func status(of path: String) -> stat? {
        var status = stat()
        return unsafe lstat(path, &status) == 0 ? status : nil
    }
}
