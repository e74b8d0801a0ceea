internal import CLibev

/// What a descriptor is ready for, or is watched for.
public struct Readiness: OptionSet, Sendable {
    /// libev's event bits.
    public let rawValue: CInt

    /// Takes libev's event bits.
    public init(rawValue: CInt) { self.rawValue = rawValue }

    /// There are bytes to read, a connection to accept, an end of stream or an error.
    public static let read = Readiness(rawValue: CInt(EV_READ))
    /// There is room to write, a connection was made, or there is an error.
    public static let write = Readiness(rawValue: CInt(EV_WRITE))
}

/// Calls back while a descriptor is ready.
///
/// Watching starts in `init` and ends in ``stop()`` or `deinit`, so libev never points at freed memory. The descriptor
/// stays the caller's, and must stay open while it is watched.
@ReactorActor
@safe public final class IOWatcher {
    private let descriptor: CInt
    private let onReady: @ReactorActor (Readiness) -> Void
    private var interest: Readiness
    /// Of the event that has come and was not taken yet.
    nonisolated(unsafe) fileprivate var place: ReadyEvents.Place?

    // libev keeps this address while the watcher is active, and a Swift stored property has no address that is
    // promised to stay. So: its own allocation.
    private let watcher: UnsafeMutablePointer<ev_io>

    /// Starts watching.
    ///
    /// - Parameter onReady: Called in each turn in which `descriptor` is ready, until stopped. It may drop the last
    ///   reference to this watcher.
    public init(descriptor: CInt, for interest: Readiness, onReady: @escaping @ReactorActor (Readiness) -> Void) {
        self.descriptor = descriptor
        self.interest = interest
        self.onReady = onReady
        unsafe watcher = .allocate(capacity: 1)
        unsafe watcher.initialize(to: ev_io())
        unsafe clibev_io_init(watcher, ioReady, descriptor, interest.rawValue)
        // Not retained: deinit stops the watcher, so libev cannot outlive `self`.
        unsafe watcher.pointee.data = Unmanaged.passUnretained(self).toOpaque()
        unsafe ev_io_start(Loop.pointer, watcher)
    }

    isolated deinit {
        stop()
        unsafe watcher.deallocate()
    }

    /// Whether it is watching.
    public var isActive: Bool { unsafe clibev_is_active(watcher) != 0 }

    /// Watches again after ``stop()``.
    public func start() { unsafe ev_io_start(Loop.pointer, watcher) }

    /// Stops watching; an event that is already pending is dropped.
    public func stop() {
        unsafe ev_io_stop(Loop.pointer, watcher)
        unsafe place.take().map { unsafe Loop.ready.drop($0) }
    }

    /// Changes what is watched for, and starts watching if stopped.
    public func watch(for interest: Readiness) {
        guard interest != self.interest || !isActive else { return }
        self.interest = interest
        stop()
        unsafe clibev_io_set(watcher, descriptor, interest.rawValue)
        start()
    }

    /// Calls back with an event of ``ReadyEvents``.
    func take(_ readiness: Readiness) {
        unsafe place = nil
        onReady(readiness)
    }
}

/// The one place where an I/O event enters Swift.
nonisolated private func ioReady(_: OpaquePointer?, watcher: UnsafeMutablePointer<ev_io>?, events: CInt) {
    guard let context = unsafe watcher?.pointee.data else { preconditionFailure("watcher without context") }
    let owner = unsafe Unmanaged<IOWatcher>.fromOpaque(context).takeUnretainedValue()
    ReactorActor.preconditionIsolated()
    unsafe owner.place = Loop.ready.note(Readiness(rawValue: events), of: owner)
}
