internal import CLibev

/// How a child process ended.
public enum WaitStatus: Hashable, Sendable {
    /// It returned, or called `exit`, with this status (0...255).
    case exited(CInt)
    /// This signal ended it.
    case signaled(CInt)

    /// Decodes what `wait(2)` reports.
    init(rawStatus: CInt) {
        let signal = rawStatus & 0x7f
        self = signal == 0 ? .exited((rawStatus >> 8) & 0xff) : .signaled(signal)
    }
}

/// Calls back once, when a child process has ended, after collecting its status so that no zombie is left.
@ReactorActor
@safe public final class ChildWatcher {
    private let onExit: @ReactorActor (WaitStatus) -> Void
    private let watcher: UnsafeMutablePointer<ev_child>

    /// Starts watching `pid`, a child of this process; to be called in the turn in which it was started.
    public init(pid: CInt, onExit: @escaping @ReactorActor (WaitStatus) -> Void) {
        self.onExit = onExit
        unsafe watcher = .allocate(capacity: 1)
        unsafe watcher.initialize(to: ev_child())
        unsafe clibev_child_init(watcher, childEnded, pid)
        unsafe watcher.pointee.data = Unmanaged.passUnretained(self).toOpaque()
        unsafe ev_child_start(Loop.pointer, watcher)
    }

    isolated deinit {
        unsafe ev_child_stop(Loop.pointer, watcher)
        unsafe watcher.deallocate()
    }

    fileprivate func fire(_ status: WaitStatus) {
        unsafe ev_child_stop(Loop.pointer, watcher)
        withExtendedLifetime(self) { onExit(status) }
    }
}

nonisolated private func childEnded(_: OpaquePointer?, watcher: UnsafeMutablePointer<ev_child>?, _: CInt) {
    guard let watcher = unsafe watcher, let context = unsafe watcher.pointee.data else {
        preconditionFailure("child watcher without context")
    }
    let owner = unsafe Unmanaged<ChildWatcher>.fromOpaque(context).takeUnretainedValue()
    let status = WaitStatus(rawStatus: unsafe watcher.pointee.rstatus)
    ReactorActor.assumeIsolated { owner.fire(status) }
}
