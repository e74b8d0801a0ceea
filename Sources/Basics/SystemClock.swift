internal import Glibc

/// The system's clock, which people set; also for who is not on the loop.
public enum SystemClock {
    /// Time since 1970-01-01T00:00:00Z.
    public static var unixTime: Duration {
        var time = timespec()
        unsafe clock_gettime(CLOCK_REALTIME, &time)
        return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
    }
}
