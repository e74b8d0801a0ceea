internal import Reactor

/// When a relay looks for messages, and from where on: for new ones, and for those that the dead have claimed. One look
/// of each kind at a time. Pure.
struct RelayLook {
    private let limits: RelayMachine.Limits
    private var claiming: Int?
    private var takingOver: Int?
    private var above: Int64 = 0
    private var nextClaim = Instant.origin
    private var nextSweep = Instant.origin
    private var nextTakeOver = Instant.origin

    init(_ limits: RelayMachine.Limits) { self.limits = limits }

    /// Whether no answer is due.
    var isIdle: Bool { claiming == nil && takingOver == nil }
    /// How many messages may come at most.
    var expected: Int { claiming ?? takingOver ?? 0 }

    /// There may be something to claim at an instant.
    mutating func wake(at instant: Instant) { nextClaim = min(nextClaim, instant) }

    /// There may be something below what was looked at.
    mutating func lookFromTheBeginning(_ now: Instant) {
        above = 0
        wake(at: now)
    }

    /// A lease has begun.
    mutating func beginAnew(_ now: Instant) { (nextClaim, nextSweep, nextTakeOver) = (now, now, now) }

    /// A claim has its answer; nil if nobody knows what was claimed.
    mutating func claimed(_ messages: [RelayMessage]?, _ now: Instant) {
        // A full claim says that there are more.
        if let messages, messages.count == claiming { nextClaim = now }
        claiming = nil
        for message in messages ?? [] where message.isFinal {
            if message.attempts == 0, message.uncertainSince == nil { above = max(above, message.id) }
        }
    }

    /// Taking over has its answer.
    mutating func tookOver(_ messages: [RelayMessage]?, _ now: Instant) {
        takingOver = nil
        if messages?.isEmpty == false { nextTakeOver = now }
    }

    /// What to ask for now.
    ///
    /// - Parameter room: How many messages there is room for; nil for none.
    mutating func next(_ now: Instant, generation: Int, room: Int?) -> RelayMachine.Action? {
        guard let room, takingOver == nil else { return nil }
        if now >= nextTakeOver {
            takingOver = room
            nextTakeOver = now + limits.takeOverInterval
            return .takeOver(generation, maximum: room)
        }
        guard claiming == nil, now >= nextClaim else { return nil }
        if now >= nextSweep {
            above = 0
            nextSweep = now + limits.sweepInterval
        }
        claiming = room
        nextClaim = now + limits.pollInterval
        return .claim(generation, above: above, maximum: room)
    }

    /// When ``next(_:generation:room:)`` has something to do; what makes room is an event of its own.
    ///
    /// - Parameter possible: When there is room for what is due at an instant.
    func nextDeadline(_ possible: (Instant) -> Instant) -> Instant {
        guard takingOver == nil else { return .distantFuture }
        let takeOver = possible(nextTakeOver)
        return claiming == nil ? min(takeOver, possible(nextClaim)) : takeOver
    }
}
