internal import CLibev

/// Calls back on the loop after the process received a signal.
@ReactorActor
@safe public final class SignalWatcher {
    private let onSignal: @ReactorActor () -> Void
    private let watcher: UnsafeMutablePointer<ev_signal>

    /// Starts watching for `signal`, which from then on has no other effect on the process.
    public init(_ signal: CInt, onSignal: @escaping @ReactorActor () -> Void) {
        self.onSignal = onSignal
        unsafe watcher = .allocate(capacity: 1)
        unsafe watcher.initialize(to: ev_signal())
        unsafe clibev_signal_init(watcher, signalReceived, signal)
        unsafe watcher.pointee.data = Unmanaged.passUnretained(self).toOpaque()
        unsafe ev_signal_start(Loop.pointer, watcher)
    }

    isolated deinit {
        unsafe ev_signal_stop(Loop.pointer, watcher)
        unsafe watcher.deallocate()
    }

    fileprivate func fire() {
        withExtendedLifetime(self) { onSignal() }
    }
}

nonisolated private func signalReceived(_: OpaquePointer?, watcher: UnsafeMutablePointer<ev_signal>?, _: CInt) {
    guard let context = unsafe watcher?.pointee.data else { preconditionFailure("signal watcher without context") }
    let owner = unsafe Unmanaged<SignalWatcher>.fromOpaque(context).takeUnretainedValue()
    ReactorActor.assumeIsolated { owner.fire() }
}
