internal import Glibc

/// A time of the monotonic clock, `CLOCK_MONOTONIC` (clock_gettime(2)): what deadlines and ages are counted in.
///
/// Not `ContinuousClock.Instant`, because that comes from a library that may change its layout: whatever struct, enum
/// or class holds one is laid out at run time, and asked for its layout whenever it is touched. That was a third of
/// what a request cost in the HTTP client.
public struct Instant: InstantProtocol, Sendable {
    /// Since a fixed moment, mostly the machine's start.
    private let uptime: Duration

    /// Later than every time that comes.
    public static let distantFuture = Instant(uptime: .seconds(Int64.max))

    /// Where the clock begins; earlier than every time that comes.
    public static let origin = Instant(uptime: .zero)

    /// Reads the clock; code on the loop asks ``Reactor/now``, which is read once a turn.
    public static var now: Instant {
        var time = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return Instant(uptime: .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec))
    }

    private init(uptime: Duration) { self.uptime = uptime }

    /// The time `duration` later.
    public func advanced(by duration: Duration) -> Instant { Instant(uptime: uptime + duration) }

    /// How much later `other` is.
    public func duration(to other: Instant) -> Duration { other.uptime - uptime }

    /// The time `duration` later.
    public static func + (instant: Instant, duration: Duration) -> Instant { instant.advanced(by: duration) }

    /// The time `duration` earlier.
    public static func - (instant: Instant, duration: Duration) -> Instant {
        Instant(uptime: instant.uptime - duration)
    }

    /// How much later `left` is than `right`.
    public static func - (left: Instant, right: Instant) -> Duration { left.uptime - right.uptime }

    /// Whether `left` is earlier.
    public static func < (left: Instant, right: Instant) -> Bool { left.uptime < right.uptime }
}
