internal import Reactor

/// A request that waits for a connection.
struct Waiter: Equatable {
    let id: RequestID
    /// When its sender stops waiting for the response.
    let deadline: Instant
    /// Until when it waits while no connection can be made.
    let unreachableAfter: Instant
    /// Whether it was sent before in vain, and must not go out on a connection that was there then.
    let needsFreshConnection: Bool
}

/// Waiting requests, first come first served.
///
/// An array with a moving start: `removeFirst()` on a plain array moves all the others.
struct WaitQueue {
    private var entries: [Waiter] = []
    private var start = 0

    var count: Int { entries.count - start }
    var isEmpty: Bool { count == 0 }
    var waiting: ArraySlice<Waiter> { entries[start...] }

    mutating func append(_ waiter: Waiter) { entries.append(waiter) }

    mutating func prepend(_ waiter: Waiter) {
        if start > 0 {
            start -= 1
            entries[start] = waiter
        } else {
            entries.insert(waiter, at: 0)
        }
    }

    mutating func popFirst() -> Waiter? {
        guard start < entries.count else { return nil }
        let first = entries[start]
        start += 1
        compact()
        return first
    }

    mutating func popFirst(where condition: (Waiter) -> Bool) -> Waiter? {
        if start < entries.count, condition(entries[start]) { return popFirst() }
        guard let index = waiting.firstIndex(where: condition) else { return nil }
        return entries.remove(at: index)
    }

    mutating func removeAll(where condition: (Waiter) -> Bool) {
        entries.removeFirst(start)
        start = 0
        entries.removeAll(where: condition)
    }

    /// Frees the part before `start` once it is the larger one, so that each entry is moved at most once on average.
    private mutating func compact() {
        if start == entries.count {
            entries.removeAll(keepingCapacity: true)
            start = 0
        } else if start >= 64, start * 2 >= entries.count {
            entries.removeFirst(start)
            start = 0
        }
    }
}
