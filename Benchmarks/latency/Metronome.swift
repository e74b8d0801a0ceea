import CTimer
import Glibc
import Reactor

/// Calls back at fixed intervals, to some microseconds; the loop's own timers count milliseconds.
@ReactorActor
final class Metronome {
    private let timer: FileDescriptor
    private var watcher: IOWatcher?

    init(every interval: Duration, onTick: @escaping @ReactorActor () -> Void) {
        let (seconds, attoseconds) = interval.components
        let number = ctimer_start(Int(seconds) * 1_000_000_000 + Int(attoseconds / 1_000_000_000))
        precondition(number >= 0, "the kernel has no timer for us: errno \(errno)")
        timer = FileDescriptor(owning: number)
        watcher = IOWatcher(descriptor: number, for: .read) { _ in
            // How many intervals have passed does not matter: the schedule knows what is due.
            var expirations: UInt64 = 0
            _ = unsafe read(number, &expirations, MemoryLayout<UInt64>.size)
            onTick()
        }
    }

    isolated deinit { watcher?.stop() }
}
