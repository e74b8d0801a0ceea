internal import Glibc

/// The system's clock, which people set; also for who is not on the loop.
public enum SystemClock {
    /// Time since 1970-01-01T00:00:00Z.
    public static var unixTime: Duration { .nanoseconds(unixNanoseconds) }

    /// Nanoseconds since 1970-01-01T00:00:00Z, which are enough until 2262.
    public static var unixNanoseconds: Int {
        var time = timespec()
        unsafe clock_gettime(CLOCK_REALTIME, &time)
        return time.tv_sec * 1_000_000_000 + time.tv_nsec
    }
}
