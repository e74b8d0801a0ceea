internal import CLibev

/// Calls back at a time of the monotonic clock, once or at intervals; never early.
@ReactorActor
@safe public final class Timer {
    private let onFire: @ReactorActor () -> Void
    private var due: Instant?
    private var interval: Duration?
    private let watcher: UnsafeMutablePointer<ev_timer>

    /// Makes a timer that is not scheduled. `onFire` may drop the last reference to it.
    public init(onFire: @escaping @ReactorActor () -> Void) {
        self.onFire = onFire
        unsafe watcher = .allocate(capacity: 1)
        unsafe watcher.initialize(to: ev_timer())
        unsafe clibev_timer_init(watcher, timerFired)
        // Not retained: deinit stops the watcher.
        unsafe watcher.pointee.data = Unmanaged.passUnretained(self).toOpaque()
    }

    isolated deinit {
        unsafe ev_timer_stop(Loop.pointer, watcher)
        unsafe watcher.deallocate()
    }

    /// Whether the timer will fire.
    public var isScheduled: Bool { due != nil }

    /// Fires once, `duration` from now, instead of whatever was scheduled before.
    public func schedule(after duration: Duration) { schedule(at: Reactor.now + duration) }

    /// Fires once, at `instant`, instead of whatever was scheduled before.
    public func schedule(at instant: Instant) {
        interval = nil
        arm(for: instant)
    }

    /// Fires every `interval`, first one interval from now, instead of whatever was scheduled before.
    ///
    /// A beat that the loop was too busy for is left out, not made up for.
    public func scheduleRepeating(every interval: Duration) {
        precondition(interval > .zero)
        self.interval = interval
        arm(for: Reactor.now + interval)
    }

    /// Makes the timer not fire.
    public func cancel() {
        due = nil
        interval = nil
        unsafe ev_timer_stop(Loop.pointer, watcher)
    }

    private func arm(for instant: Instant) {
        due = instant
        unsafe ev_timer_stop(Loop.pointer, watcher)
        unsafe clibev_timer_set(watcher, max(0, (instant - Reactor.now) / .seconds(1)), 0)
        unsafe ev_timer_start(Loop.pointer, watcher)
    }

    fileprivate func fire() {
        guard let due else { return }
        // libev counts from the start of the turn that armed it, which is before the caller's "now".
        guard due <= Reactor.now else { return arm(for: due) }
        self.due = nil
        if let interval { arm(for: max(due + interval, Reactor.now)) }
        withExtendedLifetime(self) { onFire() }
    }
}

nonisolated private func timerFired(_: OpaquePointer?, watcher: UnsafeMutablePointer<ev_timer>?, _: CInt) {
    guard let context = unsafe watcher?.pointee.data else { preconditionFailure("timer without context") }
    let owner = unsafe Unmanaged<Timer>.fromOpaque(context).takeUnretainedValue()
    ReactorActor.assumeIsolated { owner.fire() }
}
