import Glibc
public import Reactor

/// Why something under supervision could not be started.
///
/// None of them leaves a process behind: what was started before the failure has been stopped when the error is thrown.
public enum SupervisionError: Error, Equatable, Sendable {
    /// A program is not installed; `package` is the Debian package that has it.
    case programNotFound(name: String, package: String)
    /// The kernel refused to make the process.
    case cannotSpawn(program: String, errno: CInt)
    /// A file or folder could not be made, read or written.
    case fileSystem(path: String, errno: CInt)
    /// A program that should have stayed, or succeeded, ended; `lastLine` is the last thing it printed.
    case ended(name: String, WaitStatus, lastLine: String)
    /// A program runs, but did not become ready in time.
    case notReady(name: String, within: Duration)
    /// Another process works in this folder.
    case folderInUse(folder: String, owner: String)
    /// The port that was asked for belongs to another process, or is not for this account.
    case portUnusable(UInt16, errno: CInt)
    /// No free port was found on this machine.
    case noFreePort
    /// A stop was asked for while it was starting.
    case stopped
}

/// The system's own words for an error number.
private func words(for error: CInt) -> String {
    guard let words = unsafe strerror(error) else { return "error \(error)" }
    return unsafe String(cString: words)
}

extension WaitStatus {
    /// How it ended, as the end of a sentence.
    package var words: String {
        switch self {
        case .exited(let status): "exited with status \(status)"
        case .signaled(let signal): "was killed by signal \(signal)"
        }
    }
}

extension SupervisionError: CustomStringConvertible {
    /// One sentence for a person at a terminal, with what to do about it where that is known.
    public var description: String {
        switch self {
        case .programNotFound(let name, let package): "\(name) is not installed: apt-get install \(package)"
        case .cannotSpawn(let program, let error): "cannot run \(program): \(words(for: error))"
        case .fileSystem(let path, let error): "\(path): \(words(for: error))"
        case .ended(let name, let status, ""): "\(name) \(status.words)"
        case .ended(let name, let status, let line): "\(name) \(status.words): \(line)"
        case .notReady(let name, let limit): "\(name) was not ready within \(limit)"
        case .folderInUse(let folder, let owner): "tickloop up already runs on \(folder) (pid \(owner))"
        case .portUnusable(let port, EADDRINUSE): "port \(port) is taken; choose another with --port"
        case .portUnusable(let port, EACCES):
            "port \(port) is not for this account (\(words(for: EACCES))); choose one from 1024 on with --port"
        case .portUnusable(let port, let error): "port \(port): \(words(for: error))"
        case .noFreePort: "no free port on 127.0.0.1"
        case .stopped: "stopped"
        }
    }
}
