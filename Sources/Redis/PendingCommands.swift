internal import DequeModule
internal import Reactor

/// The commands that were sent on one connection and not answered, oldest first.
///
/// Redis answers in order, so the oldest command owns the next reply. A command whose caller has given up stays in its
/// place without a waiter, because its reply still comes. Pure: time is an argument.
struct PendingCommands<Waiter> {
    private struct Entry {
        /// Nil once the caller was told that it took too long.
        var waiter: Waiter?
        let deadline: Instant
        /// When silence on this command means that the connection is dead.
        let stallsAt: Instant
    }

    private var entries = Deque<Entry>()
    /// Not later than the earliest deadline of a waiter; may be earlier after answers.
    private var earliestDeadline: Instant?

    /// How many commands wait for a reply.
    var count: Int { entries.count }

    mutating func sent(_ waiter: Waiter, deadline: Instant, stallsAt: Instant) {
        entries.append(Entry(waiter: waiter, deadline: deadline, stallsAt: stallsAt))
        if earliestDeadline.map({ deadline < $0 }) ?? true { earliestDeadline = deadline }
    }

    /// The oldest command was answered; returns its waiter unless it has given up.
    mutating func answered() -> Waiter? {
        guard let entry = entries.popFirst() else { preconditionFailure("a reply to a command that was never sent") }
        if entries.isEmpty { earliestDeadline = nil }
        return entry.waiter
    }

    /// Takes out the waiters whose deadline has come; their commands keep their places.
    mutating func expire(now: Instant) -> [Waiter] {
        guard let earliest = earliestDeadline, earliest <= now else { return [] }
        var expired: [Waiter] = []
        var next: Instant?
        for index in entries.indices {
            guard let waiter = entries[index].waiter else { continue }
            let deadline = entries[index].deadline
            if deadline <= now {
                expired.append(waiter)
                entries[index].waiter = nil
            } else if next.map({ deadline < $0 }) ?? true {
                next = deadline
            }
        }
        earliestDeadline = next
        return expired
    }

    /// Whether the oldest command has been silent for too long.
    func isStalled(now: Instant) -> Bool {
        entries.first.map { $0.stallsAt <= now } ?? false
    }

    /// When to look again for expired waiters or for silence; nil while nothing is pending.
    var nextCheck: Instant? {
        guard let stallsAt = entries.first?.stallsAt else { return nil }
        return earliestDeadline.map { min($0, stallsAt) } ?? stallsAt
    }

    /// The connection is gone: hands out every waiter, oldest first.
    mutating func drain() -> [Waiter] {
        defer { self = PendingCommands() }
        return entries.compactMap(\.waiter)
    }
}
