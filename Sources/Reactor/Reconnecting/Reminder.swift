/// When something that goes wrong again and again is worth a line in the log: at once, and then once a minute.
///
///     if let unsaid = reminder.isDue(at: Reactor.now) { logger.warning("…", metadata: ["unsaid": "\(unsaid)"]) }
///
/// A log that repeats itself a thousand times a second hides everything else, and fills disks.
public struct Reminder: Sendable {
    /// From one line to the next.
    public static let interval = Duration.seconds(60)

    private var saidAt: Instant?
    private var unsaid = 0

    /// Nothing has gone wrong yet.
    public init() {}

    /// Counts one more time that it went wrong.
    ///
    /// - Returns: How often that was not said since the last line, if it is to be said now; nil for silence.
    public mutating func isDue(at now: Instant) -> Int? {
        if let saidAt, now - saidAt < Self.interval {
            unsaid += 1
            return nil
        }
        saidAt = now
        defer { unsaid = 0 }
        return unsaid
    }

    /// What went wrong is well again: the next time is said at once.
    public mutating func reset() { self = Reminder() }
}
