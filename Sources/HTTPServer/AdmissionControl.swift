internal import Reactor

/// Decides how many requests may wait for their answers, so that those that are accepted are answered soon.
///
/// A fixed bound cannot do that: what a fast service answers in 50 ms keeps a slow one busy for seconds. So the bound
/// follows the service. While it keeps up, only ``ceiling`` applies, and bursts are absorbed. When every answer of a
/// window was late, requests queue up, and the queue would stay: then no more may wait than are answered within
/// ``targetWait``, by Little's law (waiting = rate × wait), until there is no need any more. That late answers are
/// told from a standing queue by the shortest wait, not by the mean, is the idea of CoDel (RFC 8289 §3).
struct AdmissionControl {
    /// Over which waits are judged.
    private static let window = Duration.milliseconds(100)
    /// A window that took longer says nothing: for most of it nothing was answered.
    private static let longestWindow = Duration.milliseconds(200)

    /// So many may always wait: a queue this short is not worth refusing anybody, however slow the service is.
    static let floor = 256

    /// Most requests that wait at any time.
    let ceiling: Int
    /// How long answers should take at most; zero for no such wish.
    let targetWait: Duration

    /// How many requests may wait now.
    private(set) var limit: Int
    /// Requests that were admitted, are not answered, and wait for this service.
    private(set) var waiting = 0

    private var windowStart = Instant.origin
    /// Answers that were waited for.
    private var awaitedAnswers = 0
    private var shortestWait = Duration.zero
    private var mostWaiting = 0

    init(ceiling: Int, targetWait: Duration) {
        self.ceiling = ceiling
        self.targetWait = targetWait
        limit = ceiling
    }

    /// Whether a request may wait for its answer; if so, its end must be told.
    mutating func admit() -> Bool {
        guard waiting < limit else { return false }
        waiting += 1
        mostWaiting = max(mostWaiting, waiting)
        return true
    }

    /// A request that was admitted gets its answer.
    mutating func answered(after wait: Duration, now: Instant) {
        waiting -= 1
        // What was answered at once, such as from a cache, says nothing about the queue, and only ends a limit.
        guard targetWait > .zero, wait > .zero || limit < ceiling else { return }
        let elapsed = now - windowStart
        if elapsed >= Self.window {
            if elapsed <= Self.longestWindow { judge(elapsed) }
            beginWindow(now)
        }
        guard wait > .zero else { return }
        shortestWait = awaitedAnswers == 0 ? wait : min(shortestWait, wait)
        awaitedAnswers += 1
    }

    /// A request that was admitted will not be answered, or waits for somebody else.
    mutating func abandoned() { waiting -= 1 }

    private mutating func beginWindow(_ now: Instant) {
        windowStart = now
        awaitedAnswers = 0
        mostWaiting = waiting
    }

    private mutating func judge(_ elapsed: Duration) {
        if limit < ceiling, mostWaiting < limit / 2 {
            limit = ceiling
        } else if awaitedAnswers > 0, limit < ceiling || shortestWait > targetWait {
            let answeredInTime = Int(Double(awaitedAnswers) * (targetWait / elapsed))
            limit = min(max(answeredInTime, Self.floor), ceiling)
        }
    }
}
