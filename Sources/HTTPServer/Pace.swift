internal import Reactor

/// How long the other side of a transfer may still keep us waiting.
///
/// A timeout that starts anew with every byte lets one byte now and then hold a connection for ever. So there is also a
/// bound on the waiting in all, which grows with what was moved.
struct Pace {
    private var waited = Duration.zero
    private var movedBytes = 0

    /// So many bytes came, or went, after so long a wait.
    mutating func moved(_ bytes: Int, after wait: Duration) {
        movedBytes += bytes
        waited += wait
    }

    /// How long the wait that begins now may take: `timeout`, or less when that much was used up before.
    ///
    /// - Parameter slowestBytesPerSecond: For each so many bytes that were moved, there is one second more.
    func patience(_ timeout: Duration, _ slowestBytesPerSecond: Int) -> Duration {
        let earned = Duration.seconds(Double(movedBytes) / Double(slowestBytesPerSecond))
        return max(.zero, min(timeout, timeout + earned - waited))
    }
}
