import Histogram

/// What came of the requests to one target. Times are in nanoseconds, to three significant digits.
struct Tally: Sendable {
    /// How many requests were meant to be sent.
    private(set) var scheduledCount = 0
    /// Latencies of answers with a status below 400.
    private(set) var answers = Histogram<UInt64>()
    /// Latencies of answers 503, which an overloaded server gives at once.
    private(set) var refusals = Histogram<UInt64>()
    /// Everything else, by kind.
    private(set) var errors: [String: Int] = [:]
    /// How late requests were sent by us: if it is much, this machine is too slow for the rate.
    private(set) var lateness = Histogram<UInt64>()
    /// How long requests were sent.
    var measured = Duration.zero

    mutating func scheduled(sentLateBy delay: Duration) {
        scheduledCount += 1
        lateness.record(delay.nanoseconds)
    }

    mutating func answered(_ status: Int, after latency: Duration) {
        switch status {
        case ..<400: answers.record(latency.nanoseconds)
        case 503: refusals.record(latency.nanoseconds)
        default: errors["status \(status)", default: 0] += 1
        }
    }

    mutating func failed(_ kind: String) { errors[kind, default: 0] += 1 }

    /// Everything that was not answered, refusals not counted.
    var errorCount: Int { errors.values.reduce(0, +) }

    /// Answers per second.
    var achievedRate: Double { measured > .zero ? Double(answers.totalCount) / (measured / .seconds(1)) : 0 }
}

extension Duration {
    fileprivate var nanoseconds: UInt64 {
        let (seconds, attoseconds) = components
        return UInt64(max(0, seconds * 1_000_000_000 + attoseconds / 1_000_000_000))
    }
}
