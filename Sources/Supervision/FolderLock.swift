import Glibc
import Reactor

/// The exclusive right to work in a folder, held for as long as this value lives.
///
/// The kernel drops a `flock(2)` with its last descriptor, so a killed owner leaves no stale lock behind. The file also
/// carries the owner's pid, only to tell people who it is.
public struct FolderLock: ~Copyable {
    private let descriptor: FileDescriptor

    /// Takes the lock.
    ///
    /// - Throws: ``SupervisionError/folderInUse(folder:owner:)`` at once when another process holds it.
    public init(folder: String, file: String) throws(SupervisionError) {
        // Not inherited by children: the lock must end with this process, not with the last of them.
        let number = unsafe open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        guard number >= 0 else { throw .fileSystem(path: file, errno: errno) }
        let lock = FileDescriptor(owning: number)
        guard flock(number, LOCK_EX | LOCK_NB) == 0 else {
            let owner = Files.text(file)?.split(separator: "\n").first.map(String.init) ?? "unknown"
            throw .folderInUse(folder: folder, owner: owner)
        }
        let pid = Array("\(getpid())\n".utf8)
        ftruncate(number, 0)
        _ = unsafe pwrite(number, pid, pid.count, 0)
        descriptor = lock
    }
}
