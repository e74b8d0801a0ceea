internal import CLinux
internal import Glibc

/// How a child process ended.
public enum WaitStatus: Hashable, Sendable {
    /// It returned, or called `exit`, with this status (0...255).
    case exited(CInt)
    /// This signal ended it.
    case signaled(CInt)
}

/// Calls back once, when a child process has ended, after collecting its status so that no zombie is left.
///
/// Watches a pidfd: unlike SIGCHLD it concerns this one child, so other code in the process may have children too.
///
/// - SeeAlso: pidfd_open(2), waitid(2).
@ReactorActor
public final class ChildWatcher {
    private let onExit: @ReactorActor (WaitStatus) -> Void
    private let process: FileDescriptor
    private var watcher: IOWatcher?

    /// Starts watching `pid`, a child of this process that nobody else collects.
    ///
    /// Without the watcher the child is not collected: keep it until `onExit` was called, which may drop it.
    public init(pid: CInt, onExit: @escaping @ReactorActor (WaitStatus) -> Void) {
        self.onExit = onExit
        let descriptor = clinux_pidfd_open(pid)
        precondition(descriptor >= 0, "pidfd_open failed for child \(pid): \(errno)")
        process = FileDescriptor(owning: descriptor)
        watcher = IOWatcher(descriptor: descriptor, for: .read) { [unowned self] _ in collect() }
    }

    private func collect() {
        var code: CInt = 0
        var status: CInt = 0
        let outcome = unsafe clinux_wait_pidfd(process.number, &code, &status)
        precondition(outcome >= 0, "somebody else collected a child that is watched: \(errno)")
        guard outcome == 1 else { return }
        watcher = nil
        let end = code == CInt(CLD_EXITED) ? WaitStatus.exited(status) : .signaled(status)
        withExtendedLifetime(self) { onExit(end) }
    }
}
