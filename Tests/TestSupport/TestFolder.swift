import Glibc
public import Supervision
import Synchronization

/// Temporary folders of the test process, removed when it ends; those of a killed one are removed by the next.
public enum TestFolder {
    private static let prefix = "tickloop-tests-"
    private static let parent = "/tmp"
    private static let count = Mutex(0)
    private static let servers = Mutex<Set<CInt>>([])

    /// Makes an empty folder. Its path is short enough for the path of a Unix-domain socket in it.
    public static func make() throws(SupervisionError) -> String {
        let number = count.withLock { count in
            count += 1
            return count
        }
        let path = "\(root)/\(number)"
        try Files.createFolder(path)
        return path
    }

    /// Notes a process that works in one of the folders, and is to end before they are removed.
    static func willOutlive(_ pid: CInt) { _ = servers.withLock { $0.insert(pid) } }

    private static let root: String = {
        for name in Files.entries(ofFolder: parent) where name.hasPrefix(prefix) {
            guard let pid = CInt(name.dropFirst(prefix.count)), Glibc.kill(pid, 0) != 0, errno == ESRCH else {
                continue
            }
            Files.remove("\(parent)/\(name)")
        }
        atexit { TestFolder.removeAll() }
        return "\(parent)/\(prefix)\(getpid())"
    }()

    private static func removeAll() {
        // The kernel would end them a moment later (their parent-death signal), but then they would write into what is
        // removed here.
        for pid in servers.withLock({ $0 }) { Glibc.kill(pid, SIGKILL) }
        Files.remove(root)
    }
}
