internal import Reactor

/// When each request is meant to be sent: evenly, whatever has become of the ones before. Pure.
struct ArrivalSchedule: Sendable {
    private let start: Instant
    private let rate: Double
    /// How many requests there are.
    let count: Int
    private var taken = 0

    /// - Parameters:
    ///   - rate: Requests per second.
    ///   - duration: The first one is sent at the start, the last one before the end.
    init(start: Instant, rate: Double, duration: Duration) {
        self.start = start
        self.rate = rate
        count = max(1, Int((duration / .seconds(1) * rate).rounded()))
    }

    var isExhausted: Bool { taken == count }

    /// Takes the next request if its time has come.
    ///
    /// - Returns: When it was meant to be sent, which may be long ago if we could not keep up.
    mutating func takeDue(now: Instant) -> Instant? {
        guard !isExhausted else { return nil }
        let due = start + .nanoseconds(Int64(Double(taken) * 1e9 / rate))
        guard due <= now else { return nil }
        taken += 1
        return due
    }
}

/// What a run does, besides the questions.
struct LoadPlan: Sendable {
    let rate: Double
    let duration: Duration
    let warmUp: Duration
    let slice: Duration
    let timeout: Duration
    let outstandingMax: Int

    /// The measured time of each target in turns of equal length, none longer than a slice.
    var slices: [Duration] {
        let count = Int((duration / slice).rounded(.up))
        return Array(repeating: duration / count, count: count)
    }

    /// How often we look what is due: for each request, but not more often than every 100 µs, which would be work for
    /// its own sake. Above 10,000 requests a second, some are therefore sent up to 100 µs late, and charged for it.
    var tick: Duration { .nanoseconds(Int64(max(1e9 / rate, 100_000))) }
}
