internal import Reactor

/// Counts requests of many clients, each in a window that slides: in no stretch of time as long as the window are there
/// more than the policy allows, wherever it begins. Pure: the time is an argument.
///
/// What is refused does not count.
struct SlidingWindows: ~Copyable {
    private let policy: RatePolicy
    /// Beyond so many clients, those that have been silent for longest are forgotten.
    private let clientsMax: Int
    /// The times of the requests that count, oldest first.
    private var windows: [String: [Instant]] = [:]

    init(_ policy: RatePolicy, clientsMax: Int) {
        self.policy = policy
        self.clientsMax = clientsMax
    }

    /// How many clients are remembered.
    var clientCount: Int { windows.count }

    /// Counts a request if it is allowed.
    ///
    /// - Parameter isCounted: False only to ask whether it would be.
    mutating func admit(_ client: String, now: Instant, isCounted: Bool = true) -> RateVerdict {
        if windows[client] == nil, windows.count >= clientsMax { makeRoom(now) }
        var times = windows[client] ?? []
        times.removeAll { now - $0 >= policy.window }
        let isAllowed = times.count < policy.requests
        if isAllowed, isCounted { times.append(now) }
        windows[client] = times
        return RateVerdict(
            isAllowed: isAllowed,
            remaining: policy.requests - times.count,
            reset: times.first.map { policy.window - (now - $0) } ?? .zero,
            place: isAllowed && isCounted ? .here(now) : nil
        )
    }

    /// Counts a request of this time no longer.
    mutating func takeBack(_ client: String, _ time: Instant) {
        guard let index = windows[client]?.lastIndex(of: time) else { return }
        windows[client]?.remove(at: index)
    }

    /// Forgets clients none of whose requests counts any more, or else the quarter that has been silent for longest.
    private mutating func makeRoom(_ now: Instant) {
        windows = windows.filter { _, times in times.last.map { now - $0 < policy.window } ?? false }
        guard windows.count >= clientsMax else { return }
        let bySilence = windows.sorted { ($0.value.last ?? .origin) < ($1.value.last ?? .origin) }
        for (client, _) in bySilence.prefix(clientsMax / 4 + 1) { windows[client] = nil }
    }
}
