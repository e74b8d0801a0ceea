internal import Reactor

/// How many requests a client may make within some time.
struct RatePolicy: Hashable, Sendable {
    /// How many.
    let requests: Int
    /// Within how many seconds.
    let seconds: Int

    /// Joins the parts.
    init(requests: Int, seconds: Int) {
        precondition(requests > 0 && seconds > 0, "a policy allows something")
        self.requests = requests
        self.seconds = seconds
    }

    var window: Duration { .seconds(seconds) }

    /// The time in words: `1 minute`, `90 seconds`.
    var windowWords: String {
        let (count, unit) =
            switch seconds {
            case let seconds where seconds % 86_400 == 0: (seconds / 86_400, "day")
            case let seconds where seconds % 3600 == 0: (seconds / 3600, "hour")
            case let seconds where seconds % 60 == 0: (seconds / 60, "minute")
            default: (seconds, "second")
            }
        return "\(count) \(unit)\(count == 1 ? "" : "s")"
    }
}

/// What became of a request that is counted.
struct RateVerdict: Hashable, Sendable {
    /// Whether it may go on.
    let isAllowed: Bool
    /// How many more may at once.
    let remaining: Int
    /// When the oldest request that counts no longer does; zero if none counts.
    let reset: Duration
    /// Where this one is counted; nil if it is not.
    var place: Place?

    /// What stands for a request that counts.
    enum Place: Hashable, Sendable {
        /// A member of the client's window in Redis.
        case redis(String)
        /// The time in this process.
        case here(Instant)
    }

    /// The whole seconds after which one more may, at least 1.
    var resetSeconds: Int {
        let (seconds, attoseconds) = reset.components
        return max(1, Int(seconds) + (attoseconds > 0 ? 1 : 0))
    }
}
