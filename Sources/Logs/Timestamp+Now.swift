internal import Glibc
internal import JSONWire

extension Timestamp {
    /// The current time of the system's clock.
    static var now: Timestamp {
        var time = timespec()
        unsafe clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(unixTime: .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec))
    }
}
