internal import Glibc

/// The wall clock, read when asked. The loop's own is read once a turn, which is too coarse where the order of what
/// several processes did within a millisecond is to be seen.
enum SpanClock {
    /// Nanoseconds since 1970-01-01T00:00:00Z.
    static var nanoseconds: UInt64 {
        var time = timespec()
        unsafe clock_gettime(CLOCK_REALTIME, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}
