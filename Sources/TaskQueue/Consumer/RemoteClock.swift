internal import Reactor

/// What the clock of another machine shows, told by the loop's clock since it was last heard.
struct RemoteClock {
    private var heard: (milliseconds: UInt64, at: Instant)?

    mutating func shows(_ milliseconds: UInt64, at now: Instant) { heard = (milliseconds, now) }

    /// When it showed a time; `now` for one that is still to come, and before it was ever heard.
    func instant(of milliseconds: UInt64, now: Instant) -> Instant {
        guard let heard else { return now }
        return min(now, heard.at + .milliseconds(Int64(clamping: milliseconds) - Int64(clamping: heard.milliseconds)))
    }
}
