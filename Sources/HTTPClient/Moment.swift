/// A time of the monotonic clock: how long after a fixed moment of this process it is.
///
/// Not `ContinuousClock.Instant`, because that comes from a library that may change its layout: whatever struct, enum
/// or class holds one is laid out at run time, and asked for its layout whenever it is touched. That was a third of
/// what a request cost here.
typealias Moment = Duration

extension Moment {
    private static let origin = ContinuousClock.now

    init(_ instant: ContinuousClock.Instant) { self = Self.origin.duration(to: instant) }

    var instant: ContinuousClock.Instant { Self.origin + self }
}
