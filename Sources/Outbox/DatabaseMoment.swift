public import Reactor

/// A moment by the database's clock, which is the same for all processes whatever their machines' clocks show.
public struct DatabaseMoment: Hashable, Sendable {
    /// What the database's clock showed, since 1970.
    let unixTime: Duration
    /// Here, a moment before.
    let instant: Instant

    /// Joins what was read with when it was asked for.
    public init(unixTime: Duration, askedAt instant: Instant) {
        self.unixTime = unixTime
        self.instant = instant
    }

    /// When a time by the database's clock has come: too early by as long as the question was on its way, never too
    /// late.
    public func instant(of unixTime: Duration) -> Instant { instant + (unixTime - self.unixTime) }
}
