internal import Reactor

/// Decides what one consumer does with the entries that it was given: which are handled together, which are tried
/// again and when, which are given up. Pure: what happened goes in, what to do comes out.
struct StreamConsumerMachine: ~Copyable {
    /// What the owner of the machine does.
    enum Action: Equatable {
        /// Acknowledges entries that are done.
        case acknowledge([StreamPosition])
        /// Moves entries to the dead letters.
        case bury([DeadStreamEntry])
    }

    private enum State: Equatable {
        /// May be handled from this time on.
        case waiting(since: Instant)
        case handling
        /// Is to be acknowledged, or was and Redis has not said so.
        case done
        case dead(error: String)
    }

    private struct Held {
        let entry: StreamEntry
        /// How often it has failed.
        var failures: Int
        var state: State
    }

    private let limits: StreamConsumerLimits
    private var held: [StreamPosition: Held] = [:]
    private var isHandling = false
    /// Grows while the surroundings are not able.
    private var unableDelay: Duration = .zero

    init(_ limits: StreamConsumerLimits) { self.limits = limits }

    /// How many more entries there is room for.
    var room: Int { max(0, limits.heldMax - held.count) }
    /// Entries that have not come to their end, with how often each has failed.
    var unfinished: [(id: StreamPosition, failures: Int)] {
        held.values.filter { $0.state != .done }.map { ($0.entry.id, $0.failures) }
    }
    /// Whether a batch is being handled.
    var isBusy: Bool { isHandling }
    /// Whether nothing is held at all.
    var isEmpty: Bool { held.isEmpty }

    /// Entries were given to this consumer; those that it has already are not taken twice.
    ///
    /// - Parameter failures: How often each was given to somebody who did not come to its end.
    mutating func given(_ entries: [(entry: StreamEntry, failures: Int)], now: Instant) -> [Action] {
        for (entry, failures) in entries where held[entry.id] == nil {
            let isSpent = failures >= limits.attemptsMax
            let state = isSpent ? State.dead(error: "its consumers were lost") : .waiting(since: now)
            held[entry.id] = Held(entry: entry, failures: failures, state: state)
        }
        return burials()
    }

    /// The entries to be handled next, oldest first; nil while others are, and when none is due.
    mutating func next(now: Instant) -> [StreamEntry]? {
        guard !isHandling else { return nil }
        let due = held.values.filter { held in
            if case .waiting(let since) = held.state { since <= now } else { false }
        }
        .map(\.entry).sorted { $0.id < $1.id }.prefix(limits.batchMax)
        guard !due.isEmpty else { return nil }
        for entry in due { held[entry.id]?.state = .handling }
        isHandling = true
        return Array(due)
    }

    /// When ``next(now:)`` has something to give that it has not now; nil for never.
    var nextDue: Instant? {
        held.values.compactMap { if case .waiting(let since) = $0.state { since } else { nil } }.min()
    }

    /// The entries that ``next(now:)`` gave were handled.
    mutating func handled(
        _ verdicts: [(id: StreamPosition, verdict: StreamVerdict)],
        now: Instant,
        using generator: inout some RandomNumberGenerator
    ) -> [Action] {
        isHandling = false
        let isAnyUnable = verdicts.contains { $0.verdict == .unable }
        unableDelay = isAnyUnable ? min(max(unableDelay * 2, limits.firstDelay), limits.delayCap) : .zero
        var done: [StreamPosition] = []
        for (id, verdict) in verdicts {
            switch verdict {
            case .done:
                held[id]?.state = .done
                done.append(id)
            case .failed(let error): fail(id, error, now: now, using: &generator)
            case .unable: held[id]?.state = .waiting(since: now + unableDelay)
            }
        }
        return (done.isEmpty ? [] : [.acknowledge(done)]) + burials()
    }

    private mutating func fail(
        _ id: StreamPosition,
        _ error: String,
        now: Instant,
        using generator: inout some RandomNumberGenerator
    ) {
        guard var entry = held[id] else { return }
        entry.failures += 1
        if entry.failures >= limits.attemptsMax {
            entry.state = .dead(error: error)
        } else {
            let ceiling = min(limits.firstDelay * (1 << (entry.failures - 1)), limits.delayCap)
            entry.state = .waiting(since: now + ceiling * Double.random(in: 0.5...1, using: &generator))
        }
        held[id] = entry
    }

    /// Redis has taken note of these ends.
    mutating func ended(_ ids: [StreamPosition]) {
        for id in ids { held[id] = nil }
    }

    /// What is done or dead and Redis has not taken note of.
    func endings() -> [Action] {
        let done = held.values.filter { $0.state == .done }.map(\.entry.id).sorted()
        return (done.isEmpty ? [] : [.acknowledge(done)]) + burials()
    }

    private func burials() -> [Action] {
        let dead = held.values.compactMap { held -> DeadStreamEntry? in
            guard case .dead(let error) = held.state else { return nil }
            return DeadStreamEntry(entry: held.entry, attempts: held.failures, error: error)
        }
        .sorted { $0.entry.id < $1.entry.id }
        return dead.isEmpty ? [] : [.bury(dead)]
    }

    /// The group is gone, and with it everybody's claims; what is being handled is handled to its end.
    ///
    /// - Returns: What is forgotten.
    mutating func groupLost() -> [StreamPosition] {
        let gone = held.filter { $0.value.state != .handling }.map(\.key)
        ended(gone)
        return gone
    }
}
